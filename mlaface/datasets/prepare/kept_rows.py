"""Rows that are made once: one an image, kept in a file, continued after a kill where they stopped.

Measures and embeddings of a large set take hours. They are kept under the cache, in files that are bound to the set and
to what made them; a file can be deleted at any time.
"""
import hashlib
import os
from pathlib import Path

import numpy as np
from filelock import FileLock

from mlaface.datasets.location import absolute
from mlaface.datasets.stores.address import is_address
from mlaface.utils.cache import cache_folder
from mlaface.utils.files import write_at

CHUNK = 256  # rows that are written and marked as done together


def set_hash(path, dataset):
    """What tells a set from every other, without reading its images.

    Args:
        path (str | Path): The set: a file, or a folder of which files and folders of files are looked at.
        dataset (FaceDataset): What was opened there.

    Returns:
        str: SHA-256 over names, sizes and times of change of its files, or what a store says of their versions, and
        over labels, as hexadecimal digits.
    """
    found = hashlib.sha256()
    if is_address(path):
        found.update(f'{path} {dataset.version}\n'.encode())
    else:
        _hash_files(Path(getattr(dataset, 'root', path)), found)
        for file in getattr(getattr(dataset, 'archive', None), 'listed', list)():
            _hash_file(file, file, found)
    found.update(f'{len(dataset)}\n'.encode())
    labels = getattr(dataset, 'labels', None)
    if labels is not None:
        found.update(np.ascontiguousarray(labels).tobytes())
    return found.hexdigest()


def files_hash(files):
    """SHA-256 (str) over absolute paths, sizes and times of change of files (iterable of Path)."""
    found = hashlib.sha256()
    for file in files:
        _hash_file(file, absolute(file), found)
    return found.hexdigest()


def _hash_files(path, found):
    for file in [path, path.with_suffix('.idx')] if path.is_file() else _files(path):
        _hash_file(file, file.relative_to(path.parent), found)


def _hash_file(file, name, found):
    if file.is_file():
        stat = file.stat()
        found.update(f'{os.fsencode(name)!r} {stat.st_size} {stat.st_mtime_ns}\n'.encode())


def _files(folder):
    """Files of a folder and of the folders in it, in order of their names; deeper ones are no part of a set."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from (Path(file.path) for file in sorted(os.scandir(entry.path), key=lambda file: file.name)
                        if not file.is_dir())
        else:
            yield Path(entry.path)


class KeptRows:
    """An array on disk of which parts are there, others not yet.

    A chunk is written, then marked in ``NAME.done``: whenever the process ends, marked chunks are whole.

    Args:
        name (str): Of the file, without folder.
        dtype (dtype): Of the array.
        shape (tuple[int]): Of the whole array; rows are its first axis.
        folder (str | Path, optional): Default: ``sets`` of the cache.

    Raises:
        OSError: If the disk takes no more.
    """

    def __init__(self, name, dtype, shape, folder=None):
        self.path = Path(folder or cache_folder('sets'), name)
        self.dtype, self.shape = np.dtype(dtype), tuple(map(int, shape))
        self.row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        self.chunks = -(-self.shape[0] // CHUNK)
        self.marks = self.path.with_suffix('.done')

    def lock(self):
        """Held while rows are made, so that a second process waits and finds them (context manager)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f'{self.path}.lock')

    def missing(self):
        """Rows that are not there yet.

        Returns:
            list[range]: A range a chunk, rising.
        """
        done = self.marks.read_bytes() if self.marks.is_file() and self.path.is_file() else b''
        there = os.stat(self.path).st_size // max(self.row_bytes, 1) if done else 0  # of a file that was cut off, less
        chunks = [range(start, min(start + CHUNK, self.shape[0])) for start in range(0, self.shape[0], CHUNK)]
        return [chunk for number, chunk in enumerate(chunks) if done[number:number + 1] != b'\x01' or
                chunk.stop > there]

    def write(self, start, rows):
        """Put a chunk in its place and mark it.

        Args:
            start (int): Its first row, a multiple of ``CHUNK``.
            rows (ndarray): The rows, of the array's type.
        """
        data = np.ascontiguousarray(rows, self.dtype).tobytes()
        write_at(self.path, start * self.row_bytes, data)
        write_at(self.marks, start // CHUNK, b'\x01')

    def rows(self):
        """The whole array, read-only, as a map of its file."""
        if not self.shape[0]:
            return np.zeros(self.shape, self.dtype)
        return np.memmap(self.path, self.dtype, 'r', shape=self.shape)


def fill(kept, make, advance=lambda count: None):
    """Make the rows that are missing.

    Args:
        kept (KeptRows): Where they are kept.
        make (callable): Given ranges (list[range]), yields for each its rows, in order; it may work ahead.
        advance (callable): Told how many rows are there in addition, those of earlier calls first.

    Returns:
        ndarray: All rows, read-only.
    """
    with kept.lock():
        missing = kept.missing()
        advance(kept.shape[0] - sum(map(len, missing)))
        for part, rows in zip(missing, make(missing)):
            kept.write(part.start, rows)
            advance(len(part))
    return kept.rows()


def fill_from(kept, job):
    """Make the rows that are missing of a job's pieces.

    Args:
        kept (KeptRows): Where they are kept.
        job (Job): Whose pieces, all done, are the array's bytes; each ends at a chunk's end.

    Returns:
        ndarray: All rows, read-only.
    """
    def make(parts):
        number, rows = -1, None
        for part in parts:
            while number < 0 or job.pieces[number][1] <= part.start:
                number, rows = number + 1, None
            if rows is None:
                rows = np.frombuffer(job.content(number), kept.dtype).reshape(-1, *kept.shape[1:])
            start = job.pieces[number][0]
            yield rows[part.start - start:part.stop - start]
    return fill(kept, make)
