"""What is said of a plugin that a checkpoint needs and that is not imported."""
import sys
from contextlib import contextmanager

from mlaface.registry import OWN_PLUGIN
from mlaface.utils.errors import UnknownNameError


@contextmanager
def asked_by(source, config):
    """Let an unknown name that comes from a checkpoint's own config say which modules that config asks for.

    Args:
        source (str | Path): The checkpoint.
        config (dict): What stands in it.

    Raises:
        UnknownNameError: In place of the registry's.
    """
    try:
        yield
    except UnknownNameError as error:
        what = str(error).removesuffix(OWN_PLUGIN).strip()
        raise UnknownNameError(f'{source}: {what} {_remedy(config)}') from error


def _remedy(config):
    """Which modules are missing and how they are imported."""
    asked = (config.get('custom_imports') or {}).get('imports') or []
    missing = [name for name in ([asked] if isinstance(asked, str) else asked) if name not in sys.modules]
    if not missing:
        return ('Its config names no module that is not imported already: give the one that registers the name, by '
                '--import MODULE or init_model(..., imports=[...])')
    options = ' '.join(f'--import {name}' for name in missing)
    return (f'Its config asks for {", ".join(missing)}, which is not imported on the word of a file, since that would '
            f'run code: if you trust it, give {options}, or init_model(..., imports={missing})')
