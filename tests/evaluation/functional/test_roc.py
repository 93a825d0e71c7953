"""ROC, AUC, EER and TAR at FAR: golden numbers, scikit-learn, ties and ends."""
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.functional.roc import (
    area_under,
    curve_corners,
    det_points,
    equal_error_rate,
    far_name,
    roc_curve,
    tar_at_far,
    tar_table,
)


@pytest.fixture(scope='module')
def few(golden_file):
    return np.load(golden_file('verification_golden.npz'))


def test_few_distinct_scores_are_golden(few):
    roc = roc_curve(few['few_scores'], few['few_issame'])
    assert area_under(roc) == pytest.approx(float(few['few_auc']), abs=1e-12)
    assert equal_error_rate(roc)[0] == pytest.approx(float(few['few_eer']), abs=1e-12)
    strict = [list(row.values()) for row in tar_table(roc, few['fars']).values()]
    np.testing.assert_allclose(strict, few['few_strict'], rtol=1e-12)
    nearest = [row['value'] for row in tar_table(roc, few['fars'], 'nearest').values()]
    np.testing.assert_allclose(nearest, few['few_nearest_tar'], rtol=1e-12)


@st.composite
def samples(draw):
    """Scores with many ties, labels of both kinds."""
    count = draw(st.integers(2, 60))
    scores = draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count))
    issame = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(lambda x: 0 < sum(x) < len(x)))
    return np.array(scores) / 7, np.array(issame)


@settings(max_examples=100, deadline=None)
@given(samples())
def test_curve_and_area_are_those_of_scikit_learn(sample):
    scores, issame = sample
    roc = roc_curve(scores, issame)
    far, tar, thresholds = sklearn.metrics.roc_curve(issame, scores, drop_intermediate=False)
    np.testing.assert_allclose(roc.far, far[1:], atol=1e-12)
    np.testing.assert_allclose(roc.tar, tar[1:], atol=1e-12)
    np.testing.assert_array_equal(roc.thresholds, thresholds[1:])
    assert area_under(roc) == pytest.approx(sklearn.metrics.roc_auc_score(issame, scores), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(samples(), st.floats(0, 1))
def test_strict_is_the_best_of_all_thresholds_within_the_target(sample, target):
    scores, issame = sample
    point = tar_at_far(roc_curve(scores, issame), target)
    rates = [((scores[issame] >= t).mean(), (scores[~issame] >= t).mean()) for t in [*np.unique(scores), np.inf]]
    assert point['value'] == max(tar for tar, far in rates if far <= target)
    accepted = scores >= point['threshold']
    assert point['value'] == accepted[issame].mean()
    assert point['false_accepts'] == accepted[~issame].sum() <= target * (~issame).sum() + 1e-9


@settings(max_examples=200, deadline=None)
@given(samples(), st.floats(0, 1))
def test_nearest_is_what_the_public_ijb_script_reads_off_scikit_learns_curve(sample, target):
    """Its curve lacks points between equal steps, so that the nearest FAR may be farther than that of all scores."""
    scores, issame = sample
    point = tar_at_far(roc_curve(scores, issame), target, 'nearest')
    far, tar, _ = sklearn.metrics.roc_curve(issame, scores)
    far, tar = np.flipud(far), np.flipud(tar)
    assert point['value'] == tar[min(zip(abs(far - target), range(len(far))))[1]]
    accepted = scores >= point['threshold']
    assert (point['value'], point['false_accepts']) == (accepted[issame].mean(), accepted[~issame].sum())


@settings(max_examples=50, deadline=None)
@given(samples(), st.integers(0, 100))
def test_order_of_pairs_does_not_matter(sample, seed):
    scores, issame = sample
    order = np.random.default_rng(seed).permutation(len(scores))
    whole, other = roc_curve(scores, issame), roc_curve(scores[order], issame[order])
    for ours, shuffled in zip(vars(whole).values(), vars(other).values()):
        np.testing.assert_array_equal(ours, shuffled)


@settings(max_examples=50, deadline=None)
@given(samples())
def test_equal_error_rate_lies_on_the_drawn_curve(sample):
    roc = roc_curve(*sample)
    rate, _ = equal_error_rate(roc)
    far, miss = np.append(0, roc.far), np.append(1, 1 - roc.tar)
    along = np.linspace(0, 1, 2001)[:, None]
    points = [(far[:-1] + along * np.diff(far)).ravel(), (miss[:-1] + along * np.diff(miss)).ravel()]
    best = np.argmin(np.abs(points[0] - points[1]))
    assert rate == pytest.approx(points[0][best], abs=1e-3)


def test_corners_draw_the_same_curve_as_scikit_learn_keeps():
    rng = np.random.default_rng(0)
    scores, issame = rng.normal(size=500), rng.random(500) < 0.4
    roc = roc_curve(scores, issame)
    far, tar, _ = sklearn.metrics.roc_curve(issame, scores)
    keep = curve_corners(roc)
    np.testing.assert_allclose(np.interp(np.linspace(0, 1, 999), roc.far, roc.tar),
                               np.interp(np.linspace(0, 1, 999), roc.far[keep], roc.tar[keep]), atol=1e-12)
    assert len(keep) <= len(far)


def test_thinned_det_keeps_the_ends():
    rng = np.random.default_rng(0)
    roc = roc_curve(rng.normal(size=5000), rng.random(5000) < 0.5)
    points = det_points(roc, 50)
    assert len(points['far']) <= 52 and points['far'][-1] == 1
    assert points['threshold'][0] == roc.thresholds[0]


def test_nothing_is_accepted_where_the_highest_score_is_a_false_one():
    point = tar_at_far(roc_curve([0.9, 0.8, 0.1], [False, True, False]), 0.1)
    assert point['value'] == 0 and point['false_accepts'] == 0 and point['threshold'] > 0.9


def test_a_target_that_is_met_exactly_is_met():
    for negatives in (10, 29, 100, 1000):
        scores = np.append(np.linspace(1, 0, negatives), 2)
        issame = np.append(np.zeros(negatives, bool), True)
        roc = roc_curve(scores, issame)
        assert [tar_at_far(roc, k / negatives)['false_accepts'] for k in range(negatives)] == list(range(negatives))


def test_names_of_rates():
    assert [far_name(rate) for rate in (1e-1, 1e-6, 0.025, 1)] == ['1e-1', '1e-6', '2.5e-2', '1e0']


@pytest.mark.parametrize('scores, issame, message', [
    ([0.1, np.nan], [True, False], 'score of pair 1'), ([0.1], [True, False], 'labels 2 pairs'),
    ([0.1, 0.2], [True, True], 'no different'), ([[0.1]], [True], 'shape'), ([0.1, 0.2], [0, 2], '0 and 1'),
])
def test_bad_scores_are_refused(scores, issame, message):
    with pytest.raises(ValueError, match=message):
        roc_curve(scores, issame)


def test_bad_targets_are_refused():
    roc = roc_curve([0.1, 0.2], [False, True])
    with pytest.raises(ValueError, match='fraction'):
        tar_at_far(roc, 5)
    with pytest.raises(ValueError, match='far_rule'):
        tar_at_far(roc, 0.1, 'closest')
