"""Intervals, comparison of models, groups and calibration."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from mlaface.cli import calibrate as command
from mlaface.evaluation.functional.calibration import calibrate_thresholds
from mlaface.evaluation.functional.groups import evaluate_groups
from mlaface.evaluation.functional.intervals import (
    mcnemar,
    mean_of_shares,
    percentile_interval,
    resampled_weights,
    wilson,
)
from mlaface.evaluation.functional.resampling import WeightedSample, bootstrap_strict
from mlaface.evaluation.functional.roc import area_under, equal_error_rate, roc_curve, tar_at_far


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_that_of_scipy(counts, confidence):
    ours = wilson(*counts, confidence)
    theirs = binomtest(*counts).proportion_ci(confidence, method='wilson')
    np.testing.assert_allclose(ours[:2], theirs, atol=1e-9)


def test_the_mean_of_shares_spreads_as_simulated():
    shares, trials = (0.9, 0.6, 0.75), (500, 200, 1000)
    found = mean_of_shares(shares, trials)
    drawn = np.random.default_rng(0).binomial(trials, shares, (20_000, 3)) / trials
    np.testing.assert_allclose(found[:2], np.quantile(drawn.mean(axis=1), [0.025, 0.975]), atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_the_exact_binomial_test(only_first, only_second):
    first = np.repeat([True, False, True], [only_first, only_second, 10])
    second = np.repeat([False, True, True], [only_first, only_second, 10])
    result = mcnemar(first, second)
    assert (result['only_first'], result['only_second']) == (only_first, only_second)
    total = only_first + only_second
    assert result['p_value'] == pytest.approx(binomtest(only_first, total).pvalue if total else 1, abs=1e-9)


def test_a_draw_of_people_weighs_pairs_of_two_by_their_product():
    subjects = np.array([['a', 'b'], ['a', 'a'], ['b', 'c']])
    generator = np.random.default_rng(5)
    for weights in resampled_weights(subjects, 20, seed=5):
        drawn = np.bincount(generator.integers(0, 3, 3), minlength=3)
        np.testing.assert_array_equal(weights, [drawn[0] * drawn[1], drawn[0], drawn[1] * drawn[2]])


def test_whole_weights_are_the_sample_written_out():
    rng = np.random.default_rng(3)
    scores, issame = rng.integers(0, 9, 40) / 9, np.arange(40) % 2 == 0
    weights = rng.integers(0, 4, 40)
    whole = roc_curve(np.repeat(scores, weights), np.repeat(issame, weights))
    for rule in ('strict', 'nearest'):
        assert tar_at_far(WeightedSample(scores, issame).roc(weights), 0.2, rule) == tar_at_far(whole, 0.2, rule)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 12))
def test_corners_alone_give_the_numbers_of_all_points(seed, pairs, levels):
    rng = np.random.default_rng(seed)
    scores, issame = rng.integers(0, levels, pairs) / 7, rng.random(pairs) < 0.3
    issame[:2] = True, False
    weights, fars = rng.integers(0, 3, pairs), (0.5, 0.1, 1e-3)
    few = WeightedSample(scores, issame, corners=True).rates(weights, fars)
    again = np.repeat(np.arange(pairs), weights)
    if len(set(issame[again])) < 2:
        assert np.isnan(few['auc']['value']) and np.isnan(few['tar_at_far']['1e-1']['value'])
        return
    roc = roc_curve(scores[again], issame[again])
    assert few['auc']['value'] == pytest.approx(area_under(roc), abs=1e-12)
    assert few['eer']['value'] == pytest.approx(equal_error_rate(roc)[0], abs=1e-12)
    assert [row['value'] for row in few['tar_at_far'].values()] == [tar_at_far(roc, far)['value'] for far in fars]


def sample(pairs=600, seed=0):
    rng = np.random.default_rng(seed)
    issame = np.arange(pairs) % 2 == 0
    return rng.normal(issame * 0.5, 0.2).clip(-1, 1), issame, rng.integers(0, 80, (pairs, 2))


def test_calibrated_thresholds_hold_their_targets_and_lie_in_their_intervals():
    scores, issame, people = sample()
    made = calibrate_thresholds(scores, issame, [1e-1, 1e-2, 1e-4], subjects=people, resamples=200)
    assert made['bootstrap'] == dict(unit='people', resamples=200, seed=0)
    for row in made['thresholds'].values():
        accepted = scores >= row['threshold']['value']
        assert accepted[~issame].mean() <= row['far'] and accepted[issame].mean() == row['tar']['value']
        assert row['threshold']['low'] <= row['threshold']['value'] <= row['threshold']['high']
        assert row['false_accept_rate']['low'] <= row['false_accept_rate']['value']
    assert [row['resolved'] for row in made['thresholds'].values()] == [True, True, False]


def test_a_calibration_keeps_how_scores_are_spread():
    scores, issame, _ = sample()
    spread = calibrate_thresholds(scores, issame, [1e-1], resamples=20)['scores']
    edges, centers = np.array(spread['edges']), np.convolve(spread['edges'], [0.5, 0.5], 'valid')
    assert (edges[0], edges[-1], len(edges)) == (-1, 1, 81)
    for name, chosen in (('same', issame), ('different', ~issame)):
        assert sum(spread[name]) == pytest.approx(1, abs=1e-3)
        assert spread[name] @ centers == pytest.approx(scores[chosen].mean(), abs=0.01)


@pytest.mark.parametrize('call, message', [
    (lambda: wilson(5, 0), 'no share'), (lambda: wilson(1, 2, 95), 'confidence'),
    (lambda: mcnemar([True], [True, False]), 'same pairs'),
    (lambda: bootstrap_strict(*sample()[:2], np.arange(3), [0.1]), 'subjects of 3'),
    (lambda: percentile_interval([np.nan, np.nan, 1]), 'too few people'),
    (lambda: calibrate_thresholds(*sample()[:2], []), 'no target'),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def group(strength, seed):
    rng = np.random.default_rng(seed)
    issame = np.arange(200) % 2 == 0
    first = rng.normal(size=(200, 8))
    second = rng.normal(size=(200, 8)) + first * issame[:, None] * strength
    return dict(embeddings=np.stack([first, second], 1).reshape(400, 8), issame=issame)


def test_groups_give_their_gap_and_what_one_threshold_does_to_each():
    entry = evaluate_groups(dict(strong=group(3.0, 0), weak=group(0.3, 1)))
    accuracy = {name: each['metrics']['accuracy']['value'] for name, each in entry['groups'].items()}
    gap = entry['metrics']['gap']
    assert (gap['best'], gap['worst']) == ('strong', 'weak')
    assert gap['value'] == accuracy['strong'] - accuracy['weak'] > 0.1
    assert entry['counts'] == dict(images=800, pairs=400, positives=200)
    shared = entry['metrics']['shared_threshold']['groups']
    assert shared['strong']['tar'] > shared['weak']['tar']
    assert json.loads(json.dumps(entry)) == entry


def test_a_bad_group_is_named():
    bad = group(1.0, 2)
    bad['embeddings'][3] = np.nan
    with pytest.raises(ValueError, match='group Asian: .*image 3'):
        evaluate_groups(dict(African=group(1.0, 1), Asian=bad))
    with pytest.raises(ValueError, match='at least two'):
        evaluate_groups(dict(African=group(1.0, 1)))


def refusal(arguments):
    """The line that the command ends with."""
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    return str(end.value)


def test_the_command_writes_thresholds(tmp_path, capsys):
    scores, issame, people = sample()
    np.savez(tmp_path / 'scores.npz', scores=scores, issame=issame, subjects=people)
    out = tmp_path / 'model' / 'thresholds.json'
    assert command.main([str(tmp_path / 'scores.npz'), '--far', '1e-1', '1e-4', '--resamples', '50', '--out',
                         str(out)]) == 0
    written = json.loads(out.read_text())
    assert written['schema'] == 1 and list(written['thresholds']) == ['1e-1', '1e-4']
    assert written['bootstrap']['unit'] == 'people'
    assert 'cannot resolve a FAR of 1e-4' in capsys.readouterr().out


def test_the_command_reads_embeddings_and_states_the_flip(tmp_path):
    data = group(1.0, 0)
    np.savez(tmp_path / 'e.npz', **data)
    out = tmp_path / 't.json'
    assert command.main([str(tmp_path / 'e.npz'), '--resamples', '20', '--out', str(out)]) == 0
    assert json.loads(out.read_text())['flip'] == 'none'
    np.savez(tmp_path / 'e.npz', flipped=data['embeddings'], **data)
    assert command.main([str(tmp_path / 'e.npz'), '--resamples', '20', '--out', str(out)]) == 0
    assert json.loads(out.read_text())['flip'] == 'sum'


def test_the_command_explains_files_that_it_cannot_use(tmp_path, capsys):
    out = str(tmp_path / 'o.json')
    (tmp_path / 'text.npz').write_text('no archive')
    np.savez(tmp_path / 'other.npz', labels=[1])
    for name, message in (('none.npz', 'no embeddings at'), ('text.npz', 'cannot be read'),
                          ('other.npz', 'holds labels')):
        assert message in refusal([str(tmp_path / name), '--out', out])


def test_thresholds_lie_beside_their_model_and_are_of_no_other(tmp_path, capsys):
    from mlaface.evaluation.results.thresholds import read_thresholds
    scores, issame, people = sample()
    np.savez(tmp_path / 'scores.npz', scores=scores, issame=issame, subjects=people)
    model, other = tmp_path / 'best.pth', tmp_path / 'other.onnx'
    model.write_bytes(b'weights')
    other.write_bytes(b'other weights')
    assert command.main([str(tmp_path / 'scores.npz'), '--far', '0.1', '--resamples', '20', '--model', str(model)]) == 0
    found = read_thresholds(model)
    assert found['metric'] == 'cosine' and found['model']['file'] == 'best.pth'
    accepted = scores >= found['thresholds']['1e-1']['threshold']['value']
    assert accepted[~issame].mean() <= 0.1
    with pytest.raises(FileNotFoundError, match='mlaface calibrate'):
        read_thresholds(other)
    with pytest.raises(ValueError, match='another model .best.pth'):
        read_thresholds(other, tmp_path / 'best.thresholds.json')
    (tmp_path / 'best.thresholds.json').write_text('{"schema": 2}')
    with pytest.raises(ValueError, match='no thresholds of schema 1'):
        read_thresholds(model)


def test_several_files_give_one_threshold_for_all_their_pairs(tmp_path, capsys):
    scores, issame, people = sample()
    half, out = len(scores) // 2, tmp_path / 't.json'
    for name, part in (('a', slice(half)), ('b', slice(half, None))):
        np.savez(tmp_path / f'{name}.npz', scores=scores[part], issame=issame[part], subjects=people[part])
    files = [str(tmp_path / 'a.npz'), str(tmp_path / 'b.npz')]
    assert command.main([*files, '--far', '1e-2', '--resamples', '20', '--out', str(out)]) == 0
    found, whole = json.loads(out.read_text()), calibrate_thresholds(scores, issame, [1e-2], resamples=20)
    assert found['inputs'] == ['a.npz', 'b.npz'] and found['counts'] == whole['counts']
    row, expected = found['thresholds']['1e-2'], whole['thresholds']['1e-2']
    for key in ('threshold', 'tar'):
        assert row[key]['value'] == expected[key]['value']
    assert found['bootstrap']['unit'] == 'people'
    assert 'named twice' in refusal([files[0], files[0], '--out', str(out)])
    np.savez(tmp_path / 'c.npz', **group(1.0, 0))
    assert 'c.npz: none' in refusal([files[0], str(tmp_path / 'c.npz'), '--out', str(out)])


def test_thresholds_of_another_model_are_not_written_over(tmp_path, capsys):
    np.savez(tmp_path / 's.npz', **dict(zip(('scores', 'issame'), sample())))
    for name in ('best.pth', 'best.onnx'):
        (tmp_path / name).write_bytes(name.encode())
    arguments = [str(tmp_path / 's.npz'), '--resamples', '20', '--model']
    assert command.main([*arguments, str(tmp_path / 'best.pth')]) == 0
    (tmp_path / 'best.pth').write_bytes(b'trained further')
    assert command.main([*arguments, str(tmp_path / 'best.pth')]) == 0
    said = refusal([*arguments, str(tmp_path / 'best.onnx')])
    assert 'best.thresholds.json holds the thresholds of best.pth: name another file' in said
    assert command.main([*arguments, str(tmp_path / 'best.onnx'), '--out', str(tmp_path / 'onnx.json')]) == 0


def test_distances_are_not_taken_for_cosines(tmp_path, capsys):
    scores, issame, _ = sample()
    np.savez(tmp_path / 's.npz', scores=scores * 40, issame=issame)
    assert 'they must be cosines' in refusal([str(tmp_path / 's.npz'), '--out', str(tmp_path / 't.json')])


def test_the_command_asks_where_to_write(tmp_path, capsys):
    np.savez(tmp_path / 'scores.npz', **dict(zip(('scores', 'issame'), sample())))
    assert 'where to?' in refusal([str(tmp_path / 'scores.npz')])
    assert 'no model at' in refusal([str(tmp_path / 'scores.npz'), '--model', str(tmp_path / 'none.pth')])


def test_a_torn_archive_is_explained(tmp_path, capsys):
    scores, issame, people = sample()
    np.savez(tmp_path / 'scores.npz', scores=scores, issame=issame, subjects=people)
    whole = (tmp_path / 'scores.npz').read_bytes()
    (tmp_path / 'torn.npz').write_bytes(whole[:len(whole) // 2])
    assert 'torn.npz cannot be read' in refusal([str(tmp_path / 'torn.npz'), '--out', str(tmp_path / 't.json')])
