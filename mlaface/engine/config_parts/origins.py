"""Which file of a config states a key: the config itself, one that it inherits from, or the command line."""
import ast
import os.path
import re
from pathlib import Path
from typing import NamedTuple

from mlaface.registry import nearest


class Origin(NamedTuple):
    """Where a key is stated; ``depth`` is 0 for the command line, 1 for the config, 2 for what it inherits from, ..."""

    file: str
    line: int | None
    depth: int

    def __str__(self):
        return self.file if self.line is None else f'{self.file}, line {self.line}'


def dotted(where, *more):
    """A place as the command line takes it: ``a.b[0]`` is ``a.b.0``."""
    return '.'.join([*re.findall(r'[^.\[\]]+', where), *more])


class Origins:
    """Finds where the keys of a config are stated, by its text: files are parsed when first asked, and not run.

    Args:
        path (str | Path): The config's file; as text, this object is its name.
        options (Sequence[tuple[str]]): The keys that the command line states, each as the keys on the way to it.
    """

    def __init__(self, path, options=()):
        self.path, self.options = str(path), list(options)
        self._files = None

    def __str__(self):
        return self.path

    def of(self, where, *more):
        """Where a key is stated.

        Args:
            where (str): The way to it: ``train_dataloader.dataset.transforms[0]``.
            *more (str): Keys below that.

        Returns:
            Origin or None: None where no text states it, but code that is run.
        """
        keys = tuple(dotted(where, *more).split('.'))
        if any(keys[:len(option)] == option for option in self.options):
            return Origin('--cfg-options', None, 0)
        if self._files is None:
            self._files = list(_family(self.path))
        for depth, file, names in self._files:
            line = _line_of(names.get(keys[0]), keys[1:], names)
            if line is not None:
                return Origin(file, line, depth)
        above = any(option[:len(keys)] == keys for option in self.options)
        return Origin('--cfg-options', None, 0) if above else None

    def elsewhere(self, where, *more):
        """`` (FILE)`` for a key that is stated outside the config's own file, else ``''``; see ``of``."""
        origin = self.of(where, *more)
        return '' if origin is None or origin.depth == 1 else f' ({origin})'


def _family(path, depth=1):
    """Depth, name and top-level names of a config and of all that it inherits from, the nearest first."""
    try:
        body = ast.parse(Path(path).read_text(encoding='utf-8')).body
    except (OSError, SyntaxError, ValueError):
        return
    names = {statement.targets[0].id: statement.value for statement in body
             if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)}
    yield depth, path, names
    for base in _bases(names.get('_base_')):
        yield from _family(os.path.normpath(os.path.join(os.path.dirname(path), base)), depth + 1)


def missing_base(path):
    """The first file that a config or one of its bases names in ``_base_`` and that is not there, for the message.

    Args:
        path (str | Path): The config.

    Returns:
        str or None: Who names it, and the nearest that is there.
    """
    for _, file, names in list(_family(str(path))):
        for base in _bases(names.get('_base_')):
            wanted = Path(os.path.normpath(os.path.join(os.path.dirname(file), base)))
            if '::' not in base and not wanted.is_file():
                close = nearest(wanted.name, [found.name for found in wanted.parent.glob('*.py')])
                return f'{file}: _base_ names {wanted}, which is not there' + (
                    f'; did you mean {wanted.with_name(close)}?' if close else '')
    return None


def _bases(node):
    try:
        bases = ast.literal_eval(node)
    except (ValueError, TypeError):
        return []
    return [bases] if isinstance(bases, str) else bases


def _line_of(node, keys, names):
    """The line of a file that states what lies below a syntax node at ``keys``, or None."""
    node, names = _resolved(node, names)
    if node is None or not keys:
        return getattr(node, 'lineno', None)
    entries = _entries(node, names)
    if entries is None:  # code makes the value: what is in it comes from this file
        return node.lineno
    return _line_of(entries.get(keys[0]), keys[1:], names)


def _resolved(node, names):
    """What a name stands for, and the names without it: one may be stated anew by its own former value."""
    while isinstance(node, ast.Name) and node.id in names:
        node, names = names[node.id], {name: value for name, value in names.items() if name != node.id}
    return node, names


def _entries(node, names):
    """The syntax nodes below one, by key; None where it is no dict, list or tuple."""
    node, names = _resolved(node, names)
    if isinstance(node, (ast.List, ast.Tuple)):
        return {str(number): entry for number, entry in enumerate(node.elts)}
    if isinstance(node, ast.Dict):
        pairs = [(getattr(key, 'value', None), value) for key, value in zip(node.keys, node.values)]
    elif isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict' and not node.args:
        pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
    else:
        return None
    found = {}
    for key, value in pairs:
        found.update({key: value} if key is not None else _entries(value, names) or {})
    return found
