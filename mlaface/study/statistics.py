"""Intervals and tests over two sources of chance, the seed of a training and the pairs of a test, and over seeds alone.

Every variant is trained on every seed and tested on every pair: seeds are crossed with pairs. That is the design of
studies in which several readers judge the same cases with two devices, whose variance is used here with seeds for
readers and pairs for cases: that of Obuchowski and Rockette (1995), with a covariance over the cases that any metric
can be given by a bootstrap. Its seeds' part has few degrees of freedom and its pairs' part many, so the critical value
is Cochran's (1964): the mean of both parts' values, weighted by the parts. On made-up studies without a difference it
finds one in 2 to 4%, where the degrees of freedom of Hillis (2007) find up to 12% with two seeds, and 4 to 6% with five
(``test_crossed_intervals.py``). Taking pairs alone as random makes one lucky seed significant; taking seeds alone
does so for a lucky choice of pairs (Bouthillier et al., 2021).
"""
import math
from typing import NamedTuple

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

SMALLEST_P = 1e-12  # below it quantiles of Student's distribution are not exact


class Difference(NamedTuple):
    """A mean difference over seeds, and what chance does to it.

    ``value``, ``low`` and ``high`` of the interval of ``confidence``, ``error`` (its standard error), ``p``
    (two-sided), ``seeds``, the two parts of the variance, ``seed_variance`` and ``pair_variance``, and ``by_pairs``,
    that of pairs alone, which the other two are estimates beside.
    """
    value: float
    low: float
    high: float
    confidence: float
    error: float
    p: float
    seeds: int
    seed_variance: float
    pair_variance: float
    by_pairs: float = 0.0


def crossed_difference(values, resampled=None, confidence=0.95):
    """Interval of a mean difference over random seeds and random pairs.

    ``Var = MS / S + max(C, 0)`` with ``MS`` the variance of the seeds' differences and ``C`` the mean covariance of two
    seeds' differences when the pairs, the same for all, are drawn anew. A few seeds may agree by chance, as numbers of
    right pairs often do: the interval is never narrower than that of pairs alone, nor ``p`` smaller.

    Args:
        values (array (S,)): Difference of each seed, on all pairs.
        resampled (array (S, R), optional): The same differences under R draws of the pairs, each draw the same for all
            seeds. None: pairs count as given, and the interval is Student's over seeds.
        confidence (float): In (0, 1).

    Returns:
        Difference: Without an interval (NaN) for a single seed, and where nothing tells of the spread.
    """
    values = np.asarray(values, float)
    seeds, mean = len(values), float(np.mean(values))
    if seeds < 2:
        return Difference(mean, math.nan, math.nan, confidence, math.nan, math.nan, seeds, math.nan, math.nan)
    own, shared, by_pairs = float(values.var(ddof=1)) / seeds, 0.0, 0.0
    if resampled is not None:
        shared = max(mean_covariance(resampled), 0.0)
        by_pairs = float(np.mean(resampled, axis=0).var(ddof=1))
    parts = own, shared, by_pairs
    error = math.sqrt(max(own + shared, by_pairs))
    if error == 0:
        end = mean if mean == 0 else math.nan  # two that are the same differ by nothing
        return Difference(mean, end, end, confidence, 0.0, 1.0 if mean == 0 else math.nan, seeds, *parts)
    half = _half(*parts, seeds, 1 - confidence)
    p = max(_p_value(abs(mean), own, shared, seeds), 2 * float(stats.norm.sf(abs(mean) / math.sqrt(by_pairs)))
            if by_pairs else 0.0)
    return Difference(mean, mean - half, mean + half, confidence, error, p, seeds, *parts)


def _half(own, shared, by_pairs, seeds, level):
    """Half of an interval: of seeds and pairs, or of pairs alone if that is wider (float)."""
    crossed = critical(own, shared, seeds, level) * math.sqrt(own + shared) if own + shared else 0.0
    return max(crossed, -float(special.ndtri(level / 2)) * math.sqrt(by_pairs))


def critical(own, shared, seeds, level):
    """Standard errors beyond which a mean difference is found at a level: Cochran's value (float).

    Args:
        own (float): Variance of the mean by seeds, of ``seeds - 1`` degrees of freedom.
        shared (float): Variance by pairs, which are many.
        seeds (int): S.
        level (float): Of the two-sided test.
    """
    of_seeds, of_pairs = -special.stdtrit(seeds - 1, level / 2), -special.ndtri(level / 2)  # as scipy.stats, sooner
    return float((own * of_seeds + shared * of_pairs) / (own + shared))


def _p_value(mean, own, shared, seeds):
    """The level at which a mean's size is critical, but no less than ``SMALLEST_P``; 0 where there is no spread."""
    if not own + shared:
        return 0.0
    size = mean / math.sqrt(own + shared)
    if size <= 0:
        return 1.0
    if size >= critical(own, shared, seeds, SMALLEST_P):
        return SMALLEST_P
    return math.exp(brentq(lambda level: critical(own, shared, seeds, math.exp(level)) - size,
                           math.log(SMALLEST_P), 0.0))


