"""Pairs benchmarks (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW, XQLFW, RFW): same person or not, in ten folds.

The protocol is that of the LFW report (Huang et al. 2007), in the form that InsightFace's evaluation made usual: in
turn each fold is tested with the threshold that is best on the nine others.
"""
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional import folds
from mlaface.evaluation.functional.checks import check_images, check_labels, check_norms, check_pairs
from mlaface.evaluation.functional.roc import FAR_RULES, area_under, det_points, equal_error_rate, roc_curve, tar_table
from mlaface.evaluation.functional.rows import FLIPS, fuse, lengths

FARS = (1e-1, 1e-2, 1e-3, 1e-4)
CHOICES = dict(flip=FLIPS, norm=('l2', 'none'), distance=('squared_l2', 'cosine'),
                far_rule=FAR_RULES, compat=(None, 'insightface'))
_BLOCK = 128  # pairs at a time: their float64 rows stay in a core's cache


@dataclass(frozen=True)
class PairRules:
    """What is done with embeddings before and after they are compared.

    Args:
        flip (str): Embeddings of an image and its mirror image are added (``'sum'``), joined (``'concat'``), or the
            image's alone is used (``'none'``).
        norm (str): ``'l2'`` scales to unit length after that; ``'none'`` takes embeddings that have unit length.
        distance (str): ``'squared_l2'``, thresholds 0 to 4 by 0.01; or ``'cosine'`` (1 - cosine), 0 to 2 by 0.005.
        folds (int): Consecutive folds of the list, as equal as can be.
        far_rule (str): ``'strict'`` or ``'nearest'``; see ``roc.tar_at_far``.
        compat (str or None): ``'insightface'`` adds ``val``: the public code's TAR at a FAR of 1e-3 whose threshold
            is interpolated on the training folds.

    Raises:
        ValueError: If a choice is unknown; names those there are.
    """
    flip: str = 'sum'
    norm: str = 'l2'
    distance: str = 'squared_l2'
    folds: int = 10
    far_rule: str = 'strict'
    compat: str | None = None

    def __post_init__(self):
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ValueError(f'{key} must be one of {choices}; got {getattr(self, key)!r}')
        if not isinstance(self.folds, int) or self.folds < 2:
            raise ValueError(f'folds must be a whole number above 1; got {self.folds!r}')


DEFAULT_RULES = PairRules()


class PairScores(NamedTuple):
    """Cosine and distance of each pair, both float64 (P,)."""
    cosine: np.ndarray
    distance: np.ndarray


def pair_scores(embeddings, *, flipped=None, rules=DEFAULT_RULES, names=None):
    """Cosine and distance of pairs by the rules.

    Args:
        embeddings (array (2P, D)): As the network makes them; rows 2i and 2i + 1 are pair i. Any float type; the
            mathematics is float64.
        flipped (array (2P, D) or None): Those of the mirrored images; None takes ``embeddings`` as they are.
        rules (PairRules): Flip, norm and distance.
        names (sequence of str (2P,) or None): Names of images, for messages.

    Returns:
        PairScores: Each (P,). A pair's numbers depend on its own two rows only.

    Raises:
        ValueError: If an embedding is not finite or zero (names the image), or the number of images is odd.
    """
    embeddings, flipped = check_images(embeddings, flipped, names)
    pairs = len(embeddings) // 2
    cosine, distance = np.empty(pairs), np.empty(pairs)
    for start in range(0, pairs, _BLOCK):
        stop = min(start + _BLOCK, pairs)
        rows = slice(2 * start, 2 * stop)
        unit = _unit_rows(embeddings[rows], None if flipped is None else flipped[rows], rules, names, 2 * start)
        first, second = unit[0::2], unit[1::2]
        np.einsum('ij,ij->i', first, second, out=cosine[start:stop])
        if rules.distance == 'squared_l2':
            gap = first - second
            np.einsum('ij,ij->i', gap, gap, out=distance[start:stop])
    if rules.distance == 'cosine':
        np.subtract(1, cosine, out=distance)
    return PairScores(cosine, distance)


def _unit_rows(embeddings, flipped, rules, names, start):
    """A block's embeddings after flip and norm, float64."""
    rows = fuse(embeddings, flipped, rules.flip)
    norms = lengths(rows)
    check_norms(norms, names, start)
    if rules.norm == 'l2':
        rows /= norms[:, None]
    elif np.abs(norms - 1).max() > 1e-2:
        row = start + int(np.abs(norms - 1).argmax())
        raise ValueError(f"norm='none' takes embeddings of unit length, but that of image {row} has length "
                         f"{norms[row - start]:.4g} after flip={rules.flip!r}; use norm='l2'")
    return rows


