"""Exact 1:N comparison in blocks: whole score matrices are made block by block and never kept.

A float32 matrix product finds which scores are certain to lie above or below a threshold; the few within its rounding
error are computed again in float64, pair by pair. So ranks and scores are exact, and the same for any block size.
"""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.checks import check_gallery
from mlaface.evaluation.functional.rows import cosines, unit_rows

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


def mate_scores(probes, gallery, mates):
    """Cosines of probes and their mates.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        gallery (array (N, D)): As the network makes them.
        mates (ndarray (P, M)): From ``mate_table``.

    Returns:
        ndarray (P, M): float64; +inf where there is no mate, so that nothing scores above it.
    """
    scores = np.full(mates.shape, np.inf)
    rows, slots = np.nonzero(mates >= 0)
    wanted = mates[rows, slots]
    for start in range(0, len(rows), 1 << 14):
        part = slice(start, start + (1 << 14))
        entries, places = np.unique(wanted[part], return_inverse=True)
        scores[rows[part], slots[part]] = cosines(probes, rows[part], unit_rows(gallery[entries], what='gallery entry'),
                                                  places.ravel())
    return scores


def scan_gallery(probes, thresholds, gallery, mates, block=4096, names=None):
    """Count, for each probe, the gallery entries of other subjects that reach its thresholds; find the best of them.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        thresholds (ndarray (P, M)): Scores to reach; +inf for none.
        gallery (array (N, D)): As the network makes them, any float type; a memory map, or anything whose slices are
            arrays.
        mates (ndarray (P, M)): The probe's own subject's rows, -1 for none; they are left out.
        block (int): Rows of gallery and of probes in one matrix product.
        names (sequence of str (N,) or None): Names of gallery entries, for messages.

    Returns:
        Scan: Exact counts and scores.

    Raises:
        ValueError: If an entry is not finite or zero, or of another dimension than the probes.
    """
    gallery = check_gallery(gallery, probes.shape[1])
    scan = Scan(np.zeros(thresholds.shape, np.int64), np.full(len(probes), -np.inf))
    coarse = probes.astype(np.float32)
    rows, slots = np.nonzero(mates >= 0)
    columns = mates[rows, slots]
    by_column = np.argsort(columns, kind='stable')
    rows, columns = rows[by_column], columns[by_column]
    for start in range(0, len(gallery), block):
        unit = unit_rows(gallery[start:start + block], names, start, 'gallery entry')
        own = slice(*np.searchsorted(columns, (start, start + len(unit))))
        _scan_block(scan, probes, coarse, thresholds, unit, (rows[own], columns[own] - start), block)
    return scan


def _scan_block(scan, probes, coarse, thresholds, unit, own, block):
    """Add one block of gallery entries to the scan, for all probes."""
    small = np.ascontiguousarray(unit.astype(np.float32).T)
    by_row = np.argsort(own[0], kind='stable')
    own_rows, own_columns = own[0][by_row], own[1][by_row]
    for start in range(0, len(probes), block):
        part = slice(start, start + block)
        scores = coarse[part] @ small
        mine = slice(*np.searchsorted(own_rows, (start, start + len(scores))))
        scores[own_rows[mine] - start, own_columns[mine]] = -np.inf
        highest = scores.max(axis=1)
        for slot in range(thresholds.shape[1]):
            rows = np.flatnonzero(highest >= thresholds[part, slot] - rounding_error(unit.shape[1]))
            if len(rows):
                scan.above[start + rows, slot] += _count_above(scores[rows], thresholds[start + rows, slot],
                                                               probes[start + rows], unit)
        scan.best_other[part] = _best(scores, highest, scan.best_other[part], probes[part], unit)


def rounding_error(dimension):
    """Bound on the error of a float32 dot product of unit vectors, their own rounding included.

    The sum's bound is (D + 2) u for any order of additions (Higham 2002, section 3.1); some slack is added.
    """
    return (dimension + 8) * 2.0 ** -24 * 1.01


def _count_above(scores, thresholds, probes, unit):
    """Scores of each row that reach its threshold, the doubtful ones computed again, (P,)."""
    error = rounding_error(unit.shape[1])
    low, high = thresholds - error, thresholds + error
    sure = (scores >= _float32_above(high)[:, None]).sum(axis=1)
    possible = (scores >= _float32_below(low)[:, None]).sum(axis=1)
    doubtful = np.flatnonzero(sure != possible)
    if len(doubtful):
        some = scores[doubtful]
        rows, columns = np.nonzero((some >= _float32_below(low)[doubtful, None])
                                   & (some < _float32_above(high)[doubtful, None]))
        rows = doubtful[rows]
        reached = cosines(probes, rows, unit, columns) >= thresholds[rows]
        sure += np.bincount(rows[reached], minlength=len(sure))
    return sure


def _best(scores, highest, best, probes, unit):
    """The larger of ``best`` and each row's highest score, exact, (P,)."""
    error = rounding_error(unit.shape[1])
    rows = np.flatnonzero(highest + error >= best)
    rows = rows[np.isfinite(highest[rows])]
    near, columns = np.nonzero(scores[rows] >= _float32_below(highest[rows] - 2 * error)[:, None])
    best = best.copy()
    np.maximum.at(best, rows[near], cosines(probes, rows[near], unit, columns))
    return best


def _float32_below(values):
    """float32 numbers that do not exceed float64 ones, so that comparing in float32 is safe."""
    return np.nextafter(values.astype(np.float32), np.float32(-np.inf))


def _float32_above(values):
    """float32 numbers that are not below float64 ones."""
    return np.nextafter(values.astype(np.float32), np.float32(np.inf))
