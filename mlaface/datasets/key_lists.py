"""Lists of images to leave out: text, one key a line, as ``dedupe``, ``leak`` and ``clean`` write and training takes.

A line that begins with ``#`` is a remark, and so is what stands behind a tab. Names of files may hold anything: a
backslash, a tab and ends of lines are written ``\\\\``, ``\\t``, ``\\n`` and ``\\r``, and ``#`` at the begin ``\\#``.

Numbers of records and rows are in every set: a list of them has a remark ``# set: 5822653 images, 3f2a9c1b, PATH``, of
the set that it was made for, and is refused for another one. A list without is taken for whatever it is given to.
"""
import re
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.stores.address import is_address
from mlaface.datasets.stores.files import read_file
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path, sweep

SPELLED = {'\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r'}
STAMP = re.compile(r'^# set: ([0-9]+ images, [0-9a-f]{8}), (.*)$', re.MULTILINE)
MEANT = {'\\': '\\', 't': '\t', 'n': '\n', 'r': '\r', '#': '#'}


def spell(key):
    """A key (str) as it stands in a list."""
    text = re.sub(r'[\\\t\n\r]', lambda found: SPELLED[found[0]], key)
    return f'\\{text}' if text.startswith('#') else text


def stamped(remark, path, dataset):
    """The first lines (str) of a list of a set's images: a remark, and of keys that are numbers whose they are.

    Args:
        remark (str): What the list is.
        path (str): Where the set lies.
        dataset (FaceDataset): The set.
    """
    stamp = dataset.stamp()
    return f'{remark}\nset: {stamp}, {" ".join(str(path).split())}' if stamp else remark


def remarks(text):
    """Lines (str) as they stand in a list before its keys."""
    return ''.join(f'# {line}\n' for line in text.splitlines())


def write_keys(path, keys, remark=None):
    """Write a list; it appears whole or not at all.

    Args:
        path (str | Path): The file.
        keys (Iterable[str | tuple[str, str]]): Keys as ``dataset.key(index)`` gives them, alone or with a remark.
        remark (str, optional): First lines.
    """
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='utf-8', newline='\n') as file:
        file.write(remarks(remark or ''))
        for entry in keys:
            key, why = (entry, '') if isinstance(entry, str) else entry
            file.write(spell(key) + (f'\t# {" ".join(why.split())}' if why else '') + '\n')
    sweep(Path(path).parent, Path(path).name)


def read_keys(path):
    """Read a list.

    Args:
        path (str | Path | StoreAddress): The file.

    Returns:
        list[str]: Its keys in order, each once.

    Raises:
        FileNotFoundError: If it is not there.
        FormatError: If it is not UTF-8.
        StoreError: If a store fails.
    """
    return _keys(_text(path))


def _text(path):
    try:
        return read_file(path).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise FormatError(f'{path} is not UTF-8: {error}. Write one key a line in UTF-8') from error


def _keys(text):
    lines = (line.partition('\t')[0] for line in re.split('\r\n|\r|\n', text) if not line.startswith('#'))
    return list(dict.fromkeys(re.sub(r'\\([\\tnr#])', lambda found: MEANT[found[1]], line) for line in lines if line))


def kept_places(exclude, find, total, where, stamp=lambda: '', passed_over=()):
    """Places of a set that lists do not leave out.

    Args:
        exclude (str | Path | dict | Sequence): A list, or several; relative to ``MLAFACE_DATA`` (default ``data``), or
            addresses in stores; as a dict with what ``stores/address.py: StoreSettings`` takes.
        find (callable): Keys (list[str]) to bool (total,): which places have one of them.
        total (int): Images of the set.
        where (str): The set, for messages.
        stamp (callable): Gives what ``FaceDataset.stamp`` does.
        passed_over (Iterable[str]): Keys of the set's files that have no place, of which a list may tell as well.

    Returns:
        ndarray: Places, int64, ascending.

    Raises:
        MissingDataError: If a list is not there.
        InputError: If a list is another set's, as it says or as no key of it is in this one, or nothing is left.
        StoreError: If a store fails.
    """
    out, passed_over = np.zeros(total, bool), set(passed_over)
    for file in [exclude] if isinstance(exclude, (str, Path)) or is_address(exclude) else exclude:
        path = resolve_data(file)
        try:
            text = _text(path)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise MissingDataError(missing_message(path, 'list of images to leave out')) from None
        keys, stamps = _keys(text), [*STAMP.finditer(text)]  # of lists that were joined, several
        own = stamp() if keys and stamps else ''
        made = next((made for made in stamps if own and made[1] != own), None)
        if made:
            raise InputError(f'{path} is a list of {made[2].strip()} ({made[1]}), and {where} is another set ({own}), '
                             'in which its numbers are other images: have it made for this one')
        found = find(keys)
        count = int(found.sum()) + len(passed_over.intersection(keys))
        if keys and not count:
            raise InputError(f'{path}: none of its {len(keys)} keys, such as {keys[0]!r}, is in {where}: it is the '
                             'list of another set, or of this set in another layout')
        if count < len(keys):
            warnings.warn(f'{path}: {len(keys) - count} of its {len(keys)} keys are not in {where}', stacklevel=4)
        out |= found
    if out.all():
        raise InputError(f'{where}: its lists leave out all {total} images')
    return np.flatnonzero(~out)
