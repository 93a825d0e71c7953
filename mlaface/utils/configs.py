"""Configs: where they are, their text, and the values of a text that is not to be run."""
import ast
import traceback
from pathlib import Path

from mlaface.utils.errors import InputError
from mlaface.utils.imports import PluginImportError, import_fault
from mlaface.utils.literals import literal

PACKAGE = Path(__file__).resolve().parents[1]
_shown = ('', '')  # the last config by its repr, and its text


def shipped_configs():
    """The folder of the configs that come with mlaface: in an installed package within it, in a checkout beside it."""
    inside = PACKAGE / '.mim' / 'configs'
    return inside if inside.is_dir() else PACKAGE.parent / 'configs'


def find_config(path):
    """The file of a config; ``configs/NAME.py`` that is not in the working folder is the one that comes with mlaface.

    Args:
        path (str | Path): As the user wrote it.

    Returns:
        Path: A file, or ``path`` where there is none.
    """
    path = Path(path)
    if path.parts[:1] != ('configs',) or path.is_file():
        return path
    shipped = shipped_configs().joinpath(*path.parts[1:])
    return shipped if shipped.is_file() else path


def config_of_file(path):
    """The config of a file, with what it inherits, unchecked; training reads it by ``engine.config.load_config``.

    Args:
        path (str | Path): As the user wrote it; the file is run, and the plugins of its ``custom_imports`` imported.

    Returns:
        Config: The config.

    Raises:
        FileNotFoundError: If there is no such file.
        PluginImportError: If a module that it names cannot be imported.
        InputError: If it, or a file that it inherits from, fails.
    """
    from mmengine.config import Config
    path = find_config(path)
    if not path.is_file():
        raise FileNotFoundError(f'no config at {path}')
    try:
        return Config.fromfile(path, lazy_import=False)
    except ImportError as error:
        raise PluginImportError(f'{path}: {import_fault(error)}') from error
    except Exception as error:  # a config is code
        raise InputError(f'{path} cannot be read: {config_fault(error)}') from error


def config_text(config):
    """A config as Python text, formatted by MMEngine once for as long as the config stays as it is.

    Args:
        config (Config): A run's. Each checkpoint holds its text, and formatting takes longer than writing a small one.

    Returns:
        str: ``config.pretty_text``.
    """
    global _shown
    key = repr(config._cfg_dict)
    if key != _shown[0]:
        _shown = key, config.pretty_text
    return _shown[1]


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
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:  # the last two of deep nesting
        raise ValueError(f'the config inside {source} is not of plain values ({error}): give a config') from error
    return values


def config_fault(error):
    """What is to be said of an error of a config's code, in one line: its kind, its message and its place (str)."""
    message = error.args[0] if isinstance(error, KeyError) and error.args else error  # str(KeyError) is quoted
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == '<module>']
    file, line = _file_of(error), None
    if isinstance(error, SyntaxError):
        told = error.__context__ if isinstance(error.__context__, SyntaxError) else error
        message, line = told.msg, told.lineno
        file = file if told.filename in (None, '<unknown>') else told.filename
    elif lines:
        file, line = lines[-1].filename, lines[-1].lineno
    elif isinstance(error, OSError):  # says by itself of which file
        file = None
    where = f' ({file})' if line is None else f' ({file}, line {line})'
    return f'{type(error).__name__}: {" ".join(str(message).split())}{where if file else ""}'


def _file_of(error):
    """The file that MMEngine was reading (str), or None; it reads a copy, whose name is of no use to anybody."""
    read = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == '_file2dict']
    return read[-1].f_locals.get('filename') if read else None
