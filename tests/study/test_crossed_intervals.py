"""The statistics on made-up studies whose truth is known."""
import math
from functools import cache

import numpy as np
import pytest
from scipy import stats

from mlaface.study.statistics import crossed_difference, holm, interval_at, mean_covariance, paired_ratio, smallest_seen


def study(random, seeds, pairs, draws, effect=0.0, seed_spread=0.03, pair_spread=0.3):
    """Differences (S,) and resampled differences (S, R) of two methods on crossed seeds and pairs.

    A pair is decided rightly by a chance that depends on method and seed, on how hard it is for all, and on how hard
    it is for one of the methods whatever its seed.
    """
    hard = random.normal(0.85, 0.1, pairs)
    taste = random.normal(0, pair_spread, (2, 1, pairs))
    level = random.normal(0, seed_spread, (2, seeds, 1))
    chance = hard + taste + level
    chance[0] += effect
    right = (random.random(chance.shape) < chance).astype(float)
    gap = right[0] - right[1]
    return gap.mean(1), (resampling(pairs, draws, int(random.integers(8))) @ gap.T / pairs).T


@cache
def resampling(pairs, draws, number):
    """How often each pair is in each draw (R, pairs), one of eight: drawing them costs more than all else here."""
    return np.random.default_rng(number).multinomial(pairs, np.full(pairs, 1 / pairs), draws).astype(float)


@pytest.mark.parametrize('seeds, seed_spread, pair_spread', [(2, 0.03, 0.2), (5, 0.03, 0.2), (7, 0.0, 0.3),
                                                              (5, 0.06, 0.0)])
def test_no_difference_is_found_in_one_study_of_twenty(seeds, seed_spread, pair_spread):
    random, studies = np.random.default_rng(0), 400
    found = sum(crossed_difference(*study(random, seeds, 300, 200, 0, seed_spread, pair_spread)).p < 0.05
                for _ in range(studies))
    assert found / studies < 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / studies)


def test_pairs_and_seeds_alone_are_not_enough():
    """What each simpler interval gets wrong, and the crossed one right: the same 300 studies without a difference."""
    random, wrong = np.random.default_rng(1), dict(crossed=0, seeds=0, pairs=0)
    for _ in range(300):
        values, resampled = study(random, 5, 300, 200, 0, 0.03, 0.3)
        wrong['crossed'] += crossed_difference(values, resampled).p < 0.05
        wrong['seeds'] += crossed_difference(values).p < 0.05
        wrong['pairs'] += abs(values[0]) > 1.96 * resampled[0].std()
    assert wrong['crossed'] <= 0.08 * 300 < 0.10 * 300 < min(wrong['seeds'], wrong['pairs']), wrong


def test_the_interval_holds_a_known_difference_and_finds_a_large_one():
    random, truth, held, found = np.random.default_rng(2), 0.03, 0, 0
    for _ in range(200):
        # chances near 0.5 are not cut off, so that the mean difference is the effect
        hard = random.normal(0.5, 0.05, (1, 1, 400)) + random.normal(0, 0.02, (2, 5, 1))
        hard[0] += truth
        gap = (random.random((2, 5, 400)) < hard).astype(float)
        gap = gap[0] - gap[1]
        weights = resampling(400, 100, int(random.integers(8)))
        result = crossed_difference(gap.mean(1), (weights @ gap.T / 400).T)
        held += result.low <= truth <= result.high
    assert held >= 0.90 * 200
    for _ in range(50):
        found += crossed_difference(*study(random, 5, 500, 100, 0.15)).p < 0.05
    assert found >= 47


def test_one_seed_has_no_interval_and_equal_runs_have_no_difference():
    assert math.isnan(crossed_difference([0.1], [[0.1, 0.2]]).low)
    equal = crossed_difference([0.0, 0.0], np.zeros((2, 5)))
    assert (equal.value, equal.p, equal.error) == (0, 1, 0)


