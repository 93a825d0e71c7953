"""Rates at thresholds that move with the sample: ROC, TAR at FAR and calibrated thresholds under resampled people."""
import math

import numpy as np

from mlaface.evaluation.functional.checks import check_far, check_scores
from mlaface.evaluation.functional.intervals import percentile_interval, resampled_weights
from mlaface.evaluation.functional.roc import Roc, area_under, equal_error_rate, far_name, tar_at_far


class WeightedSample:
    """Scores sorted once, to be read under many weights.

    Args:
        scores (array (P,)): Higher means more alike.
        issame (array (P,)): bool.
        corners (bool): Keep only the points at which a curve can turn under any weights: those of same pairs and the
            ones before them. TAR by the strict rule, AUC and EER stay what they are; thresholds lose the points
            between, where only different pairs are accepted.
    """

    def __init__(self, scores, issame, corners=False):
        scores, issame = check_scores(scores, issame)
        self.order = np.argsort(-scores, kind='stable')
        ordered, same = scores[self.order], issame[self.order]
        last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(scores) - 1)
        before = np.cumsum(same)[last]  # same pairs accepted at each point, if all count once
        if corners:
            rises = np.diff(before, prepend=0) > 0
            kept = rises | np.append(rises[1:], True)
            last, before = last[kept], before[kept]
        self.last, self.before = last, before
        self.positives, self.thresholds = self.order[same], ordered[last]

    def roc(self, weights):
        """The ROC of the sample in which each pair is written down as often as its weight says.

        Args:
            weights (ndarray (P,)): Whole numbers, in the order of the scores given.

        Returns:
            Roc or None: None where one kind of pair is missing.
        """
        accepts = np.cumsum(weights[self.order])[self.last]
        true_accepts = np.append(0, np.cumsum(weights[self.positives]))[self.before]
        drawn = np.diff(accepts, prepend=0) > 0
        accepts, true_accepts = accepts[drawn], true_accepts[drawn]
        if not len(accepts) or true_accepts[-1] in (0, accepts[-1]):
            return None
        return Roc(self.thresholds[drawn], true_accepts, accepts - true_accepts, int(true_accepts[-1]),
                   int(accepts[-1] - true_accepts[-1]))

    def rates(self, weights, fars, rule='strict'):
        """TAR at FAR, AUC and EER under weights.

        Args:
            weights (ndarray (P,)): See ``roc``.
            fars (iterable of float): Targets.
            rule (str): See ``roc.tar_at_far``.

        Returns:
            dict: As the ``metrics`` of a benchmark's entry, values alone; NaN where one kind of pair is missing.
        """
        roc, missing = self.roc(weights), dict(value=math.nan)
        if roc is None:
            return dict(auc=missing, eer=missing, tar_at_far={far_name(far): missing for far in fars})
        return dict(auc=dict(value=area_under(roc)), eer=dict(value=equal_error_rate(roc)[0]),
                    tar_at_far={far_name(far): dict(value=tar_at_far(roc, far, rule)['value']) for far in fars})


def bootstrap_strict(scores, issame, subjects, fars, *, resamples=1000, confidence=0.95, seed=0):
    """Intervals of TAR at FAR and of its threshold, the threshold chosen anew in each draw of people.

    Args:
        scores (array (P,)): Higher means more alike.
        issame (array (P,)): Labels.
        subjects (array (P,) or (P, 2)): People; see ``intervals.resampled_weights``.
        fars (sequence of float): Targets.
        resamples (int): Draws.
        confidence (float): In (0, 1).
        seed (int): Of the generator.

    Returns:
        list[tuple[Interval, Interval]]: TAR's and the threshold's interval for each target.
    """
    for far in fars:
        check_far(far)
    if len(subjects) != len(scores):
        raise ValueError(f'{len(scores)} pairs, but subjects of {len(subjects)}')
    sample = WeightedSample(scores, issame)
    drawn = np.array([_points(sample.roc(weights), fars) for weights in resampled_weights(subjects, resamples, seed)])
    return [tuple(percentile_interval(drawn[:, number, column], confidence) for column in (0, 1))
            for number in range(len(fars))]


def _points(roc, fars):
    """TAR and threshold at each target, (F, 2); NaN without a curve."""
    if roc is None:
        return [(math.nan, math.nan)] * len(fars)
    found = [tar_at_far(roc, far) for far in fars]
    return [(point['value'], point['threshold']) for point in found]
