"""What float32 products tell of cosines for certain, and which of them are too close to tell."""
from typing import NamedTuple

import numpy as np


class Close(NamedTuple):
    """What the products of one block of probes and one of entries tell, all on the host.

    Args:
        above (ndarray (P, M)): int64; entries that certainly reach each threshold.
        doubtful (tuple of ndarray): Rows, thresholds' columns and entries whose scores may reach it.
        near (tuple of ndarray): Rows and entries among which is the row's highest score, if it may exceed the best one
            so far.
    """
    above: np.ndarray
    doubtful: tuple
    near: tuple


class CoarseProbes:
    """Probes in float32, where the products are computed, with the scores that they have to reach.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        thresholds (ndarray (P, M)): Scores to reach; +inf for none.
        arrays (HostArrays): Where products are computed.
    """

    def __init__(self, probes, thresholds, arrays):
        self.arrays = arrays
        self.error = rounding_error(probes.shape[1])
        self.probes = arrays.load(probes.astype(np.float32))
        self.possible = arrays.load(float32_below(thresholds - self.error))
        self.certain = arrays.load(float32_above(thresholds + self.error))

    def compare(self, part, entries, own, best):
        """Compare some probes with one block of entries.

        Args:
            part (slice): Which probes.
            entries (array (B, D)): float32, unit rows, where the products are computed.
            own (tuple of ndarray): Rows, counted from the part's first, and columns that are left out.
            best (ndarray (P,)): Highest score of each probe so far.

        Returns:
            Close: See there.
        """
        arrays = self.arrays
        scores = arrays.multiply(self.probes[part], entries)
        scores[arrays.load(own[0]), arrays.load(own[1])] = -np.inf
        highest = arrays.largest(scores)
        above, rows, columns = zip(*(
            self._count(scores, highest, self.possible[part, slot], self.certain[part, slot])
            for slot in range(self.possible.shape[1])))
        slots = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
        return Close(np.stack(above, axis=1), (np.concatenate(rows), slots, np.concatenate(columns)),
                     self._near(scores, highest, best))

    def _count(self, scores, highest, possible, certain):
        """How many scores of each row certainly reach its threshold (P,), and rows and columns of those that may."""
        arrays = self.arrays
        above = np.zeros(len(scores), np.int64)
        rows, = arrays.nonzero(highest >= possible)
        some, possible, certain = scores[rows], possible[rows][:, None], certain[rows][:, None]
        sure, maybe = (some >= certain), (some >= possible)
        doubtful, columns = arrays.nonzero(sure != maybe)
        above[arrays.host(rows)] = arrays.host(sure.sum(1))
        return above, arrays.host(rows[doubtful]), arrays.host(columns)

    def _near(self, scores, highest, best):
        """Places of the scores that may be a row's highest, of rows in which it may exceed the best so far."""
        arrays = self.arrays
        least = arrays.load(float32_below(best - self.error))
        rows, = arrays.nonzero((highest >= least) & (highest > -np.inf))
        near, columns = arrays.nonzero(scores[rows] >= (highest[rows] - 3 * self.error)[:, None])
        return arrays.host(rows[near]), arrays.host(columns)


def rounding_error(dimension):
    """Bound on the error of a float32 dot product of unit vectors, their own rounding included.

    The sum's bound is (D + 2) u for any order of additions (Higham 2002, section 3.1); some slack is added.
    """
    return (dimension + 8) * 2.0 ** -24 * 1.01


def float32_below(values):
    """float32 numbers that do not exceed float64 ones, so that comparing in float32 is safe."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


def float32_above(values):
    """float32 numbers that are not below float64 ones."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))
