"""1:N search through FAISS (Douze et al. 2024, "The Faiss library"), with exact ranks.

FAISS gives each probe's best entries in float32. They are scored again in float64, and a bound on FAISS's rounding
tells whether an entry that is not among them could change a count. The few probes for which it could are compared with
the whole gallery.
"""
import numpy as np

from mlaface.evaluation.functional.checks import check_gallery
from mlaface.evaluation.functional.coarse import rounding_error
from mlaface.evaluation.functional.rows import cosines, unit_blocks, unit_rows
from mlaface.evaluation.functional.search import Scan, scan_gallery

DEPTH = 16       # entries of other subjects that are fetched: ranks up to 10, and some that are nearly as good
_BLOCK = 16_384  # gallery entries that FAISS holds at a time
_PAIRS = 16_384  # probes times fetched entries that are scored at a time


def scan_by_faiss(probes, thresholds, gallery, mates, block=None, names=None, depth=DEPTH):
    """``functional.search.scan_gallery`` through FAISS: the same counts and scores, to the last bit.

    Args:
        probes (ndarray (P, D)): float64, unit rows.
        thresholds (ndarray (P, M)): Scores to reach; +inf for none.
        gallery (array (N, D)): Anything whose slices and chosen rows are arrays.
        mates (ndarray (P, M)): The probe's own subject's rows, -1 for none; they are left out.
        block (int or None): Gallery entries that FAISS holds at a time; None is 16,384.
        names (sequence of str (N,) or None): Names of gallery entries, for messages.
        depth (int): Entries of other subjects that are fetched for each probe.

    Returns:
        Scan: Exact counts and scores.

    Raises:
        ValueError: If an entry is not finite or zero, or of another dimension than the probes.
    """
    gallery = check_gallery(gallery, probes.shape[1])
    fetched = min(len(gallery), depth + mates.shape[1])
    scores, columns = _nearest(probes, gallery, fetched, block or _BLOCK, names)
    outside = scores[:, -1] + rounding_error(probes.shape[1]) if fetched < len(gallery) else np.full(len(probes), -2.0)
    scan = Scan(np.empty(thresholds.shape, np.int64), np.empty(len(probes)))
    step = max(1, _PAIRS // fetched)
    for start in range(0, len(probes), step):
        part = slice(start, start + step)
        scan.above[part], scan.best_other[part] = _score(probes[part], thresholds[part], gallery, mates[part],
                                                         columns[part])
    unsettled = np.flatnonzero((thresholds <= outside[:, None]).any(axis=1) | (scan.best_other < outside))
    if len(unsettled):
        scan.above[unsettled], scan.best_other[unsettled] = scan_gallery(
            probes[unsettled], thresholds[unsettled], gallery, mates[unsettled], names=names)
    return scan


def _nearest(probes, gallery, count, block, names):
    """The best entries of each probe by FAISS: float32 scores, falling, and gallery rows, both (P, count)."""
    import faiss
    from faiss.contrib.exhaustive_search import knn_ground_truth
    blocks = (unit.astype(np.float32) for _, unit in unit_blocks(gallery, block, names, 'gallery entry'))
    return knn_ground_truth(probes.astype(np.float32), blocks, count, faiss.METRIC_INNER_PRODUCT, ngpu=0)


def _score(probes, thresholds, gallery, mates, columns):
    """Counts (P, M) and the best score (P,) among fetched entries (P, K) of other subjects, exact."""
    entries, places = np.unique(columns, return_inverse=True)
    unit, places = unit_rows(gallery[entries]), places.reshape(columns.shape)
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    scores = cosines(probes, rows, unit, places.ravel()).reshape(columns.shape)
    scores[(columns[:, :, None] == mates[:, None, :]).any(axis=2)] = -np.inf
    above = np.stack([(scores >= threshold[:, None]).sum(axis=1) for threshold in thresholds.T], axis=1)
    return above, scores.max(axis=1)
