"""1:N as InsightFace's public IJB script counts it, for numbers that compare with its published ones.

It searches both galleries as one, in which every probe has its one mate, so that no probe is outside the gallery. Its
threshold at a rate x is the score that stands at place ceil(x P) among *all* scores of P probes with entries of other
subjects, and a rank plays no part in what is accepted (recognition/_evaluation_/ijb/ijb_1n.py, ``evaluation``).
"""
import math
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.checks import image_name
from mlaface.evaluation.functional.coarse import float32_below, rounding_error
from mlaface.evaluation.functional.identification import Found, find, rank_rates
from mlaface.evaluation.functional.intervals import weighted_rate
from mlaface.evaluation.functional.open_set import FPIRS, RANKS
from mlaface.evaluation.functional.roc import far_name
from mlaface.evaluation.functional.rows import cosines, unit_blocks, unit_rows
from mlaface.evaluation.functional.search import encode, mate_table, scan_gallery

RULES = dict(ties='against', compat='insightface', galleries='joined', far_rule='place among all scores',
             rank_condition=False)


class JoinedFound(NamedTuple):
    """What the script's numbers are made of.

    Args:
        found (Found): Of the search in the joined galleries.
        thresholds (dict[float, float]): Rate -> the score that a mate must exceed.
    """
    found: Found
    thresholds: dict


def search(probes, probe_subjects, galleries, *, fpirs=FPIRS, block=None, names=None, scan=scan_gallery):
    """Search all galleries as one.

    Args:
        probes (array (P, D)): Embeddings of probe templates.
        probe_subjects (array (P,)): Their subjects.
        galleries (dict[str, tuple]): Name -> (embeddings (N, D), subjects (N,)).
        fpirs (sequence of float): Rates in (0, 1].
        block (int or None): Rows in one matrix product; None is what suits the search.
        names (sequence of str (P,) or None): Names of probes, for messages.
        scan (callable): The search; see ``identification.find``.

    Returns:
        JoinedFound: Exact; the same for any block and search.

    Raises:
        ValueError: If a probe has not one mate in all galleries together, or none has another's entry to compare with.
    """
    gallery, subjects = (np.concatenate(parts) for parts in zip(*galleries.values()))
    mates = mate_table(*encode(probe_subjects, subjects))
    counts = (mates >= 0).sum(axis=1)
    wrong = np.flatnonzero(counts != 1)
    if len(wrong):
        raise ValueError(f'subject {np.asarray(probe_subjects)[wrong[0]]} of probe {image_name(int(wrong[0]), names)} '
                         f'has {counts[wrong[0]]} templates in all galleries together ({len(wrong)} such probes): the '
                         "rule of compat='insightface' needs one; leave compat out")
    found = find(probes, probe_subjects, gallery, subjects, block, names, scan)
    places = {fpir: math.ceil(len(found.mated) * fpir) for fpir in fpirs}
    others = highest_others(probes, gallery, mates, max(places.values()), found.best_other, block or HOST.block)
    return JoinedFound(found, {fpir: float(others[min(place, len(others)) - 1]) for fpir, place in places.items()})


def highest_others(probes, gallery, mates, count, best_other, block):
    """The highest scores of all probes with entries of other subjects.

    Args:
        probes (array (P, D)): Embeddings.
        gallery (array (N, D)): Embeddings.
        mates (ndarray (P, M)): Each probe's own rows of the gallery, -1 for none.
        count (int): How many, at most P.
        best_other (ndarray (P,)): Each probe's highest such score: what is asked for is not below the count-th of them.
        block (int): Rows of each side of a matrix product.

    Returns:
        ndarray (count,): float64, falling; fewer if there are not so many.

    Raises:
        ValueError: If the gallery holds nobody else.
    """
    found = np.sort(best_other[np.isfinite(best_other)])[::-1][:count]
    if not len(found):
        raise ValueError('the galleries hold no entry of another subject than the probes\': no false positive exists')
    least = float32_below(found[-1:] - rounding_error(probes.shape[1]))[0]
    found, probes = np.empty(0), unit_rows(probes)
    coarse = probes.astype(np.float32)
    for start, unit in unit_blocks(gallery, block, what='gallery entry'):
        entries = unit.astype(np.float32).T
        for first in range(0, len(probes), block):
            rows, columns = np.nonzero(coarse[first:first + block] @ entries >= least)
            rows += first
            other = (mates[rows] != (start + columns)[:, None]).all(axis=1)
            scores = cosines(probes, rows[other], unit, columns[other])
            found = np.sort(np.concatenate([found, scores]))[::-1][:count]
    return found


def metrics(joined, ranks=RANKS, weights=None):
    """The script's numbers; its thresholds are held where probes are weighted.

    Args:
        joined (JoinedFound): From ``search``.
        ranks (sequence of int): For the CMC.
        weights (ndarray (P,) or None): How often each probe counts; None is once.

    Returns:
        dict: ``metrics``, with ``rank`` and ``tpir_at_fpir`` as in a benchmark's entry.
    """
    scores = joined.found.scores[:, 0]
    weights = np.ones(len(scores), np.int64) if weights is None else weights
    rates = {far_name(fpir): dict(value=weighted_rate(scores > threshold, weights), threshold=threshold)
             for fpir, threshold in joined.thresholds.items()}
    return dict(metrics=dict(rank=rank_rates(joined.found, ranks, weights), tpir_at_fpir=rates))


def entry(joined, sizes):
    """A benchmark's entry of result JSON.

    Args:
        joined (JoinedFound): From ``search``.
        sizes (dict[str, int]): Templates of each gallery.

    Returns:
        dict: The entry.
    """
    return dict(protocol='identification', rules=dict(RULES),
                counts=dict(probes=len(joined.found.mated), galleries={k: dict(templates=v) for k, v in sizes.items()}),
                **metrics(joined))


def hits(joined):
    """Which probes were found at rank 1, bool (P,)."""
    return joined.found.ranks == 1


def curves(joined):
    """None: no probe is outside the gallery, which DET needs."""
    return {}
