"""What the ten-fold protocol is made of, against the plainest way to say it."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlaface.evaluation.functional.checks import check_far, check_matrix, check_norms, check_same_shape, count_repeated
from mlaface.evaluation.functional.folds import (
    accepted_counts,
    check_folds,
    fold_accuracy,
    fold_hits,
    fold_numbers,
    fold_sizes,
    fold_weights,
)

SHAPES = st.tuples(st.integers(1, 60), st.integers(1, 10))


@given(SHAPES)
def test_folds_are_consecutive_and_differ_by_one_pair(shape):
    pairs, folds = shape
    sizes, numbers = fold_sizes(pairs, folds), fold_numbers(pairs, folds)
    assert sizes.sum() == pairs == len(numbers) and np.ptp(sizes) <= 1 and (np.diff(sizes) <= 0).all()
    assert (np.diff(numbers) >= 0).all() and np.array_equal(np.bincount(numbers, minlength=folds), sizes)


@given(SHAPES.filter(lambda shape: shape[0] >= shape[1]), st.integers(0, 9))
def test_weighted_pairs_have_the_mean_of_the_folds(shape, seed):
    pairs, folds = shape
    hits = np.random.default_rng(seed).random(pairs) < 0.7
    by_fold = np.mean([hits[fold_numbers(pairs, folds) == fold].mean() for fold in range(folds)])
    assert (hits * fold_weights(pairs, folds)).mean() == pytest.approx(by_fold)


def case(seed, pairs=24, folds=3):
    random = np.random.default_rng(seed)
    issame = np.tile([True, False], pairs // 2)
    distance = np.round(random.random(pairs) + ~issame * 0.3, 2)  # rounded: ties with the grid
    return distance, issame, folds, np.arange(0, 1.4, 0.05).round(2)


@pytest.mark.parametrize('seed', range(20))
def test_a_fold_is_tested_by_the_threshold_of_the_others(seed):
    distance, issame, folds, grid = case(seed)
    number = fold_numbers(len(distance), folds)
    found, hits = fold_accuracy(distance, issame, folds, grid), fold_hits(distance, issame, folds, grid)
    for fold in range(folds):
        others = number != fold
        right = [((distance < t) == issame)[others].sum() for t in grid]
        threshold = grid[int(np.argmax(right))]  # the first of equals
        assert found.thresholds[fold] == threshold
        mine = ((distance < threshold) == issame)[~others]
        assert found.accuracy[fold] == pytest.approx(mine.mean()) and np.array_equal(hits[~others], mine)


@pytest.mark.parametrize('seed', range(5))
def test_counts_are_those_below_each_threshold(seed):
    distance, issame, folds, grid = case(seed, 26, 4)
    counts, number = accepted_counts(distance, issame, folds, grid), fold_numbers(len(distance), folds)
    for fold in range(folds):
        for label in (0, 1):
            chosen = distance[(number == fold) & (issame == label)]
            assert counts[fold, label].tolist() == [(chosen < threshold).sum() for threshold in grid]


@pytest.mark.parametrize('issame, folds, message', [
    ([True, False, True], 2, '3 pairs are too few for 2 folds'),
    ([True, True, True, False], 2, r'fold 0 \(pairs 0 to 1\) has no different pairs'),
    ([True, False, False, False], 2, r'fold 1 \(pairs 2 to 3\) has no same pairs')])
def test_a_fold_without_one_kind_is_named(issame, folds, message):
    with pytest.raises(ValueError, match=message):
        check_folds(np.array(issame), folds)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
def test_pairs_count_as_listed_again_in_either_order(pairs):
    assert count_repeated(np.array(pairs)) == len(pairs) - len({tuple(sorted(pair)) for pair in pairs})


@pytest.mark.parametrize('embeddings, names, message', [
    (np.ones(3), None, r'got shape \(3,\)'), (np.ones((0, 4)), None, r'got shape \(0, 4\)'),
    (np.ones((2, 2), int), None, 'got int64'), (np.ones((2, 2)), ['a'], '2 rows, but there are 1 names')])
def test_what_is_no_matrix_of_embeddings_is_refused(embeddings, names, message):
    with pytest.raises(ValueError, match=message):
        check_matrix(embeddings, names=names)


@pytest.mark.parametrize('bad', [np.nan, np.inf, 0.0])
def test_an_embedding_without_a_direction_is_named(bad):
    check_norms(np.ones(3))
    with pytest.raises(ValueError, match=r'image 11 \(l\)'):
        check_norms(np.array([1.0, bad, 1.0]), names='abcdefghijklm', start=10)


def test_rates_and_mirrored_images_are_checked():
    for far in (0, 1e-3, 1):
        check_far(far)
    for far in (-1e-9, 1.1, float('nan')):
        with pytest.raises(ValueError, match='a fraction in'):
            check_far(far)
    with pytest.raises(ValueError, match='same images and the same network'):
        check_same_shape(np.ones((2, 3)), np.ones((2, 4)))
