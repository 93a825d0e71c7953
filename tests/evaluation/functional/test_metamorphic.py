"""What changes a list and not what it says: no number of an evaluation may notice."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.evaluation.functional.calibration import calibrate_thresholds
from mlaface.evaluation.functional.groups import evaluate_groups
from mlaface.evaluation.functional.intervals import mcnemar
from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs
from mlaface.evaluation.functional.retrieval import evaluate_retrieval
from mlaface.evaluation.functional.roc import area_under, equal_error_rate, roc_curve, tar_table
from mlaface.evaluation.images.alignment import TEMPLATE, can_align, similarity

FARS = (1e-1, 1e-2, 0.3)


@st.composite
def scored(draw, most=50):
    """Scores with ties and labels of both kinds."""
    count = draw(st.integers(4, most))
    scores = draw(st.lists(st.integers(-9, 9), min_size=count, max_size=count))
    issame = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(lambda x: 0 < sum(x) < len(x)))
    return np.array(scores) / 16, np.array(issame)


def rates(scores, issame, rule='strict'):
    roc = roc_curve(scores, issame)
    table = tar_table(roc, FARS, rule)
    return area_under(roc), equal_error_rate(roc)[0], [(row['value'], row['false_accepts']) for row in table.values()]


@settings(max_examples=60)
@given(scored(), st.sampled_from([np.exp, np.cbrt, np.arctan, lambda x: 8 * x - 3, lambda x: x ** 3]),
       st.sampled_from(['strict', 'nearest']))
def test_any_rising_function_of_the_scores_changes_nothing(sample, function, rule):
    scores, issame = sample
    assert rates(function(scores), issame, rule) == rates(scores, issame, rule)


@settings(max_examples=60)
@given(scored(), st.integers(2, 4))
def test_every_pair_several_times_changes_no_rate(sample, times):
    scores, issame = sample
    area, equal, table = rates(scores, issame)
    again = rates(np.tile(scores, times), np.tile(issame, times))
    assert again[:2] == pytest.approx((area, equal), abs=1e-12)
    assert [(value, accepts) for value, accepts in again[2]] == [(value, accepts * times) for value, accepts in table]


@settings(max_examples=60)
@given(scored())
def test_the_other_question_has_the_mirrored_answer(sample):
    """Which pairs differ, by falling scores: hits and false accepts change their places."""
    scores, issame = sample
    area, equal, _ = rates(scores, issame)
    mirrored = rates(-scores, ~issame)
    assert mirrored[:2] == pytest.approx((area, equal), abs=1e-12)
    assert rates(-scores, issame)[0] == pytest.approx(1 - area, abs=1e-12)


@settings(max_examples=40)
@given(scored())
def test_a_calibrated_threshold_keeps_its_promise(sample):
    scores, issame = (np.tile(part, 12) for part in sample)  # enough of each kind for intervals
    table = calibrate_thresholds(scores, issame, FARS, resamples=5)['thresholds']
    for row in table.values():
        accepted = scores >= row['threshold']['value']
        assert accepted[~issame].sum() == row['false_accepts'] <= row['far'] * (~issame).sum() + 1e-9
        assert accepted[issame].mean() == row['tar']['value']
        assert row['false_accept_rate']['low'] <= row['false_accept_rate']['value'] <= row['false_accept_rate']['high']


def pairs(seed, count=40, size=6):
    draw = np.random.default_rng(seed)
    issame = np.arange(count) % 2 == 0
    rows = draw.standard_normal((2 * count, size))
    rows[1::2] += 0.9 * rows[::2] * issame[:, None]
    return rows, issame


def numbers(rows, issame, **options):
    metrics = evaluate_pairs(rows, issame, rules=PairRules(folds=4), **options)['metrics']
    return np.array([metrics['accuracy']['value'], metrics['auc']['value'], metrics['eer']['value'],
                     metrics['threshold']['value'], *(row['value'] for row in metrics['tar_at_far'].values())])


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_pairs_may_be_turned_stretched_and_shuffled_within_folds(seed, other):
    rows, issame = pairs(seed)
    expected, draw = numbers(rows, issame), np.random.default_rng(other)
    order = np.concatenate([draw.permutation(10) + start for start in range(0, 40, 10)])
    shuffled = rows.reshape(40, 2, -1)[order].reshape(80, -1)
    np.testing.assert_allclose(numbers(shuffled, issame[order]), expected, rtol=1e-12)
    turn = np.linalg.qr(draw.standard_normal((6, 6)))[0]
    np.testing.assert_allclose(numbers(rows @ turn, issame), expected, rtol=1e-9)
    stretched = rows * np.exp(draw.uniform(-5, 5, (80, 1)))
    np.testing.assert_allclose(numbers(stretched, issame), expected, rtol=1e-9)
    folds = [slice(start, start + 20) for start in range(0, 80, 20)]
    moved = np.concatenate([rows[folds[k]] for k in (2, 0, 3, 1)])
    np.testing.assert_allclose(numbers(moved, issame), expected, rtol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_a_mirror_image_that_is_the_image_changes_nothing(seed):
    rows, issame = pairs(seed)
    for flip in ('sum', 'concat'):
        rules = PairRules(folds=4, flip=flip)
        with_mirror = evaluate_pairs(rows, issame, flipped=rows, rules=rules)['metrics']
        plain = evaluate_pairs(rows, issame, rules=PairRules(folds=4))['metrics']
        np.testing.assert_allclose(with_mirror['accuracy']['folds'], plain['accuracy']['folds'])


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.permutations(['x', 'y', 'z']))
def test_groups_have_no_order_and_their_gap_no_sign(seed, names):
    data = {name: dict(zip(('embeddings', 'issame'), pairs(seed + number))) for number, name in enumerate('xyz')}
    rules = PairRules(folds=4)
    whole = evaluate_groups(data, rules=rules)['metrics']
    again = evaluate_groups({name: data[name] for name in names}, rules=rules)['metrics']
    assert again['accuracy']['value'] == pytest.approx(whole['accuracy']['value'], abs=1e-12)
    assert again['gap']['value'] == whole['gap']['value'] >= 0
    assert again['shared_threshold'] == whole['shared_threshold'] or again['shared_threshold']['groups'].keys() != \
        whole['shared_threshold']['groups'].keys()


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_a_gallery_has_no_order_and_a_far_stranger_no_rank(seed, block):
    draw = np.random.default_rng(seed)
    probes, gallery = draw.standard_normal((6, 5)), draw.standard_normal((12, 5))
    subjects, known = np.arange(6) % 4, np.append(np.arange(8) % 4, [-1] * 4)
    whole = evaluate_retrieval(probes, subjects, gallery, known)['metrics']
    order, swap = draw.permutation(12), draw.permutation(6)
    again = evaluate_retrieval(probes[swap], subjects[swap], gallery[order], known[order], block=block)['metrics']
    assert again['map']['value'] == pytest.approx(whole['map']['value'], abs=1e-12)
    assert again['rank'] == whole['rank']
    ranks = [row['value'] for row in whole['rank'].values()]
    assert ranks == sorted(ranks)
    names = {0: 17, 1: 3, 2: 99, 3: 0, -1: -1}
    renamed = evaluate_retrieval(probes, np.vectorize(names.get)(subjects), gallery, np.vectorize(names.get)(known))
    assert renamed['metrics'] == whole
    twice = evaluate_retrieval(np.tile(probes, (2, 1)), np.tile(subjects, 2), gallery, known)['metrics']
    assert twice['rank'] == whole['rank']


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_two_models_are_compared_alike_from_both_sides(decisions):
    first, second = map(np.array, zip(*decisions))
    one, other = mcnemar(first, second), mcnemar(second, first)
    assert one['p_value'] == other['p_value'] and 0 < one['p_value'] <= 1
    assert (one['only_first'], one['only_second']) == (other['only_second'], other['only_first'])
    agreed = mcnemar(np.append(first, [True] * 5), np.append(second, [True] * 5))
    assert agreed == one, 'what both decide alike tells nothing'


@settings(max_examples=60)
@given(st.floats(0.05, 20), st.floats(-np.pi, np.pi), st.floats(-500, 500), st.floats(-500, 500), st.integers(0, 10**6))
def test_faces_that_differ_by_a_similarity_become_one(scale, angle, right, down, seed):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = TEMPLATE + np.random.default_rng(seed).normal(0, 3, (5, 2))
    moved = points @ turn.T + (right, down)
    matrices = similarity(points, TEMPLATE), similarity(moved, TEMPLATE)
    crops = [np.c_[where, np.ones(5)] @ matrix.T for where, matrix in zip((points, moved), matrices)]
    np.testing.assert_allclose(crops[0], crops[1], atol=1e-6)
    linear = matrices[1][:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.linalg.det(linear) * np.eye(2), atol=1e-9)
    assert np.linalg.det(linear) > 0, 'a face is never mirrored'
    assert can_align(np.stack([points, moved])).all()


def test_faces_that_cannot_be_aligned_are_told_from_those_that_can():
    line = np.arange(10.).reshape(5, 2)
    faces = np.stack([line, np.ones((5, 2)), np.full((5, 2), np.nan), line * [1, np.inf], line * 1e-3])
    faces[3][0, 1] = 0
    assert can_align(faces).tolist() == [True, False, False, False, True]
    assert np.isfinite(similarity(line, TEMPLATE)).all()
