"""Modules of plugins, imported by name; what is wrong with one is said in a line."""
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path

from mlaface.utils.errors import UserError


class PluginImportError(UserError, ImportError):
    """A module that cannot be imported."""


def import_modules(names):
    """Import modules, and so register the plugins in them. This runs their code.

    Args:
        names (Iterable[str]): As in an import statement: ``my_package.my_module``.

    Raises:
        PluginImportError: If one is not found, or fails; says which, where and what to do.
    """
    for name in names:
        if '/' in name or name.endswith('.py') or not name.strip('.'):
            dotted = name.removesuffix('.py').replace('/', '.').strip('.')
            raise PluginImportError(f'cannot import {name!r}: a module is named as in an import statement, such as '
                                    f'{dotted or "my_plugin"}')
        try:
            import_module(name)
        except Exception as error:  # whatever the module raises, whoever wrote it wants to know where
            raise PluginImportError(import_fault(error)) from error


def import_fault(error):
    """What is to be said of an error of an import.

    Args:
        error (Exception): Its first cause counts.

    Returns:
        str: What is wrong and where; of a module that is not found, the nearest name and where modules are looked for.
    """
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if 'importlib' not in frame.filename]
    if isinstance(error, ModuleNotFoundError) and error.name:
        if _is_here(error.name):
            return (f'cannot import {error.name}, which lies in this folder: modules are looked for in the folders of '
                    'the environment variable PYTHONPATH. Put PYTHONPATH=. before the command')
        return (f'cannot import: {error}{_nearest(error.name)} Modules are looked for in the folders of the '
                'environment variable PYTHONPATH: add the one that holds it')
    return f'cannot import: {type(error).__name__}: {error} ({frames[-1].filename}, line {frames[-1].lineno})'


def _is_here(name):
    """Whether a module of this name lies in the working folder (bool)."""
    return '.' not in name and (Path(f'{name}.py').is_file() or Path(name).is_dir())


def _nearest(name):
    """The module spelled most like ``name``: of its package, or of the working folder and of PYTHONPATH."""
    from mlaface.registry import nearest
    package, _, word = name.rpartition('.')
    folders = getattr(sys.modules.get(package), '__path__', ['.', *os.environ.get('PYTHONPATH', '').split(os.pathsep)])
    known = {path.stem for folder in filter(os.path.isdir, folders) for path in Path(folder).iterdir()
             if path.suffix == '.py' or path.is_dir()}
    close = nearest(word, known, cutoff=0.6)
    return f'; did you mean {f"{package}.{close}".strip(".")!r}?' if close else '.'
