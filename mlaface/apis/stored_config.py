"""The config of a network as it stands in a file: read as data, and built of registered parts only."""
import ast

from mlaface.registry import ATTENTION, MODELS, nearest
from mlaface.utils.errors import InputError, UnknownNameError
from mlaface.utils.literals import literal


def config_from_text(text, source):
    """The values of a config's text, without running it: assignments of literals and of ``dict(...)`` only.

    Args:
        text (str): As ``Config.pretty_text`` writes it.
        source (str | Path): Where it comes from, for the message.

    Returns:
        dict: Name to value.

    Raises:
        ValueError: If the text does anything else.
    """
    values = {}
    try:
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                raise ValueError(f'line {statement.lineno} is no assignment')
            values[statement.targets[0].id] = literal(statement.value)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'the config inside {source} is not of plain values ({error}): give a config') from error
    return values


def check_parts(config, source):
    """Refuse a network's config from a file that names anything but registered parts.

    A ``type`` that is not registered would be taken as a Python name, imported and called: in a file of somebody else
    that is code of somebody else.

    Args:
        config (dict): Of plain values.
        source (str | Path): Where it comes from, for the message.

    Raises:
        UnknownNameError: If a ``type`` is no part of ``MODELS`` or ``ATTENTION``.
        InputError: If the config switches the scope.
    """
    known = {*MODELS.names(), *ATTENTION.names()}
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            kind = value.get('type')
            if 'type' in value and not (isinstance(kind, str) and kind in known):
                close = nearest(str(kind), known)
                hint = f'; did you mean {close!r}?' if close else '.'
                raise UnknownNameError(f'the config inside names the part {kind!r}, which is not registered{hint}')
            if '_scope_' in value:
                raise InputError(f'the config inside {source} switches to the scope {value["_scope_"]!r}: give a '
                                 'config of your own')
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
