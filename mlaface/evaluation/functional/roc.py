"""Receiver operating characteristic of verification scores: exact, by sorting, with ties handled.

A pair is accepted if its score is at least the threshold. TAR is the share of same pairs accepted, FAR that of
different pairs. Pairs of equal score are accepted together: there is one point for each distinct score.
"""
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlaface.evaluation.functional.checks import check_far, check_scores

FAR_RULES = ('strict', 'nearest')


@dataclass(frozen=True)
class Roc:
    """Accepted pairs at every distinct score, from the highest score down.

    Args:
        thresholds (ndarray (T,)): Distinct scores, falling.
        true_accepts (ndarray (T,)): Same pairs with a score of at least the threshold.
        false_accepts (ndarray (T,)): Different pairs with a score of at least the threshold.
        positives (int): Same pairs in all.
        negatives (int): Different pairs in all.
    """
    thresholds: np.ndarray
    true_accepts: np.ndarray
    false_accepts: np.ndarray
    positives: int
    negatives: int

    @cached_property
    def tar(self):
        """True accept rate at every threshold, (T,)."""
        return self.true_accepts / self.positives

    @cached_property
    def far(self):
        """False accept rate at every threshold, (T,)."""
        return self.false_accepts / self.negatives


def roc_curve(scores, issame):
    """The exact ROC.

    Args:
        scores (array (P,)): Higher means more alike.
        issame (array (P,)): True for pairs of one person.

    Returns:
        Roc: One point for each distinct score.

    Raises:
        ValueError: If counts do not fit, a score is NaN, or one kind of pair is missing.
    """
    scores, issame = check_scores(scores, issame)
    order = np.argsort(scores)[::-1]
    thresholds = scores[order]
    true_accepts = np.cumsum(issame[order])
    last = np.append(np.flatnonzero(thresholds[1:] != thresholds[:-1]), len(scores) - 1)
    true_accepts = true_accepts[last]
    return Roc(thresholds[last], true_accepts, last + 1 - true_accepts, int(true_accepts[-1]),
               len(scores) - int(true_accepts[-1]))


def area_under(roc):
    """Area under the ROC: the chance that a same pair scores above a different pair, ties counting half.

    Args:
        roc (Roc): The curve.

    Returns:
        float: In [0, 1]; counted in whole pairs (the Mann-Whitney statistic), so that no rounding adds up.
    """
    accepted = np.diff(roc.true_accepts, prepend=0)
    rejected_negatives = 2 * roc.negatives - np.diff(roc.false_accepts, prepend=0) - 2 * np.append(
        0, roc.false_accepts[:-1])
    return int(np.dot(accepted, rejected_negatives)) / (2 * roc.positives * roc.negatives)


def equal_error_rate(roc):
    """Where the ROC, drawn with straight lines from (0, 0), has FAR = 1 - TAR.

    Args:
        roc (Roc): The curve.

    Returns:
        tuple[float, float]: The rate, and the threshold at the first point on or beyond the crossing.
    """
    far, miss = roc.far, 1 - roc.tar
    after = int(np.argmax(far >= miss))
    before_far, before_miss = (far[after - 1], miss[after - 1]) if after else (0.0, 1.0)
    gap_before, gap_after = before_miss - before_far, far[after] - miss[after]
    share = gap_before / (gap_before + gap_after)
    return float(before_far + share * (far[after] - before_far)), float(roc.thresholds[after])


def _strict_point(rates, far):
    """Index of the last of rising rates that is at most ``far``, -1 if even the first is more."""
    return int(np.searchsorted(rates, far, side='right')) - 1


def _nearest_point(roc, far):
    """Index of the kept point (-1 for (0, 0)) with the FAR nearest to ``far``; of several, that of the largest TAR."""
    kept = _kept_points(roc)
    rates = roc.far[kept]
    below = _strict_point(rates, far)
    if below + 1 < len(kept) and abs(rates[below + 1] - far) <= abs((rates[below] if below >= 0 else 0.0) - far):
        below = int(np.searchsorted(rates, rates[below + 1], side='right')) - 1
    return int(kept[below]) if below >= 0 else -1


