"""How certain a number is: bootstrap over identities, Wilson's interval, and McNemar's test of two models.

Pairs that share a person are not independent, so that resampling pairs makes intervals too narrow: people are drawn,
and all of a person's pairs with them (Bolle et al. 2004, subset bootstrap).
"""
import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """``low`` and ``high`` ends and the ``confidence`` they were made for, as result JSON has them."""
    low: float
    high: float
    confidence: float


def wilson(hits, trials, confidence=0.95):
    """Wilson's score interval of a share of independent trials (Wilson 1927).

    Args:
        hits (int): Successes.
        trials (int): Trials, above zero.
        confidence (float): In (0, 1).

    Returns:
        Interval: Within [0, 1], also for no or only hits.

    Raises:
        ValueError: If the counts are impossible or the confidence is outside (0, 1).
    """
    _check_confidence(confidence)
    if not 0 <= hits <= trials or trials == 0:
        raise ValueError(f'{hits} hits of {trials} trials is no share')
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = hits / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(0.0 if hits == 0 else low, 1.0 if hits == trials else high, confidence)


def mean_of_shares(shares, trials, confidence=0.95):
    """Normal interval of the mean of shares that come of independent trials each.

    Args:
        shares (sequence of float): In [0, 1].
        trials (sequence of int): How many trials each is a share of.
        confidence (float): In (0, 1).

    Returns:
        Interval: Within [0, 1].
    """
    _check_confidence(confidence)
    spread = math.sqrt(sum(share * (1 - share) / count for share, count in zip(shares, trials))) / len(shares)
    half, mean = NormalDist().inv_cdf((1 + confidence) / 2) * spread, sum(shares) / len(shares)
    return Interval(max(0.0, mean - half), min(1.0, mean + half), confidence)


def _check_confidence(confidence):
    if not 0 < confidence < 1:
        raise ValueError(f'a confidence is a fraction between 0 and 1, not {confidence}')


def resampled_weights(subjects, resamples=1000, seed=0):
    """How often each pair is drawn when people are drawn with replacement.

    Args:
        subjects (array (P,) or (P, 2)): The person, or both persons, of each pair; any labels. With two, a pair's
            weight is the product of theirs for different people, and the person's own for one.
        resamples (int): Draws.
        seed (int): Of the generator.

    Yields:
        ndarray (P,): int64 weights, one array a draw.
    """
    subjects = np.asarray(subjects)
    known, codes = np.unique(subjects, return_inverse=True)
    sides = np.ascontiguousarray(codes.reshape(len(subjects), -1).T)
    same = np.flatnonzero(sides[0] == sides[-1])
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(0, len(known), len(known)), minlength=len(known))
        weights = drawn[sides[0]]
        if len(sides) == 2:
            weights *= drawn[sides[1]]
            weights[same] = drawn[sides[0, same]]
        yield weights


def percentile_interval(values, confidence=0.95):
    """The middle share of resampled values.

    Args:
        values (sequence of float): One for each draw; NaN for draws in which the number is not defined.
        confidence (float): In (0, 1).

    Returns:
        Interval: By percentiles.

    Raises:
        ValueError: If more than one draw in ten is undefined.
    """
    _check_confidence(confidence)
    values = np.asarray(values, dtype=np.float64)
    defined = values[~np.isnan(values)]
    if len(defined) < 0.9 * len(values) or not len(defined):
        raise ValueError(f'the number is undefined in {len(values) - len(defined)} of {len(values)} resamples: there '
                         'are too few people for an interval')
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), confidence)


def weighted_rate(hits, weights):
    """Share of hits (P,) under weights (P,); NaN if nothing was drawn."""
    total = weights.sum()
    return float(weights[hits].sum() / total) if total else math.nan


def mcnemar(first, second):
    """Exact McNemar test: do two models that saw the same pairs err equally often (McNemar 1947)?

    Args:
        first (array (P,)): bool, the first model decided the pair rightly.
        second (array (P,)): bool, the second did.

    Returns:
        dict: ``only_first`` and ``only_second`` (pairs that just one decided rightly) and the two-sided ``p_value``
        of the binomial test that both are equally likely.

    Raises:
        ValueError: If the counts differ.
    """
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(f'the models decided {first.size} and {second.size} pairs: they must be the same pairs')
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return dict(only_first=only_first, only_second=only_second, p_value=_binomial_p(only_first, only_second))


def _binomial_p(one, other):
    """Two-sided exact p of ``one`` against ``other`` when both sides are equally likely."""
    trials, fewer = one + other, min(one, other)
    if one == other:
        return 1.0
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) - trials * math.log(2)
            for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))