def test_without_draws_it_is_students_interval():
    values = np.array([0.01, 0.03, -0.01, 0.02])
    result = crossed_difference(values)
    expected = stats.ttest_1samp(values, 0)
    assert result.p == pytest.approx(expected.pvalue)
    assert (result.low, result.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_mean_covariance_is_that_of_different_seeds():
    rows = np.random.default_rng(0).normal(size=(3, 50))
    covariance = np.cov(rows)
    assert mean_covariance(rows) == pytest.approx((covariance[0, 1] + covariance[0, 2] + covariance[1, 2]) / 3)


def test_holm_is_the_published_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    corrected = holm([0.01, math.nan, 0.5])
    assert corrected[0] == pytest.approx(0.03) and math.isnan(corrected[1]) and corrected[2] == 1.0


def test_the_power_line_says_what_is_seen_in_four_of_five_studies():
    random, spread, seeds = np.random.default_rng(3), 0.01, 5
    typical = crossed_difference(random.normal(0, 1, 5) * 0 + np.array([-1, -0.5, 0, 0.5, 1]) * spread / 0.790569)
    size = smallest_seen(typical)
    assert typical.error == pytest.approx(spread / math.sqrt(seeds), rel=1e-3)
    found = np.mean([crossed_difference(random.normal(size, spread, seeds)).p < 0.05 for _ in range(1500)])
    assert abs(found - 0.8) < 0.035


@pytest.mark.parametrize('truth', [0.5, 1.0, 1.5])
def test_a_known_ratio_is_recovered(truth):
    random, held, values = np.random.default_rng(4), 0, []
    for _ in range(300):
        second = np.exp(random.normal(6, 0.2, 6))
        first = second * truth * np.exp(random.normal(0, 0.1, 6))
        ratio = paired_ratio(first, second, [(1e5, 1e5)] * 6)
        values.append(ratio.value)
        held += ratio.low <= truth <= ratio.high
    assert abs(np.mean(np.log(values)) - math.log(truth)) < 0.01 and 0.92 <= held / 300 <= 0.98


def test_runs_that_never_arrive_are_bounds():
    nan, ends = math.nan, [(1000, 1000)] * 7
    first, second = [nan, nan, 400, 300, nan, nan, nan], [500, 400, 500, 400, 200, 500, nan]
    ratio = paired_ratio(first, second, ends)
    assert ratio.kind == 'median' and ratio.censored == 5 and math.isnan(ratio.value)
    assert ratio.low == 0 and ratio.high == math.inf and ratio.confidence == pytest.approx(1 - 2 / 2 ** 7)
    late = paired_ratio([nan] * 7, [500] * 7, ends)
    assert (late.low, late.high) == (2.0, math.inf)
    nobody = paired_ratio([nan] * 3, [nan] * 3, [(9, 9)] * 3)
    assert (nobody.low, nobody.high) == (0, math.inf) and nobody.confidence == 0.75
    few = paired_ratio([nan, 100], [100, 100], [(200, 200)] * 2)
    assert (few.low, few.confidence) == (1.0, 0.5)


def test_censored_medians_cover_the_truth():
    random, truth, held = np.random.default_rng(5), 1.3, 0
    for _ in range(300):
        second = np.exp(random.normal(6, 0.2, 7))
        first = second * truth * np.exp(random.normal(0, 0.15, 7))
        first[first > 550] = math.nan
        ratio = paired_ratio(first, second, [(550, 2000)] * 7)
        held += ratio.low <= truth <= ratio.high
    assert held / 300 > 0.92


def test_two_seeds_that_agree_by_chance_are_no_certainty():
    """No interval is narrower than that of the pairs alone, whatever the seeds' own spread comes to."""
    random = np.random.default_rng(4)
    _, resampled = study(random, 2, 600, 400, 0, 0.0, 0.2)
    of_pairs = stats.norm.isf(0.025) * resampled.mean(0).std(ddof=1)
    for values in ([6 / 600, 6 / 600], [6 / 600, 7 / 600]):
        found = crossed_difference(values, resampled)
        assert found.high - found.value >= 0.999 * of_pairs and found.p > 0.2
        low, high = interval_at(found, 0.999)
        assert low < found.low and high > found.high and smallest_seen(found) > of_pairs


def test_without_a_word_on_the_spread_there_is_no_interval():
    found = crossed_difference([0.1, 0.1])
    assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.p)
    same = crossed_difference([0.0, 0.0], np.zeros((2, 50)))
    assert (same.low, same.high, same.p) == (0, 0, 1)
    assert math.isnan(paired_ratio([80, 80], [100, 100], [(200, 200)] * 2).low)
