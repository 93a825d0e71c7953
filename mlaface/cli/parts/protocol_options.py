"""The options of all registered protocols as arguments, those of plugins included."""
from mlaface.evaluation.protocols.base import openable_protocols, option_table

LIST = '?'  # what --protocol without a name means


def add_protocol_options(group):
    """Add an argument for each option that some protocol takes.

    Args:
        group (ArgumentParser): Where to.
    """
    for name, (option, takers) in option_table().items():
        choices = {} if option.choices is None else dict(choices=option.choices)
        group.add_argument(f'--{name.replace("_", "-")}', dest=f'option_{name}', type=option.type, **choices,
                           **({} if choices else dict(metavar=name.upper())),
                           help=f'{option.help} ({_whose(takers)})'.replace('%', '%%'))


def _whose(takers):
    """The protocols that take an option, in few words."""
    others = [name for name in openable_protocols() if name not in takers]
    if not others:
        return 'all'
    return f'all but {", ".join(others)}' if len(others) < len(takers) else ', '.join(takers)


def given_options(args):
    """The options of protocols that the user gave, by name (dict)."""
    return {key.removeprefix('option_'): value for key, value in vars(args).items()
            if key.startswith('option_') and value is not None}


def list_protocols():
    """A line for each protocol that reads a folder: its name and what it is (str)."""
    found = openable_protocols()
    width = max(map(len, found)) + 2
    return '\n'.join(f'{name:{width}}{cls.summary()}' for name, cls in found.items())