def _kept_points(roc):
    """Indices of the points that scikit-learn's ``roc_curve`` keeps: not those between two equal steps."""
    turns = (np.diff(roc.true_accepts, 2) != 0) | (np.diff(roc.false_accepts, 2) != 0)
    return np.flatnonzero(np.concatenate([[True], turns, [True]])[:len(roc.thresholds)])


def tar_at_far(roc, far, rule='strict'):
    """True accept rate at a false accept rate.

    Args:
        roc (Roc): The curve.
        far (float): Target, a fraction.
        rule (str): ``'strict'``: the largest TAR of all thresholds with FAR <= far. ``'nearest'``: the TAR where FAR
            is nearest to the target, which may lie above it, among the points that scikit-learn's ``roc_curve`` keeps,
            as public IJB scripts report.

    Returns:
        dict: ``value``, ``threshold`` (accept if score >= threshold; if nothing may be accepted, the next number
        above the highest score) and ``false_accepts``.

    Raises:
        ValueError: If the rule is unknown or the target no fraction.
    """
    check_far(far)
    if rule not in FAR_RULES:
        raise ValueError(f'far_rule must be one of {", ".join(FAR_RULES)}; got {rule!r}')
    point = _strict_point(roc.far, far) if rule == 'strict' else _nearest_point(roc, far)
    if point < 0:
        highest = np.float64(roc.thresholds[0])
        return dict(value=0.0, threshold=float(np.nextafter(highest, np.inf)), false_accepts=0)
    return dict(value=float(roc.true_accepts[point] / roc.positives), threshold=float(roc.thresholds[point]),
                false_accepts=int(roc.false_accepts[point]))


def tar_table(roc, fars, rule='strict'):
    """``tar_at_far`` for several targets, by their usual names.

    Args:
        roc (Roc): The curve.
        fars (iterable of float): Targets.
        rule (str): See ``tar_at_far``.

    Returns:
        dict[str, dict]: ``'1e-3'`` and so on.
    """
    return {far_name(far): tar_at_far(roc, far, rule) for far in fars}


def far_name(far):
    """A rate as a key of the result: 0.001 is ``'1e-3'``, 0.025 is ``'2.5e-2'``."""
    mantissa, exponent = np.format_float_scientific(far, trim='-').split('e')
    return f'{mantissa}e{int(exponent)}'


def det_points(roc, points=None):
    """Detection error trade-off: share of different pairs accepted against share of same pairs rejected.

    Args:
        roc (Roc): The curve.
        points (int or None): Keep about so many, evenly spaced in the logarithm of FAR; None keeps all corners.

    Returns:
        dict[str, ndarray]: ``far``, ``miss`` (1 - TAR), ``tar`` and ``threshold``, from the highest threshold down.
    """
    keep = curve_corners(roc)
    if points is not None and len(keep) > points:
        accepts = roc.false_accepts[keep]
        wanted = np.geomspace(1, max(roc.negatives, 1), points)
        keep = keep[np.unique(np.append(np.searchsorted(accepts, wanted, side='right') - 1, [0, len(keep) - 1])
                              .clip(0))]
    tar = roc.true_accepts[keep] / roc.positives
    return dict(far=roc.false_accepts[keep] / roc.negatives, tar=tar, miss=1 - tar, threshold=roc.thresholds[keep])


def curve_corners(roc):
    """Indices of the points where the curve turns: the others lie on straight lines between them.

    Returns:
        ndarray (K,): Rising indices, the first and the last among them.
    """
    steps = np.diff(roc.true_accepts), np.diff(roc.false_accepts)
    turns = steps[0][1:] * steps[1][:-1] != steps[0][:-1] * steps[1][1:]
    return np.flatnonzero(np.concatenate([[True], turns, [True]])[:len(roc.thresholds)])
