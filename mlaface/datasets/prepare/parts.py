"""Long loops of a search as parts: done here one after the other, or by nodes that are handed the arrays as files.

A part is a function of its range and of arrays; the blocks that products are computed in begin at the same rows either
way, so that every bit is the same.
"""
import contextlib
import io
import os
from importlib import import_module
from pathlib import Path

import numpy as np

from mlaface.datasets.prepare.products import BLOCK, unit
from mlaface.utils.checksums import crc32
from mlaface.utils.executors.job import Job, ranges
from mlaface.utils.files import atomic_path


class Parts:
    """All of it in this process."""

    def map(self, function, count, arrays, advance=lambda count: None, **settings):
        """Results of a function over ``range(count)``, put together.

        Args:
            function (callable): Of a module's top; called with start, stop, and by name the arrays and the settings;
                gives a tuple of arrays, of any number of rows.
            count (int): Of the items.
            arrays (dict[str, ndarray]): What it needs of data.
            advance (callable): Told how many items are done in addition.
            settings: What it needs besides, plain values.

        Returns:
            tuple[ndarray]: Those of all parts, one behind the other.
        """
        return tuple(function(0, count, advance=advance, **arrays, **settings))

    def remove(self):
        """Remove what was written for the search."""


class PiecedParts(Parts):
    """Parts that nodes do.

    Args:
        folder (str | Path): That all nodes see; it gets a folder a function.
        rows (str): What tells the embeddings from others.
        shared (ndarray): The embeddings, from ``unit_file``.
        size (int): Items of a piece; rounded up to whole blocks.
        run (callable): Has a ``Job`` done; is told what it is called.
    """

    def __init__(self, folder, rows, shared, size, run):
        self.folder, self.rows, self.shared = Path(folder).absolute(), rows, shared
        self.size, self.run_job, self.jobs = size, run, []

    def map(self, function, count, arrays, advance=lambda count: None, **settings):
        """See the base class."""
        name = f'{function.__module__}:{function.__qualname__}'
        folder = self.folder / f'{Path(self.rows).stem}-{function.__name__}'
        folder.mkdir(parents=True, exist_ok=True)
        files, sums = {}, {}
        for key, array in arrays.items():
            files[key], sums[key] = self._file(folder, key, array)
        job = Job(folder, f'{__name__}:open_part', dict(name=name, files=files, settings=settings),
                  ranges(count, self.size, BLOCK), dict(name=name, sums=sums, settings=settings))
        self.run_job(job, 'searching')
        self.jobs.append(job)  # kept until all of the command is done, so that a kill costs no more than a piece
        parts = [arrays_of(content) for content in job.contents()]
        advance(count)
        return tuple(np.concatenate(each) for each in zip(*parts)) if parts else function(0, 0, **arrays, **settings)

    def remove(self):
        """See the base class; the folder goes too, if nothing else is in it."""
        for job in self.jobs:
            job.remove()
        os.unlink(self.shared.filename)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _file(self, folder, key, array):
        """Where nodes find an array, and what tells it: embeddings are there already."""
        if array is self.shared:
            return str(array.filename), self.rows
        with atomic_path(folder / f'{key}.npy') as temporary, open(temporary, 'wb') as file:
            np.save(file, np.ascontiguousarray(array))
        return str(folder / f'{key}.npy'), [str(array.dtype), list(array.shape), crc32(np.ascontiguousarray(array))]


def open_part(name, files, settings):
    """What does a part, in the process of a node."""
    module, _, attribute = name.partition(':')
    function = getattr(import_module(module), attribute)
    arrays = {key: np.load(file, mmap_mode='c') for key, file in files.items()}

    def make(piece, file):
        np.savez(file, *function(*piece, **arrays, **settings))
    return make


def arrays_of(content):
    """The arrays (list[ndarray]) that ``np.savez`` wrote, of its bytes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return [found[name] for name in found.files]


def unit_file(rows, path):
    """Unit rows of embeddings in a file, a block at a time.

    Args:
        rows (ndarray (N, D)): As a network makes them.
        path (Path): Of the ``.npy``, by a name that no other embeddings have.

    Returns:
        ndarray: float32 (N, D), a map of the file.
    """
    if path.is_file():  # whole, and named by what it is made of
        return np.load(path, mmap_mode='c')
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        np.lib.format.write_array_header_1_0(file, dict(descr='<f4', fortran_order=False, shape=rows.shape))
        for start in range(0, len(rows), BLOCK):
            file.write(unit(rows[start:start + BLOCK]).tobytes())
    return np.load(path, mmap_mode='c')
