"""Rates at thresholds that move with the sample: TAR at FAR and calibrated thresholds under resampled people."""
import math

import numpy as np

from mlaface.evaluation.functional.checks import check_far, check_scores
from mlaface.evaluation.functional.intervals import percentile_interval, resampled_weights


class WeightedSample:
    """Scores sorted once, to be read under many weights.

    Args:
        scores (array (P,)): Higher means more alike.
        issame (array (P,)): bool.
    """

    def __init__(self, scores, issame):
        scores, issame = check_scores(scores, issame)
        self.order = np.argsort(-scores, kind='stable')
        self.scores, self.issame = scores[self.order], issame[self.order]
        self.last = np.append(np.flatnonzero(self.scores[1:] != self.scores[:-1]), len(scores) - 1)

    def strict_point(self, weights, far):
        """TAR and threshold of the strict rule under weights.

        Args:
            weights (ndarray (P,)): How often each pair counts, in the order of the scores given.
            far (float): Target.

        Returns:
            tuple[float, float]: NaN for both where one kind of pair is missing.
        """
        weights = weights[self.order]
        true_accepts = np.cumsum(weights * self.issame)[self.last]
        false_accepts = np.cumsum(weights * ~self.issame)[self.last]
        if true_accepts[-1] == 0 or false_accepts[-1] == 0:
            return math.nan, math.nan
        point = int(np.searchsorted(false_accepts / false_accepts[-1], far, side='right')) - 1
        if point < 0:
            return 0.0, float(np.nextafter(np.float64(self.scores[0]), np.inf))
        return float(true_accepts[point] / true_accepts[-1]), float(self.scores[self.last[point]])


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
    drawn = np.array([[sample.strict_point(weights, far) for far in fars]
                      for weights in resampled_weights(subjects, resamples, seed)])
    return [tuple(percentile_interval(drawn[:, number, column], confidence) for column in (0, 1))
            for number in range(len(fars))]
