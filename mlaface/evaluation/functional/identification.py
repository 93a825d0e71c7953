"""Identification: find a probe's subject in a gallery (IJB 1:N, TinyFace, MegaFace).

A probe is *mated* if its subject is in the gallery. Its rank is 1 + the entries of other subjects that score at least
as high as its best mate: a tie counts against the system, so that embeddings that are all equal do not look perfect.
"""
import math
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.checks import check_gallery, check_matrix, image_name
from mlaface.evaluation.functional.intervals import weighted_rate
from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.evaluation.functional.roc import far_name, roc_curve, tar_at_far
from mlaface.evaluation.functional.rows import unit_rows
from mlaface.evaluation.functional.search import DISTRACTOR, encode, mate_scores, mate_table, scan_gallery


class Found(NamedTuple):
    """What identification needs of each probe.

    Args:
        mated (ndarray (P,)): bool; the subject is in the gallery.
        scores (ndarray (P, M)): Cosines of mates, falling; -inf where there are fewer.
        above (ndarray (P, M)): Entries of other subjects that score at least as high as each mate.
        best_other (ndarray (P,)): Highest score among other subjects.
    """
    mated: np.ndarray
    scores: np.ndarray
    above: np.ndarray
    best_other: np.ndarray

    @property
    def ranks(self):
        """Rank of the best mate, (P,); 0 for probes that are not mated."""
        return np.where(self.mated, self.above[:, 0] + 1, 0)


def find(probes, probe_subjects, gallery, gallery_subjects, block=None, names=None, scan=scan_gallery,
         gallery_names=None):
    """Compare all probes with a whole gallery, exactly, in blocks.

    Args:
        probes (array (P, D)): Embeddings, any float type, any length.
        probe_subjects (array (P,)): Integers or strings; -1 is not allowed.
        gallery (array (N, D)): Embeddings, a memory map too.
        gallery_subjects (array (N,)): Subjects; -1 marks distractors.
        block (int or None): Rows in one matrix product; None is what suits the search.
        names (sequence of str (P,) or None): Names of probes, for messages.
        scan (callable): The search, with the signature of ``search.scan_gallery``; FAISS's or a GPU's.
        gallery_names (sequence of str (N,) or None): Names of gallery entries, for messages.

    Returns:
        Found: Mates' scores and the counts above them; the same for any block.

    Raises:
        ValueError: If counts or dimensions do not fit, or an embedding is not finite or zero.
    """
    probes = check_matrix(probes, 'probes', names)
    gallery = check_gallery(gallery, probes.shape[1])
    for kind, rows, subjects in (('probes', probes, probe_subjects), ('gallery', gallery, gallery_subjects)):
        if len(rows) != len(subjects) or len(rows) == 0:
            raise ValueError(f'{kind}: {len(rows)} embeddings, but {len(subjects)} subjects')
    marked = np.flatnonzero(np.asarray(probe_subjects) == DISTRACTOR)
    if len(marked):
        raise ValueError(f'probe {image_name(int(marked[0]), names)} has the subject -1, which marks distractors')
    codes = encode(probe_subjects, gallery_subjects)
    mates = mate_table(*codes)
    unit = unit_rows(probes, names, what='probe')
    thresholds = mate_scores(unit, gallery, mates, gallery_names)
    scanned = scan(unit, thresholds, gallery, mates, block, gallery_names)
    scores = np.where(mates >= 0, thresholds, -np.inf)
    order = np.argsort(-scores, axis=1, kind='stable')
    return Found(mates[:, 0] >= 0, np.take_along_axis(scores, order, 1), np.take_along_axis(scanned.above, order, 1),
                 scanned.best_other)


def rank_rates(found, ranks=(1, 5, 10), weights=None):
    """Share of mated probes whose best mate is among the first k (CMC).

    Args:
        found (Found): From ``find``.
        ranks (sequence of int): Which k.
        weights (ndarray (P,) or None): How often each probe counts; None is once.

    Returns:
        dict[str, dict]: ``'1': {'value': ...}`` and so on.
    """
    weights = np.ones(len(found.mated), int) if weights is None else weights
    mated, weights = found.ranks[found.mated], weights[found.mated]
    return {str(rank): dict(value=weighted_rate(mated <= rank, weights)) for rank in ranks}


def open_set_scores(found):
    """What open-set search decides by: a mated probe's best mate, another probe's best entry.

    Returns:
        tuple: Scores float64 (P,), and whether the probe is mated, bool (P,).

    Raises:
        ValueError: If all or none of the probes are mated.
    """
    if found.mated.all() or not found.mated.any():
        kind = 'no probe is outside' if found.mated.all() else 'no probe is in'
        raise ValueError(f'{kind} the gallery: false and true positives of open-set search need both kinds')
    return np.where(found.mated, found.scores[:, 0], found.best_other), found.mated


def tpir_at_fpir(found, fpirs=(1e-2, 1e-1), weights=None):
    """True positive identification rate at a false positive identification rate.

    The threshold is the lowest at which at most a share ``fpir`` of non-mated probes gets any hit (strict rule).

    Args:
        found (Found): From ``find``.
        fpirs (sequence of float): Targets.
        weights (ndarray (P,) or None): How often each probe counts; None is once.

    Returns:
        dict[str, dict]: ``value`` (mate above the threshold and at rank 1), ``any_rank`` (above the threshold),
        ``threshold``, ``false_positives``. NaN throughout where the weights leave one kind of probe.
    """
    scores = open_set_scores(found)
    roc = roc_curve(*scores) if weights is None else WeightedSample(*scores).roc(weights)
    weights = np.ones(len(found.mated), int) if weights is None else weights
    if roc is None:
        return {far_name(fpir): dict(value=math.nan) for fpir in fpirs}
    first, table = found.mated & (found.ranks == 1), {}
    for fpir in fpirs:
        point = tar_at_far(roc, fpir)
        hit = first & (found.scores[:, 0] >= point['threshold'])
        table[far_name(fpir)] = dict(value=float(weights[hit].sum() / roc.positives), any_rank=point['value'],
                                     threshold=point['threshold'], false_positives=point['false_accepts'])
    return table


def mean_average_precision(found, weights=None, rule='step'):
    """Mean over mated probes of average precision: the mean over a probe's mates of the precision at its place.

    Args:
        found (Found): From ``find``; distractors and other subjects count as false.
        weights (ndarray (P,) or None): How often each probe counts; None is once.
        rule (str): ``'step'``, or ``'trapezoid'``: the mean of the precisions at a mate's place and at the place before
            it, 1 before the first (Philbin et al. 2007, ``compute_ap``), as the evaluation code of TinyFace has it.

    Returns:
        float: In [0, 1], the same for any order of the probes; NaN if the weights leave no mated probe.
    """
    scores, above = found.scores[found.mated], found.above[found.mated]
    weights = np.ones(len(scores), np.int64) if weights is None else weights[found.mated]
    place = np.arange(1, scores.shape[1] + 1)
    precision = place / (place + above)
    if rule == 'trapezoid':
        before = place + above - 1
        precision = (precision + np.where(before > 0, (place - 1) / np.maximum(before, 1), 1)) / 2
    precision = np.where(np.isfinite(scores), precision, 0).sum(axis=1) / np.isfinite(scores).sum(axis=1)
    return math.fsum(precision * weights) / float(weights.sum()) if weights.any() else math.nan
