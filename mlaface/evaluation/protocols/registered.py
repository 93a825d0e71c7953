"""Protocols by name: those there are, their options, and how they are built and opened."""
import inspect

from mlaface.evaluation.protocols.base import Option, Protocol
from mlaface.registry import PROTOCOLS, nearest
from mlaface.utils.errors import InputError


def taken_options(cls):
    """Names of the options that a protocol's class takes (list of str)."""
    return [name for name in inspect.signature(cls).parameters if name != 'self']


def option_table():
    """All options of the protocols that read a folder.

    Returns:
        dict[str, tuple]: Name -> ``Option`` with the choices of all protocols that take it, and their names.
    """
    table = {}
    for cls in openable_protocols().values():
        compat = dict(compat=Option("reproduce the public code's numbers", cls.compats)) if cls.compats else {}
        for name, option in {**cls.options, **compat}.items():
            known, takers = table.get(name, (option, []))
            if option.choices is not None:
                known = known._replace(choices=tuple(dict.fromkeys([*(known.choices or ()), *option.choices])))
            table[name] = known, [*takers, cls.name]
    return table


def check_options(options):
    """Refuse options that no registered protocol takes.

    Raises:
        InputError: If there is one; says the nearest.
    """
    taken = {key for cls in PROTOCOLS.classes().values() for key in taken_options(cls)}
    _refuse_unknown(options, taken, 'any protocol')


def _refuse_unknown(options, taken, whose):
    unused = [key for key in options if key not in taken]
    if unused:
        close = nearest(unused[0], taken)
        raise InputError(f'{", ".join(unused)}: not an option of {whose}'
                         + (f'; did you mean {close!r}?' if close else '.') + f' It takes {", ".join(sorted(taken))}')


def build_protocol(name, options, device='cpu'):
    """A protocol with those of the given options that it takes.

    Args:
        name (str): As in a benchmark's entry.
        options (dict): By name.
        device (str): Where scores may be computed.

    Returns:
        Protocol: The protocol.

    Raises:
        KeyError: If there is none of this name; says the nearest.
    """
    taken = taken_options(PROTOCOLS.get(name))
    protocol = PROTOCOLS.build(dict(type=name, **{key: value for key, value in options.items() if key in taken}))
    protocol.device = device
    return protocol


def build_protocols(benchmarks, options, device='cpu'):
    """The protocols of benchmarks; options that none of them takes are refused: they would silently change nothing.

    Args:
        benchmarks (dict): Name -> entry.
        options (dict): By name, for those that take them.
        device (str): Where scores may be computed.

    Returns:
        dict[str, Protocol]: By name of the protocol.

    Raises:
        InputError: If an option is not taken.
    """
    names = dict.fromkeys(entry['protocol'] for entry in benchmarks.values())
    taken = {key for name in names for key in taken_options(PROTOCOLS.get(name))}
    _refuse_unknown(options, taken, ', '.join(names))
    return {name: build_protocol(name, options, device) for name in names}


def openable_protocols():
    """Name -> class of the protocols that read a folder, sorted by name (dict)."""
    return {name: cls for name, cls in PROTOCOLS.classes().items()
            if name == cls.name and cls.open.__func__ is not Protocol.open.__func__}


def open_protocol(name, root):
    """The suite of a protocol's folder; see ``Protocol.open``.

    Raises:
        InputError: If there is no such protocol; says the nearest, and which there are.
    """
    known = openable_protocols()
    if name not in known:
        close = nearest(name, known)
        raise InputError(f'no protocol {name!r}' + (f'; did you mean {close!r}?' if close else '.')
                         + f' There are {", ".join(known)}. One of your own is named in custom_imports of a config')
    suite = known[name].open(root)
    suite.published = known[name].published
    return suite
