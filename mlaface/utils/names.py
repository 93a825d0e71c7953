"""Names that stand where not every name can: on a line, as a file. Each comes back as it was.

What a place cannot hold is written as in addresses, ``%`` and two hexadecimal digits (RFC 3986).
"""
import re
from pathlib import Path
from urllib.parse import unquote

from mlaface.utils.errors import InputError

ESCAPED = re.compile(r'%[0-9A-Fa-f]{2}')
PLAIN = re.compile(r'[\w-][\w -]*', re.ASCII)  # as nearly always: nothing to write otherwise


def escape(text, pattern):
    """A text with what a pattern finds written otherwise, and what looks as if it were; ``plain_name`` reads it."""
    if PLAIN.fullmatch(text):
        return text
    known = ESCAPED.sub(lambda found: '%25' + found[0][1:], text)
    return re.sub(pattern, lambda found: ''.join(f'%{byte:02X}' for byte in found[0].encode()), known)


def plain_name(name):
    """What ``escape`` was given (str)."""
    return unquote(name).strip('\0') if '%' in name else name


def name_lines(names):
    """Names (Iterable[str]) as a text, each on a line; ``read_names`` is the way back."""
    return ''.join(escape(str(name), r'[\r\n]') + '\n' for name in names)


def read_names(path):
    """The names (tuple[str]) of a file as ``name_lines`` makes its text.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is not UTF-8; names the file.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise InputError(f'{path} is not UTF-8: {error}. Write one name a line in UTF-8') from error
    return tuple(map(plain_name, text.removesuffix('\n').split('\n'))) if text else ()
