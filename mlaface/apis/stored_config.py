"""The config of a network as it stands in a file: what it asks for, and that it is built of registered parts only."""
import sys

from mlaface.registry import ATTENTION, MODELS, nearest
from mlaface.utils.errors import InputError, MissingPackageError, UnknownNameError


def imports_of(stored):
    """The modules that a stored config asks for in ``custom_imports`` (list of str)."""
    asked = stored.get('custom_imports')
    names = asked.get('imports') if isinstance(asked, dict) else None
    return [str(name) for name in ([names] if isinstance(names, str) else names or [])]


def check_parts(config, source, imports=(), registries=(MODELS, ATTENTION)):
    """Refuse a config from a file that names anything but registered parts.

    A ``type`` that is not registered would be taken as a Python name, imported and called: in a file of somebody else
    that is code of somebody else.

    Args:
        config (dict): Of plain values.
        source (str | Path): Where it comes from, for the message.
        imports (Sequence[str]): What it asks to be imported. Default nothing.
        registries (Sequence[FaceRegistry]): Of the parts. Default those of networks.

    Raises:
        InputError: If a ``type`` is no part of the registries, or the config switches the scope.
    """
    known = {name for registry in registries for name in registry.names()}
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            kind = value.get('type')
            if 'type' in value and not (isinstance(kind, str) and _is_known(kind, source, registries)):
                close = nearest(str(kind), known)
                hint = f' (the nearest is {close!r})' if close else ''
                raise InputError(f'the config inside {source} names the part {kind!r}, which is not registered{hint}. '
                                 + _remedy(imports))
            if '_scope_' in value:
                raise InputError(f'the config inside {source} switches to the scope {value["_scope_"]!r}: give a '
                                 'config of your own')
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value


def _is_known(kind, source, registries):
    """Whether a name is that of a part, or of a package's part that the registries have a family for: ``timm.gc``."""
    try:
        return any(registry.knows(kind) for registry in registries)
    except (MissingPackageError, UnknownNameError) as error:
        raise InputError(f'the config inside {source} names a part that is not there: {error}') from error


def _remedy(imports):
    """How the plugin of a file gets imported, which the file may not do."""
    missing = [name for name in imports if name not in sys.modules]
    if not missing:
        return ('If it is a plugin of your own, give the module that registers it: --import MODULE, or init_model(..., '
                'imports=[...])')
    options = ' '.join(f'--import {name}' for name in missing)
    return (f'It asks for {", ".join(missing)}, which is not imported on the word of a file, since that would run '
            f'code: if you trust it, give {options}, or init_model(..., imports={missing})')