def mean_covariance(resampled):
    """Mean over pairs of seeds of the covariance of their rows (S, R), float; 0 for one seed."""
    resampled = np.asarray(resampled, float)
    seeds = len(resampled)
    if seeds < 2:
        return 0.0
    covariance = np.cov(resampled)
    return float((covariance.sum() - np.trace(covariance)) / (seeds * (seeds - 1)))


def interval_at(difference, confidence):
    """``low`` and ``high`` of a ``Difference`` at another confidence, tuple of floats."""
    if not difference.error > 0:
        return difference.low, difference.high
    half = _half(difference.seed_variance, difference.pair_variance, difference.by_pairs, difference.seeds,
                 1 - confidence)
    return difference.value - half, difference.value + half


def smallest_seen(difference, level=0.05, power=0.8):
    """The true difference that a test at ``level`` would have found with a chance of ``power``.

    Args:
        difference (Difference): Of the study as it was made: its spread and its seeds are taken.
        level (float): Of the two-sided test.
        power (float): In (0, 1).

    Returns:
        float: Above zero; NaN for a single seed.
    """
    if not difference.error > 0:
        return math.nan
    own, shared, seeds = difference.seed_variance, difference.pair_variance, difference.seeds
    by_pairs = (float(stats.norm.isf(level / 2)) + float(stats.norm.isf(1 - power))) * math.sqrt(difference.by_pairs)
    if not own + shared:
        return by_pairs
    freedom = min(((own + shared) / own) ** 2 * (seeds - 1), 1e6) if own else 1e6
    threshold = critical(own, shared, seeds, level)

    def missing(size):
        return power - stats.nct.sf(threshold, freedom, size)
    high = threshold + 10
    while missing(high) > 0:
        high *= 2
    return max(float(brentq(missing, 0, high) * math.sqrt(own + shared)), by_pairs)


def holm(values):
    """p-values corrected for their number by Holm's method (1979).

    Args:
        values (sequence of float): p-values; NaN stays NaN and counts as a test that was made.

    Returns:
        list[float]: In the same order.
    """
    values = np.asarray(values, float)
    order = np.argsort(np.where(np.isnan(values), np.inf, values), kind='stable')
    corrected, highest = np.full(len(values), math.nan), 0.0
    for rank, place in enumerate(order):
        if not math.isnan(values[place]):
            highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
            corrected[place] = highest
    return corrected.tolist()


class Ratio(NamedTuple):
    """A ratio over seeds: ``value`` between ``low`` and ``high`` at ``confidence``; how many seeds only bound it.

    ``kind`` is 'mean' (geometric, Student's interval of the logarithms) or, where a run never arrived, 'median', whose
    ``value`` is NaN where it is a bound, and whose interval is of order statistics.
    """
    value: float
    low: float
    high: float
    confidence: float
    seeds: int
    censored: int
    kind: str


def paired_ratio(first, second, ends, confidence=0.95):
    """How many times as long the first takes as the second, paired by seed; who never arrives gives a bound.

    Args:
        first (sequence of float (S,)): Iterations (or seconds) to the target; NaN: never.
        second (sequence of float (S,)): Of what it is compared with.
        ends (sequence of tuple (S,)): How far both runs went.
        confidence (float): In (0, 1).

    Returns:
        Ratio: Of bounds alone where nobody arrives: low 0, high infinite.
    """
    lows, highs = [], []
    for one, other, (one_end, other_end) in zip(first, second, ends):
        lows.append((one_end if math.isnan(one) else one) / other if not math.isnan(other) else 0.0)
        highs.append(one / (other_end if math.isnan(other) else other) if not math.isnan(one) else math.inf)
    lows, highs = np.array(lows), np.array(highs)
    censored = int((lows != highs).sum())
    if not censored and len(lows) > 1:
        found = crossed_difference(np.log(lows), confidence=confidence)
        return Ratio(*(math.exp(end) for end in (found.value, found.low, found.high)), confidence, len(lows), 0, 'mean')
    if not censored:
        return Ratio(float(lows[0]), math.nan, math.nan, confidence, 1, 0, 'mean')
    rank, reached = _order_statistic(len(lows), confidence)
    middle = float(np.median(lows)), float(np.median(highs))
    return Ratio(middle[0] if middle[0] == middle[1] else math.nan, float(np.sort(lows)[rank]),
                 float(np.sort(highs)[len(highs) - 1 - rank]), reached, len(lows), censored, 'median')


def _order_statistic(count, confidence):
    """The largest rank k (from 0) with P(x(k) < median < x(n-1-k)) of at least ``confidence``, and that chance.

    With too few values it is the outermost, with the confidence that these have.
    """
    best = 0
    for rank in range((count + 1) // 2):
        if 1 - 2 * stats.binom.cdf(rank, count, 0.5) >= confidence:
            best = rank
    return best, float(1 - 2 * stats.binom.cdf(best, count, 0.5))
