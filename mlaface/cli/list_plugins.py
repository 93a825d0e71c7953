"""List what is registered: name, signature, first line of the description.

Examples:
  python tools/list_plugins.py
  python tools/list_plugins.py margins
  python tools/list_plugins.py attention --plain
"""
import argparse
import inspect

from mlaface.cli.parts.errors import explained
from mlaface.registry import REGISTRIES, nearest
from mlaface.utils.errors import UnknownNameError


def describe_plugin(plugin):
    """Signature and first docstring line of a registered class or function.

    Args:
        plugin (callable): What was registered.

    Returns:
        tuple[str, str]: ``(depth=18, width=1.0)``, ``IResNet (Duta et al., 2021).``
    """
    try:
        parameters = [p.replace(annotation=p.empty) for name, p in inspect.signature(plugin).parameters.items()]
        signature = str(inspect.Signature(parameters))
    except (TypeError, ValueError):
        signature = '(...)'
    return signature, (inspect.getdoc(plugin) or '').partition('\n')[0]


def plugins(registry=None):
    """All plugins of one registry, or of all.

    Args:
        registry (str, optional): Name as in ``mlaface.registry``, in any case.

    Returns:
        dict[str, list[tuple[str, str, str]]]: Registry name -> (name, signature, first line).

    Raises:
        UnknownNameError: If there is no such registry; names the nearest.
    """
    chosen = REGISTRIES
    if registry is not None:
        if registry.upper() not in REGISTRIES:
            close = nearest(registry, REGISTRIES)
            hint = f'; did you mean {close.lower()!r}?' if close else '.'
            raise UnknownNameError(f'no registry {registry!r}{hint} There are: {", ".join(REGISTRIES).lower()}')
        chosen = {registry.upper(): REGISTRIES[registry.upper()]}
    return {name: [(key, *describe_plugin(found.get(key))) for key in found.names()] for name, found in chosen.items()}


def show_plugins(registry=None, plain=False):
    """Print ``plugins`` as tables, or as tab-separated lines."""
    found = plugins(registry)
    if plain:
        for name, rows in found.items():
            for row in rows:
                print(name, *row, sep='\t')
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table
    console = Console()
    for name, rows in found.items():
        table = Table(Column('name', overflow='fold'), 'arguments', 'what it is', title=f'{name} ({len(rows)})',
                      show_lines=True)
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='list_plugins.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('registry', nargs='?', help='one registry: margins, attention, models ... (default: all)')
    parser.add_argument('--plain', action='store_true', help='tab-separated lines, for other programs')
    return parser.parse_args(arguments)


def main(argv=None):
    """List as the arguments say; ``argv`` (list[str]) is by default the process's."""
    options = parse(argv)
    with explained():
        show_plugins(options.registry, options.plain)
