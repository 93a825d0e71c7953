"""Identification: find a probe's subject in a gallery (IJB 1:N, TinyFace, MegaFace).

A probe is *mated* if its subject is in the gallery. Its rank is 1 + the entries of other subjects that score at least
as high as its best mate: a tie counts against the system, so that embeddings that are all equal do not look perfect.
"""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.checks import check_gallery, check_matrix, image_name
from mlaface.evaluation.functional.roc import det_points, far_name, roc_curve, tar_at_far
from mlaface.evaluation.functional.rows import unit_rows
from mlaface.evaluation.functional.search import DISTRACTOR, encode, mate_scores, mate_table, scan_gallery

RULES = dict(ties='against', far_rule='strict', rank_condition=True)


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


def find(probes, probe_subjects, gallery, gallery_subjects, block=4096, names=None):
    """Compare all probes with a whole gallery, exactly, in blocks.

    Args:
        probes (array (P, D)): Embeddings, any float type, any length.
        probe_subjects (array (P,)): Integers or strings; -1 is not allowed.
        gallery (array (N, D)): Embeddings, a memory map too.
        gallery_subjects (array (N,)): Subjects; -1 marks distractors.
        block (int): Rows in one matrix product.
        names (sequence of str (P,) or None): Names of probes, for messages.

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
    thresholds = mate_scores(unit, gallery, mates)
    scan = scan_gallery(unit, thresholds, gallery, mates, block)
    scores = np.where(mates >= 0, thresholds, -np.inf)
    order = np.argsort(-scores, axis=1, kind='stable')
    return Found(mates[:, 0] >= 0, np.take_along_axis(scores, order, 1), np.take_along_axis(scan.above, order, 1),
                 scan.best_other)


def rank_rates(found, ranks=(1, 5, 10)):
    """Share of mated probes whose best mate is among the first k (CMC).

    Returns:
        dict[str, dict]: ``'1': {'value': ...}`` and so on.
    """
    mated = found.ranks[found.mated]
    return {str(rank): dict(value=float((mated <= rank).mean())) for rank in ranks}


def open_set_roc(found):
    """Mates' scores of mated probes against the best scores of non-mated ones, as a ROC.

    Raises:
        ValueError: If all or none of the probes are mated.
    """
    best = np.where(found.mated, found.scores[:, 0], found.best_other)
    if found.mated.all() or not found.mated.any():
        kind = 'no probe is outside' if found.mated.all() else 'no probe is in'
        raise ValueError(f'{kind} the gallery: false and true positives of open-set search need both kinds')
    return roc_curve(best, found.mated)


def tpir_at_fpir(found, fpirs=(1e-2, 1e-1)):
    """True positive identification rate at a false positive identification rate.

    The threshold is the lowest at which at most a share ``fpir`` of non-mated probes gets any hit (strict rule).

    Args:
        found (Found): From ``find``.
        fpirs (sequence of float): Targets.

    Returns:
        dict[str, dict]: ``value`` (mate above the threshold and at rank 1), ``any_rank`` (above the threshold),
        ``threshold``, ``false_positives``.
    """
    roc, table = open_set_roc(found), {}
    for fpir in fpirs:
        point = tar_at_far(roc, fpir)
        hit = found.mated & (found.scores[:, 0] >= point['threshold'])
        table[far_name(fpir)] = dict(value=float((hit & (found.ranks == 1)).sum() / roc.positives),
                                     any_rank=point['value'], threshold=point['threshold'],
                                     false_positives=point['false_accepts'])
    return table


def open_set_det(found, points=None):
    """DET points of open-set search: ``far`` is FPIR, ``miss`` is FNIR (without the rank condition)."""
    return det_points(open_set_roc(found), points)


def mean_average_precision(found):
    """Mean over mated probes of average precision: the mean over a probe's mates of the precision at its place.

    Args:
        found (Found): From ``find``; distractors and other subjects count as false.

    Returns:
        float: In [0, 1].
    """
    scores, above = found.scores[found.mated], found.above[found.mated]
    place = np.arange(1, scores.shape[1] + 1)
    precision = np.where(np.isfinite(scores), place / (place + above), 0)
    return float((precision.sum(axis=1) / np.isfinite(scores).sum(axis=1)).mean())


def evaluate_open_set(probes, probe_subjects, galleries, *, ranks=(1, 5, 10), fpirs=(1e-2, 1e-1), block=4096,
                      names=None):
    """IJB 1:N: ranks on mated probes and TPIR at FPIR, per gallery and mean.

    Args:
        probes (array (P, D)): Embeddings of probe templates.
        probe_subjects (array (P,)): Their subjects; those not in a gallery are its non-mated probes.
        galleries (dict[str, tuple]): Name -> (embeddings (N, D), subjects (N,)).
        ranks (sequence of int): For the CMC.
        fpirs (sequence of float): Targets.
        block (int): Rows in one matrix product.
        names (sequence of str (P,) or None): Names of probes, for messages.

    Returns:
        dict: A benchmark's entry of result JSON; ``galleries`` holds each gallery's metrics, ``metrics`` their means.
    """
    each, counts = {}, {}
    for name, (gallery, subjects) in galleries.items():
        found = find(probes, probe_subjects, gallery, subjects, block, names)
        each[name] = dict(tpir_at_fpir=tpir_at_fpir(found, fpirs), rank=rank_rates(found, ranks))
        counts[name] = dict(templates=len(gallery), mated=int(found.mated.sum()), other=int((~found.mated).sum()))
    mean = dict(rank=_mean([metrics['rank'] for metrics in each.values()], ('value',)),
                tpir_at_fpir=_mean([metrics['tpir_at_fpir'] for metrics in each.values()], ('value', 'any_rank')))
    return dict(protocol='identification', rules=dict(RULES), counts=dict(probes=len(probes), galleries=counts),
                metrics=mean, galleries=each)


def _mean(tables, keys):
    """Mean over galleries of the named numbers of each row."""
    return {row: {key: float(np.mean([table[row][key] for table in tables])) for key in keys} for row in tables[0]}


def evaluate_retrieval(probes, probe_subjects, gallery, gallery_subjects, *, ranks=(1, 5, 20), block=4096,
                       names=None):
    """TinyFace: every probe has mates in a gallery that holds distractors too; rank-k and mAP.

    Args:
        probes (array (P, D)): Embeddings.
        probe_subjects (array (P,)): Subjects, all of them in the gallery.
        gallery (array (N, D)): Embeddings of mates and distractors.
        gallery_subjects (array (N,)): Subjects; -1 marks distractors.
        ranks (sequence of int): For the CMC.
        block (int): Rows in one matrix product.
        names (sequence of str (P,) or None): Names of probes, for messages.

    Returns:
        dict: A benchmark's entry of result JSON.

    Raises:
        ValueError: If a probe's subject is not in the gallery; names the probe.
    """
    found = find(probes, probe_subjects, gallery, gallery_subjects, block, names)
    lost = np.flatnonzero(~found.mated)
    if len(lost):
        raise ValueError(f'subject {np.asarray(probe_subjects)[lost[0]]} of probe {image_name(int(lost[0]), names)} is '
                         f'not in the gallery ({len(lost)} such probes): a closed-set protocol needs all of them')
    distractors = int((np.asarray(gallery_subjects) == DISTRACTOR).sum())
    return dict(protocol='retrieval', rules=dict(ties='against'),
                counts=dict(probes=len(probes), gallery=len(gallery), distractors=distractors),
                metrics=dict(rank=rank_rates(found, ranks), map=dict(value=mean_average_precision(found))))


def evaluate_distractors(embeddings, subjects, distractors, *, ranks=(1, 10), block=4096, names=None):
    """MegaFace's first challenge: each image searches each other image of its subject among all distractors.

    Args:
        embeddings (array (P, D)): Images of the probe subjects.
        subjects (array (P,)): Their subjects; at least one has two images.
        distractors (array (N, D)): Embeddings of people outside the probe set.
        ranks (sequence of int): For the CMC.
        block (int): Rows in one matrix product.
        names (sequence of str (P,) or None): Names of images, for messages.

    Returns:
        dict: A benchmark's entry of result JSON; rates are over ordered pairs of images of one subject.

    Raises:
        ValueError: If no subject has two images.
    """
    unit = unit_rows(check_matrix(embeddings, names=names), names)
    distractors = check_gallery(distractors, unit.shape[1])
    if len(subjects) != len(unit):
        raise ValueError(f'{len(unit)} embeddings, but {len(subjects)} subjects')
    codes = encode(subjects, subjects)
    mates = mate_table(*codes)
    mates[mates == np.arange(len(mates))[:, None]] = -1
    if not (mates >= 0).any():
        raise ValueError('no subject has two images: nothing can be searched for')
    scores = mate_scores(unit, unit, mates)
    above = scan_gallery(unit, scores, distractors, np.full((len(unit), 1), -1), block).above[mates >= 0]
    return dict(protocol='distractors', rules=dict(ties='against'),
                counts=dict(images=len(unit), searches=len(above), distractors=len(distractors)),
                metrics=dict(rank={str(rank): dict(value=float((above < rank).mean())) for rank in ranks}))
