"""An index in memory over the images of an engine: made of them, kept up with them, never written anywhere.

Rows lie in segments of 16,384. The last one is in float32 and takes new rows; a full one is compressed. So a small
gallery is a plain scan, and a large one reads a quarter of the bytes.
"""
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mlaface.gallery.search.rows import CompressedRows, Probes, WholeRows, can_compress

SEGMENT = 16_384


class Index:
    """Bounds of the cosines of probes with all enrolled images.

    Args:
        size (int): D of the embeddings.
        decode (callable): Makes float32 (N, D) of a list of (id, person, embedding).
        compressed (bool or None): Whether full segments are compressed; None where it is fast.
        threads (int or None): That scan segments at once; None is one a processor that this process may use.
    """

    def __init__(self, size, decode, compressed=None, threads=None):
        self.size, self.decode = size, decode
        self.compressed = can_compress() if compressed is None else compressed
        self.threads = threads or _processors()
        self.pool = ThreadPoolExecutor(self.threads, 'gallery')
        self.segments, self.last, self.removals = [], 0, None
        self._gather()

    def refresh(self, engine):
        """Take over what was added and removed since the last time, by this process or any other.

        Args:
            engine (Engine): Asked for its state, and for rows only if that has changed.
        """
        state = engine.state()
        if (state.next_image, state.removals) == (self.last + 1, self.removals):
            return
        if self.segments and state.removals != self.removals:
            self._keep(np.array(engine.ids(), np.int64))
        for block in engine.embeddings(after=self.last):
            self._add(block)
        self.last, self.removals = max(self.last, state.next_image - 1), state.removals
        self._gather()

    def _keep(self, ids):
        for segment in self.segments:
            mine = segment.ids[:len(segment)]
            wanted = np.append(ids, -1)[np.searchsorted(ids, mine)] == mine
            if not wanted.all():
                segment.keep(wanted)
        self.segments = [segment for segment in self.segments if len(segment)]

    def _add(self, block):
        rows = self.decode(block)
        ids, persons = (np.array([row[column] for row in block], np.int64) for column in (0, 1))
        self.last = max(self.last, int(ids[-1]))
        while len(ids):
            if not self.segments or not self.segments[-1].room:
                self._open_segment()
            count = min(len(ids), self.segments[-1].room)
            self.segments[-1].add(ids[:count], persons[:count], rows[:count])
            ids, persons, rows = ids[count:], persons[count:], rows[count:]

    def _open_segment(self):
        if self.segments and self.compressed:
            self.segments[-1] = CompressedRows(self.segments[-1])
        self.segments.append(WholeRows(self.size, SEGMENT))

    def _gather(self):
        """What is looked up by the place of a row among all."""
        self.starts = np.cumsum([0, *map(len, self.segments)])
        self.ids, self.persons = (
            np.concatenate([np.empty(0, np.int64), *arrays])
            for arrays in ([segment.ids[:len(segment)] for segment in self.segments],
                           [segment.persons[:len(segment)] for segment in self.segments]))
        self._whose = None

    def __len__(self):
        return len(self.ids)

    def whose(self):
        """The place of each image's person among all people (int64 (N,)), and how many images each has (P,)."""
        if self._whose is None:
            _, places = np.unique(self.persons, return_inverse=True)
            self._whose = places, np.bincount(places)
        return self._whose

    def nbytes(self):
        """Bytes that a search reads (int)."""
        return sum(segment.nbytes() for segment in self.segments)

    def bounds(self, probes):
        """Compare probes with all images.

        Args:
            probes (ndarray float32 (Q, D)): Of unit length, 16 at most are fast.

        Returns:
            Bounds: Of their cosines.
        """
        probes = Probes.of(probes)
        highest = np.empty((len(probes.rows), len(self)), np.float32)
        parts = list(zip(self.segments, self.starts[:-1], self.starts[1:]))

        def write(first):
            for segment, start, stop in parts[first::self.threads]:
                segment.write_highest(probes, highest[:, start:stop])
        list(self.pool.map(write, range(self.threads)))
        return Bounds(self, probes, highest)

    def close(self):
        """End the threads."""
        self.pool.shutdown()


class Bounds:
    """What the cosines of probes and images can be.

    Args:
        index (Index): The images.
        probes (Probes): The probes.
        highest (ndarray float32 (Q, N)): No cosine is higher.
    """

    def __init__(self, index, probes, highest):
        self.index, self.probes, self.highest = index, probes, highest

    def lowest(self, number, places):
        """What the cosines of a probe with some images are at least.

        Args:
            number (int): Which probe.
            places (ndarray (M,)): Of the images in the index.

        Returns:
            ndarray float32 (M,).
        """
        errors = np.empty(len(places), np.float32)
        which = np.searchsorted(self.index.starts, places, side='right') - 1
        for segment in np.unique(which):
            mine = which == segment
            rows = places[mine] - self.index.starts[segment]
            errors[mine] = self.index.segments[segment].errors(self.probes, number, rows)
        return self.highest[number, places] - 2 * errors


def _processors():
    """How many this process may use (int)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
