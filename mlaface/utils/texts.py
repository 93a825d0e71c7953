"""Texts that others wrote: files and JSON, where what cannot be read is named; and names that a line is to show."""
import json
import unicodedata
from pathlib import Path

from mlaface.utils.errors import InputError


def read_text(path):
    """A text file's content, UTF-8 with or without a byte order mark.

    Args:
        path (str | Path): The file.

    Returns:
        str: Its text.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is no such text; names the file.
    """
    try:
        return Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is no UTF-8 text ({error}): is it the list itself, and not an archive?') from error


def parse_json(text, source):
    """The value of a JSON text.

    Args:
        text (str | bytes): JSON.
        source (str | Path): Where it comes from, for the message.

    Returns:
        object: Plain values.

    Raises:
        InputError: If it is none; names the source.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # the second of brackets in brackets in brackets ...
        raise InputError(f'{source} is not JSON ({error})') from error


def read_json(path):
    """The value of a JSON file; see ``parse_json``."""
    return parse_json(read_text(path), path)


def is_control(character):
    """Whether a character (str) moves on a terminal, ends a line, or is a byte that is no UTF-8 (bool)."""
    return unicodedata.category(character) in ('Cc', 'Cs', 'Zl', 'Zp')


def one_line(text):
    """A text (str) as a terminal may show it on a line: names of files may hold anything, ``\\n`` and ``\\x1b`` too."""
    return ''.join(repr(character)[1:-1] if is_control(character) else character for character in text)
