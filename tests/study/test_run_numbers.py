"""Runs as numbers: curves between validations, targets, draws of the pairs; and numbers as words."""
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlaface.study import words
from mlaface.study.read import RunNumbers, at, first_step, gap
from mlaface.study.recipes import merge, nested
from mlaface.study.resampled import MEAN, Weights, curve_accuracies, draw_weights, last_numbers, read_scores
from mlaface.study.worker import pack_scores, right

CURVES = st.lists(st.floats(0.5, 1), min_size=1, max_size=8)


def run(curve, drawn=None, final=None, **result):
    steps = 10.0 * np.arange(1, len(curve) + 1)
    return RunNumbers(None, result, final or {}, {}, steps, np.array(curve), drawn)


@given(CURVES, st.floats(0.51, 1))
def test_a_target_is_reached_where_the_curve_first_crosses_it(curve, target):
    step = first_step(run(curve), target)
    if math.isnan(step):
        assert max(curve) < target
        return
    line = np.interp(step, [0, *(10 * np.arange(1, len(curve) + 1))], [0.5, *curve])
    assert line == pytest.approx(target) and all(value < target for value in curve[:math.ceil(step / 10) - 1])


@given(CURVES, st.floats(-5, 200))
def test_between_validations_is_a_straight_line_in_the_draws_too(curve, step):
    draws = np.stack([np.array(curve), np.array(curve) / 2], 1)
    value, drawn = at(run(curve, draws), step)
    assert min(curve) - 1e-9 <= value <= max(curve) + 1e-9
    np.testing.assert_allclose(drawn, [value, value / 2], atol=1e-12)
    assert at(run(curve), step) == (value, None)


def test_a_run_that_diverged_counts_by_chance():
    scored = dict(accuracy={'one': 0.8, MEAN: 0.8})
    well, wild = run([0.8], final=scored), run([0.5], final=dict(chance=True))
    well.drawn = dict(accuracy={'one': np.array([0.7, 0.9])})
    value, drawn = gap(well, wild, 'accuracy', 'one')
    assert value == pytest.approx(0.3) and drawn == pytest.approx([0.2, 0.4])
    assert gap(wild, well, 'accuracy', 'one')[0] == pytest.approx(-0.3)
    assert gap(wild, wild, 'tar_at_far.1e-2', 'one')[0] == 0
    well.drawn = {}
    assert gap(well, wild, 'accuracy', 'one')[1] is None, 'without scores pairs count as given'


def test_what_an_iteration_takes_is_of_the_last_validation():
    last = dict(iter=50, images=400, wall=20.0, processor=10.0)
    costs = run([0.5], macs=1e6, validations=[dict(last, iter=1), last]).per_step
    assert costs == dict(iterations=1.0, processor=0.2, wall=0.4, macs=8e6)
    assert math.isnan(run([0.5], macs=None, validations=[last]).per_step['macs'])
    assert math.isnan(run([0.5], validations=[]).per_step['wall'])


LABELS = st.lists(st.booleans(), min_size=2, max_size=40).filter(lambda labels: any(labels) and not all(labels))


@given(LABELS)
def test_each_draw_has_as_many_pairs_of_either_kind(labels):
    labels = np.array(labels)
    drawn = draw_weights('set', labels, 20)
    assert (drawn[:, labels].sum(1) == labels.sum()).all() and (drawn[:, ~labels].sum(1) == (~labels).sum()).all()
    assert (drawn >= 0).all() and np.array_equal(drawn, draw_weights('set', labels, 20))


def test_runs_of_one_set_share_their_draws_and_sets_do_not():
    weights, labels = Weights(50), np.arange(40) % 2 == 0
    assert weights.of('one', labels) is weights.of('one', labels.copy())
    assert not np.array_equal(weights.of('one', labels), weights.of('two', labels))
    assert not np.array_equal(weights.of('one', labels), weights.of('one', ~labels))


@pytest.fixture
def packed(tmp_path):
    """Scores of two validations as a training leaves them, packed, in a file; the last looked at all pairs."""
    random, labels = np.random.default_rng(0), np.arange(80) % 4 < 2
    validations, scores = [], {}
    for step, every in ((5, 2), (10, 1)):
        scores[step] = (np.where(labels, 0.3, 0) + random.normal(0, 0.3, 80)).astype(np.float32)[::every]
        np.savez(tmp_path / f'record_{step}.npz', one=scores[step], **{'one/issame': labels[::every]})
        validations.append(dict(iter=step, whole=every == 1, sets={}))
    arrays = pack_scores(tmp_path, validations, 2, 4)
    np.savez(tmp_path / 'run.npz', **arrays)
    return tmp_path / 'run.npz', validations, scores, labels


