"""Exact 1:N comparison in blocks: whole score matrices are made block by block and never kept.

A float32 matrix product (``coarse``) finds which scores are certain to lie above or below a threshold; the few within
its rounding error are computed again in float64, pair by pair. So ranks and scores are exact, and the same for any
block size and any device.
"""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.checks import check_gallery
from mlaface.evaluation.functional.coarse import CoarseProbes
from mlaface.evaluation.functional.rows import cosines, unit_blocks, unit_rows

DISTRACTOR = -1


class Scan(NamedTuple):
    """What a pass over a gallery leaves of it.

    Args:
        above (ndarray (P, M)): int64; gallery entries of other subjects that score at least each threshold.
        best_other (ndarray (P,)): Highest score of an entry of another subject; -inf if there is none.
    """
    above: np.ndarray
    best_other: np.ndarray


def encode(probe_subjects, gallery_subjects):
    """Subjects of both lists as numbers, equal where the subjects are.

    Args:
        probe_subjects (array (P,)): Integers or strings.
        gallery_subjects (array (N,)): Of the same kind.

    Returns:
        tuple[ndarray, ndarray]: int64 (P,) and (N,).
    """
    probe_subjects, gallery_subjects = np.asarray(probe_subjects), np.asarray(gallery_subjects)
    if (probe_subjects.dtype.kind in 'US') != (gallery_subjects.dtype.kind in 'US'):
        raise ValueError(f'subjects of probes are {probe_subjects.dtype}, those of the gallery '
                         f'{gallery_subjects.dtype}: they can never be equal')
    codes = np.unique(np.concatenate([probe_subjects, gallery_subjects]), return_inverse=True)[1].ravel()
    return codes[:len(probe_subjects)], codes[len(probe_subjects):]


def mate_table(probe_codes, gallery_codes):
    """Where each probe's mates (entries of its own subject) are in the gallery.

    Args:
        probe_codes (ndarray (P,)): Subjects as numbers.
        gallery_codes (ndarray (N,)): Subjects as numbers.

    Returns:
        ndarray (P, M): Gallery rows, rising; -1 where a probe has fewer than M mates. M is at least 1.
    """
    order = np.argsort(gallery_codes, kind='stable')
    sorted_codes = gallery_codes[order]
    starts = np.searchsorted(sorted_codes, probe_codes, side='left')
    counts = np.searchsorted(sorted_codes, probe_codes, side='right') - starts
    slots = np.arange(max(1, counts.max(initial=0)))
    places = np.minimum(starts[:, None] + slots, len(order) - 1)
    return np.where(slots < counts[:, None], order[places], -1)


def mate_scores(probes, gallery, mates, names=None):
    """Cosines of probes and their mates.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        gallery (array (N, D)): As the network makes them.
        mates (ndarray (P, M)): From ``mate_table``.
        names (sequence of str (N,) or None): Names of gallery entries, for messages.

    Returns:
        ndarray (P, M): float64; +inf where there is no mate, so that nothing scores above it.
    """
    scores = np.full(mates.shape, np.inf)
    rows, slots = np.nonzero(mates >= 0)
    wanted = mates[rows, slots]
    for start in range(0, len(rows), 1 << 14):
        part = slice(start, start + (1 << 14))
        entries, places = np.unique(wanted[part], return_inverse=True)
        unit = unit_rows(gallery[entries], names, entries, 'gallery entry')
        scores[rows[part], slots[part]] = cosines(probes, rows[part], unit, places.ravel())
    return scores


def scan_gallery(probes, thresholds, gallery, mates, block=None, names=None, arrays=HOST):
    """Count, for each probe, the gallery entries of other subjects that reach its thresholds; find the best of them.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        thresholds (ndarray (P, M)): Scores to reach; +inf for none.
        gallery (array (N, D)): As the network makes them, any float type; a memory map, or anything whose slices are
            arrays.
        mates (ndarray (P, M)): The probe's own subject's rows, -1 for none; they are left out.
        block (int or None): Rows of gallery and of probes in one matrix product; None is what suits ``arrays``.
        names (sequence of str (N,) or None): Names of gallery entries, for messages.
        arrays (HostArrays): Where products are computed.

    Returns:
        Scan: Exact counts and scores; the same for any block and any ``arrays``.

    Raises:
        ValueError: If an entry is not finite or zero, or of another dimension than the probes.
    """
    gallery = check_gallery(gallery, probes.shape[1])
    block = block or arrays.block
    scan = Scan(np.zeros(thresholds.shape, np.int64), np.full(len(probes), -np.inf))
    coarse = CoarseProbes(probes, thresholds, arrays)
    own = _Own(mates)
    for start, unit in unit_blocks(gallery, block, names, 'gallery entry'):
        entries = arrays.load(unit.astype(np.float32))
        own_rows, own_columns = own.within(start, start + len(unit))
        for first in range(0, len(probes), block):
            part = slice(first, min(first + block, len(probes)))
            mine = slice(*np.searchsorted(own_rows, (part.start, part.stop)))
            close = coarse.compare(part, entries, (own_rows[mine] - first, own_columns[mine]), scan.best_other[part])
            _settle(scan, part, close, probes[part], thresholds[part], unit)
    return scan


class _Own:
    """The places of mates in the score matrix, by column.

    Args:
        mates (ndarray (P, M)): Gallery rows, -1 for none.
    """

    def __init__(self, mates):
        rows, slots = np.nonzero(mates >= 0)
        columns = mates[rows, slots]
        order = np.argsort(columns, kind='stable')
        self.rows, self.columns = rows[order], columns[order]

    def within(self, start, stop):
        """Rows, rising, and columns counted from ``start`` of the mates among some columns."""
        part = slice(*np.searchsorted(self.columns, (start, stop)))
        order = np.argsort(self.rows[part], kind='stable')
        return self.rows[part][order], self.columns[part][order] - start


def _settle(scan, part, close, probes, thresholds, unit):
    """Add what a product found in one block of probes and entries; what it left open is computed exactly."""
    rows, slots, columns = close.doubtful
    reached = cosines(probes, rows, unit, columns) >= thresholds[rows, slots]
    scan.above[part] += close.above
    np.add.at(scan.above[part], (rows[reached], slots[reached]), 1)
    rows, columns = close.near
    np.maximum.at(scan.best_other[part], rows, cosines(probes, rows, unit, columns))
