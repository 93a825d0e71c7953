"""Rows of embeddings in memory, whole or compressed to a quarter, and what their products tell of cosines for certain.

A row x of unit length is kept as a scale s and 8-bit integers c, and the norm of what is lost, e = |x - s c|. A probe p
is compressed likewise. Then

    x . p = s_x s_p (c_x . c_p) + (x - s_x c_x) . p + s_x c_x . (p - s_p c_p)

and the last two terms are at most e_x + (1 + e_x) e_p (Cauchy-Schwarz). The integer product is exact.
"""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.coarse import rounding_error
from mlaface.utils.packages import is_installed

LEVELS = 127
AT_ONCE = 16  # probes of one product: what a tile of Intel's AMX holds


class Probes(NamedTuple):
    """Probes as the coarse pass takes them; see ``compress``.

    Args:
        rows (ndarray float32 (Q, D)): Of unit length.
        codes (ndarray int8 (Q, D)): Compressed.
        scales (ndarray float32 (Q,)): Of the codes.
        lost (ndarray float32 (Q,)): Norm of what is lost.
    """
    rows: np.ndarray
    codes: np.ndarray
    scales: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(cls, rows):
        """Probes of rows float32 (Q, D) of unit length."""
        return cls(rows, *compress(rows))


class WholeRows:
    """Rows in float32, to which others can be added.

    Args:
        size (int): D.
        room (int): Rows that there is room for.
    """

    def __init__(self, size, room):
        self.ids, self.persons = np.empty(room, np.int64), np.empty(room, np.int64)
        self.rows, self.used = np.empty((room, size), np.float32), 0
        self.slack = np.float32(2 * rounding_error(size))

    def __len__(self):
        return self.used

    @property
    def room(self):
        """Rows that can be added (int)."""
        return len(self.ids) - self.used

    def add(self, ids, persons, rows):
        """Add rows, no more than there is room for."""
        part = slice(self.used, self.used + len(ids))
        self.ids[part], self.persons[part], self.rows[part] = ids, persons, rows
        self.used = part.stop

    def keep(self, wanted):
        """Forget all rows but those where ``wanted`` (bool (N,)) holds."""
        count = int(wanted.sum())
        for array in (self.ids, self.persons, self.rows):
            array[:count] = array[:self.used][wanted]
        self.used = count

    def nbytes(self):
        """Bytes that a search reads (int)."""
        return self.rows[:self.used].nbytes

    def errors(self, probes, number, rows):
        """Bounds on the errors of the products of a probe (int) with some rows, as float32."""
        return np.full(len(rows), self.slack)

    def write_highest(self, probes, out):
        """Write the highest that each cosine can be into ``out`` (float32 (Q, N))."""
        np.matmul(probes.rows, self.rows[:self.used].T, out=out)
        out += self.slack


class CompressedRows:
    """Rows in 8 bits and a scale, to which none can be added.

    Args:
        whole (WholeRows): What is compressed.
    """
    room = 0

    def __init__(self, whole):
        self.ids, self.persons = whole.ids[:whole.used].copy(), whole.persons[:whole.used].copy()
        self.codes, self.scales, self.lost = compress(whole.rows[:whole.used])

    def __len__(self):
        return len(self.ids)

    def keep(self, wanted):
        """As ``WholeRows.keep``."""
        for name in ('ids', 'persons', 'codes', 'scales', 'lost'):
            setattr(self, name, getattr(self, name)[wanted])

    def nbytes(self):
        """As ``WholeRows.nbytes``."""
        return self.codes.nbytes + self.scales.nbytes + self.lost.nbytes

    def errors(self, probes, number, rows):
        """As ``WholeRows.errors``."""
        return self.lost[rows] + self._of_probes(probes)[number]

    def _of_probes(self, probes):
        """(1 + e_x) e_p of each probe, with the largest e_x that there can be, and rounding (float32 (Q,))."""
        largest = np.sqrt(self.codes.shape[1]) / (2 * LEVELS)
        return (probes.lost * (1 + largest) + 4e-6).astype(np.float32)

    def write_highest(self, probes, out):
        """As ``WholeRows.write_highest``."""
        np.copyto(out, integer_products(self.codes, probes.codes), casting='unsafe')
        out *= self.scales
        out *= probes.scales[:, None]
        out += self.lost
        out += self._of_probes(probes)[:, None]


def compress(rows):
    """Rows as integers.

    Args:
        rows (ndarray float32 (N, D)): Of unit length.

    Returns:
        tuple: ``codes`` int8 (N, D), ``scales`` float32 (N,), and ``lost`` float32 (N,), a bound on
        ``|row - scale * codes|``.
    """
    scales = np.maximum(rows.max(1), -rows.min(1)) / np.float32(LEVELS)
    left = rows / scales[:, None]
    codes = np.rint(left)
    np.subtract(left, codes, out=left)
    lost = np.sqrt(np.einsum('ij,ij->i', left, left)) * scales
    return codes.astype(np.int8), scales, lost * np.float32(1.0001) + np.float32(1e-6)


def can_compress():
    """Whether the package for fast products of 8-bit integers is there (bool); numpy's are slower than float32."""
    return is_installed('numkong')


def integer_products(codes, probes):
    """Products of rows with probes, exact.

    Args:
        codes (ndarray int8 (N, D)): Rows.
        probes (ndarray int8 (Q, D)): A single one is a pass at the speed of memory; several go through tiles.

    Returns:
        ndarray int32 (Q, N).
    """
    import numkong
    if len(probes) == 1:
        return np.asarray(numkong.cdist(probes, codes, 'dot'))
    return np.asarray(numkong.dots_packed(codes, numkong.dots_pack(probes, 'int8'))).T