def test_what_is_packed_is_read_again(packed):
    path, validations, scores, labels = packed
    read = read_scores(path)
    np.testing.assert_allclose(read['scores']['one'], scores[10], atol=1e-3)
    assert np.array_equal(read['issame']['one'], labels) and set(read['right']) == {5, 10}
    assert path.stat().st_size < 2000
    assert validations[1]['between']['one']['accuracy'] == pytest.approx(
        right(scores[10][::2].astype(float), labels[::2], 4).mean())
    assert read_scores(path.with_name('none.npz')) == dict(scores={}, issame={}, right={})


def test_draws_that_take_each_pair_once_give_the_numbers_themselves(packed):
    path, validations, scores, labels = packed

    class Once(Weights):
        def of(self, name, issame):
            return np.ones((3, len(issame)), np.int16)
    read = read_scores(path)
    found = last_numbers(read, Once(), 4)
    expected = right(read['scores']['one'].astype(float), labels, 4).mean()
    assert found['accuracy']['one'] == pytest.approx([expected] * 3)
    assert all(np.array_equal(table[MEAN], table['one']) for table in found.values())
    curve = curve_accuracies(read, [5, 10], Once(), dict(one=labels[::2]))
    assert curve[:, 0] == pytest.approx([right(scores[5].astype(float), labels[::2], 4).mean(),
                                         validations[1]['between']['one']['accuracy']])
    assert curve_accuracies(read, [5, 7], Once(), dict(one=labels[::2])) is None
    assert curve_accuracies(read, [5], Once(), dict(two=labels[::2])) is None
    assert last_numbers(read_scores(Path('none.npz')), Once(), 4) == {}


KEYS = st.text('abc', min_size=1, max_size=2)


@given(st.dictionaries(st.lists(KEYS, min_size=1, max_size=3).map('.'.join), st.integers(), max_size=1))
def test_a_dotted_key_is_a_way_into_the_config(dotted):
    tree = nested(dotted)
    for key, value in dotted.items():
        node = tree
        for name in key.split('.'):
            node = node[name]
        assert node == value


TREES = st.recursive(st.integers(), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8).filter(
    lambda tree: isinstance(tree, dict))


@given(TREES, TREES)
def test_what_is_merged_has_all_of_the_change_and_what_it_leaves(base, change):
    merged = merge(base, change)
    assert merge(merged, change) == merged and merge(base, {}) == base and merge({}, change) == change
    assert set(merged) == set(base) | set(change)
    assert all(merged[key] == value for key, value in base.items() if key not in change)


@given(st.floats(0, 1e20))
def test_a_large_number_is_short_and_right(value):
    text = words.large(value)
    number, _, letter = text.partition(' ')
    size = dict(k=1e3, M=1e6, G=1e9, T=1e12, P=1e15, E=1e18).get(letter, 1)
    assert float(number) * size == pytest.approx(value, rel=6e-3) and len(text) <= 7 or value < 1e-3


@pytest.mark.parametrize('value, text', [(9999.4, '9999'), (9999.6, '10 k'), (999_600, '1 M'), (0, '0'), (1e18, '1 E')])
def test_a_number_at_the_edge_of_a_unit_is_no_power_of_ten(value, text):
    assert words.large(value) == text


def test_a_mean_has_its_spread_where_there_is_one():
    assert words.spread(dict(mean=0.81234, sd=None)) == '0.8123'
    assert words.spread(dict(mean=0.5, sd=0.0104)) == '0.5000 ± 0.0104'


def test_what_is_not_known_is_said_or_left_out():
    nan = math.nan
    assert words.signed(nan) == 'not known' and words.interval(nan, 0.1) == words.interval(None, None) == ''
    assert words.signed(-0.01) == '-0.0100' and words.interval(-0.01, 0.02) == '[-0.0100, +0.0200]'
    assert words.times(2.5, 2) == '1.25 x' and words.times(None, 2) == words.times(2, 0) == ''


def test_verdicts_are_of_the_interval_of_all_comparisons():
    row = dict(variant='mine', reference='plain', value=0.02, low_all=0.01, high_all=0.03, holm=0.004, seen_all=0.01,
               seeds=[1, 2], places=['one', 'two', 'mean'], all_sets=['one', 'two'])
    rows = [row, dict(row, low_all=-0.03, high_all=-0.01), dict(row, low_all=-0.01, all_sets=[]),
            dict(row, low_all=math.nan, seeds=[1])]
    better, worse, neither, single = words.verdicts(dict(comparisons=rows))
    assert 'is better (+0.0200 [+0.0100, +0.0300], corrected p 0.004)' in better and 'is worse' in worse
    assert 'is not told apart' in neither and 'a difference of 0.0100 would have been seen' in neither
    assert single.endswith('on 1 seed; an interval needs two')
    assert words.beats_everywhere(dict(comparisons=rows[:1])) == ['mine over plain']
    assert words.beats_everywhere(dict(comparisons=rows[2:3])) == []
