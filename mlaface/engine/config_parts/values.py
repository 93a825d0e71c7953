"""Values as people type them on a command line: Python's literals, and what a shell leaves of them."""
import re

from mlaface.utils.literals import read_literal

QUOTED = re.compile(r"""(?<![^\s,(\[{=:])(['"])(?:\\.|(?!\1).)*\1""", re.DOTALL)  # a quote within a word opens nothing
BRACKETS = {'(': ')', '[': ']', '{': '}'}
PLAIN = (str, int, float, bool, type(None), list, tuple, dict)


def read_value(text):
    """The value of a text.

    ``0.1``, ``true``, ``None``, ``'text'``, ``[1, 2]``, ``(1, 2)``, ``dict(type='SGD', lr=0.1)``, ``{'type': 'SGD'}``
    are what they are in Python; ``1,2`` is the list ``[1, 2]``; words need no quotes, in lists neither; all else is
    text.

    Args:
        text (str): As it was typed.

    Returns:
        object: The value.

    Raises:
        ValueError: If a bracket or quotation mark is not closed, or a dict is not as Python writes it.
    """
    text = text.strip()
    parts = _split(text)
    if len(parts) > 1:
        return [read_value(part) for part in (parts if parts[-1].strip() else parts[:-1])]
    try:
        value = read_literal(text)
    except (SyntaxError, ValueError):
        return _read_loose(text)
    return value if isinstance(value, PLAIN) else text


def _split(text):
    """The parts of a text between commas in no brackets and no quotes; one part if a bracket is not closed."""
    parts, start, open_brackets = [], 0, []
    for place, letter in enumerate(QUOTED.sub(lambda found: '_' * len(found[0]), text)):
        if letter in BRACKETS:
            open_brackets.append(BRACKETS[letter])
        elif open_brackets and letter == open_brackets[-1]:
            open_brackets.pop()
        elif letter == ',' and not open_brackets:
            parts.append(text[start:place])
            start = place + 1
    return [text] if open_brackets else [*parts, text[start:]]


def _read_loose(text):
    """The value of a text that is no Python: a list of words, a number or truth value as others spell it, a word."""
    first, last = text[:1], text[-1:]
    if first and first in '"\'':
        raise ValueError(f'{text} has a quotation mark that is not closed')
    if first in BRACKETS and last != BRACKETS[first]:
        raise ValueError(f'{text} has a bracket that is not closed')
    if first == '{' or text.startswith('dict('):
        raise ValueError(f'{text} is no dict as Python writes it, with quotes around words')
    if first in ('[', '('):
        entries = [read_value(part) for part in _split(text[1:-1]) if part.strip()]
        return tuple(entries) if first == '(' else entries
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