def evaluate_pairs(embeddings, issame, *, flipped=None, rules=DEFAULT_RULES, names=None):
    """The whole pairs protocol: accuracy in folds, AUC, EER, TAR at FAR and thresholds.

    Args:
        embeddings (array (2P, D)): As the network makes them; rows 2i and 2i + 1 are pair i.
        issame (array (P,)): True for pairs of one person; the list's order makes the folds.
        flipped (array (2P, D) or None): Embeddings of the mirrored images. None: ``embeddings`` are taken as they
            are, and the entry's rules say ``flip='none'``.
        rules (PairRules): What is done with them.
        names (sequence of str (2P,) or None): Names of images, for messages.

    Returns:
        dict: A benchmark's entry of result JSON, schema 1. ``accuracy`` has also the list ``folds``, ``threshold``
        is the mean of the folds' best, as a cosine.

    Raises:
        ValueError: If counts or dimensions do not fit, the number of images is odd, an embedding is NaN or zero, or a
            fold has no same or no different pairs.
    """
    embeddings, issame, flipped = check_pairs(embeddings, issame, flipped, names)
    folds.check_folds(issame, rules.folds)
    if flipped is None:
        rules = replace(rules, flip='none')
    return pairs_entry(pair_scores(embeddings, flipped=flipped, rules=rules, names=names), issame, rules)


def pairs_entry(scores, issame, rules=DEFAULT_RULES):
    """``evaluate_pairs`` from scores.

    Args:
        scores (PairScores): Of each pair, by the same rules.
        issame (array (P,)): Labels.
        rules (PairRules): What was done with the embeddings, and what is done with the scores.

    Returns:
        dict: A benchmark's entry of result JSON.

    Raises:
        ValueError: If counts do not fit, or a fold has no same or no different pairs.
    """
    issame = check_labels(issame, len(scores.cosine))
    folds.check_folds(issame, rules.folds)
    return dict(protocol='pairs', rules=asdict(rules),
                counts=dict(images=2 * len(issame), pairs=len(issame), positives=int(issame.sum())),
                metrics=pair_metrics(scores, issame, rules))


def pair_metrics(scores, issame, rules=DEFAULT_RULES):
    """The metrics of a pairs benchmark from its scores.

    Args:
        scores (PairScores): Cosine and distance of each pair.
        issame (ndarray (P,)): bool.
        rules (PairRules): Distance, folds, far_rule and compat.

    Returns:
        dict: ``accuracy``, ``auc``, ``eer``, ``tar_at_far``, ``threshold`` and, if asked for, ``val``.
    """
    accuracy = folds.fold_accuracy(scores.distance, issame, rules.folds, folds.GRIDS[rules.distance])
    roc = roc_curve(scores.cosine, issame)
    rate, rate_threshold = equal_error_rate(roc)
    metrics = dict(
        accuracy=dict(value=float(accuracy.accuracy.mean()), std=float(accuracy.accuracy.std()),
                      folds=accuracy.accuracy.tolist()),
        auc=dict(value=area_under(roc)), eer=dict(value=rate, threshold=rate_threshold),
        tar_at_far=tar_table(roc, FARS, rules.far_rule),
        threshold=dict(value=float(as_cosine(accuracy.thresholds, rules.distance).mean()), metric='cosine',
                       folds=as_cosine(accuracy.thresholds, rules.distance).tolist()))
    if rules.compat == 'insightface':
        metrics['val'] = folds.interpolated_tar(scores.distance, issame, rules.folds, rules.distance)
    return metrics


def as_cosine(threshold, distance):
    """A distance between unit vectors as a cosine: 1 - d / 2 for the squared distance, 1 - d for 1 - cosine."""
    return 1 - np.asarray(threshold) / (2 if distance == 'squared_l2' else 1)


def roc_points(scores, issame, points=None):
    """What a report draws of a benchmark.

    Args:
        scores (array (P,)): Cosines, higher means more alike.
        issame (array (P,)): Labels.
        points (int or None): About how many points; None gives all corners of the curve.

    Returns:
        dict[str, ndarray]: ``far``, ``tar``, ``miss`` and ``threshold``, from the highest threshold down.
    """
    return det_points(roc_curve(scores, issame), points)
