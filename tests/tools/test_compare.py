"""tools/analysis/compare.py: iterations to targets, seeds, torn logs, faults, page."""
import json

import pytest

from mlaface.cli.compare_runs import main
from mlaface.evaluation.report.compare import ratio_text, steps_text
from mlaface.evaluation.training_runs.convergence import convergence, default_targets, final_numbers, unequal_intervals
from mlaface.evaluation.training_runs.reading import read_methods, read_run


def write_run(folder, accuracies, every=10, pairs=None):
    folder.mkdir(parents=True)
    lines = []
    for number, accuracy in enumerate(accuracies, 1):
        lines += [dict(kind='train', iter=every * number - 5, loss=3.0 / number, lr=0.1, gate=0.5),
                  dict(kind='val', iter=every * number, **{'lfw/accuracy': accuracy, 'mean_accuracy': accuracy})]
    (folder / 'scalars.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    if pairs:
        (folder / 'metrics.json').write_text(json.dumps(dict(schema=1, benchmarks=dict(
            lfw=dict(protocol='pairs', counts=dict(pairs=pairs), metrics={})))))
    return str(folder)


@pytest.fixture
def four(tmp_path):
    """Two methods of two seeds; the second takes half of the iterations."""
    slow = [write_run(tmp_path / f's{k}', [0.5, 0.6, 0.7, 0.8 + k / 10], pairs=1000) for k in (0, 1)]
    fast = [write_run(tmp_path / f'f{k}', [0.6, 0.8, 0.9, 0.9]) for k in (0, 1)]
    return [f'slow={",".join(slow)}', f'fast={",".join(fast)}']


def test_iterations_to_a_target_and_ratio_over_seeds(four):
    methods = read_methods(four)
    row, = convergence(methods, 'mean_accuracy', [0.8])
    assert row['methods']['slow'] == dict(iterations=[40, 40], validated=[40, 40], mean=40,
                                          ratio=dict(value=1, low=1, high=1, bound=None))
    assert row['methods']['fast']['iterations'] == [20, 20]
    assert row['methods']['fast']['ratio'] == dict(value=0.5, low=0.5, high=0.5, bound=None)


def test_a_baseline_seed_that_misses_a_target_bounds_the_ratio_from_above(four):
    row, = convergence(read_methods(four), 'mean_accuracy', [0.85])
    slow, fast = row['methods']['slow'], row['methods']['fast']
    assert slow['iterations'] == [None, 40] and slow['mean'] is None and slow['ratio'] is None
    assert ratio_text(None) == ('not known', '')
    assert steps_text(slow) == ('reached by 1 of 2', '(>\u00a040, 40)')
    assert fast['ratio'] == dict(value=0.75, low=None, high=0.75, bound='upper')
    assert ratio_text(fast['ratio']) == ('< 0.75', '')


def test_a_seed_that_misses_a_target_bounds_the_ratio_from_below(tmp_path):
    paths = [write_run(tmp_path / name, values) for name, values in (('a', [0.1, 0.9]), ('b', [0.9]), ('c', [0.1] * 5))]
    methods = read_methods([f'base={paths[0]}', f'new={paths[1]},{paths[2]}'])
    ratio = convergence(methods, 'mean_accuracy', [0.9])[0]['methods']['new']['ratio']
    assert ratio == dict(value=1.5, low=0.5, high=None, bound='lower')  # 10 and more than 50, against 20
    assert ratio_text(ratio) == ('> 1.50', '(from 0.50)')
    turned = convergence(methods[::-1], 'mean_accuracy', [0.9])[0]['methods']['base']['ratio']
    assert ratio_text(turned) == ('< 0.67', '(up to 2.00)')


def test_spread_of_the_ratio_is_over_all_pairs_of_seeds(tmp_path):
    names = {'a': [0.1, 0.9], 'b': [0.9, 0.9], 'c': [0.1, 0.1, 0.1, 0.9]}
    paths = {name: write_run(tmp_path / name, values) for name, values in names.items()}
    methods = read_methods([f'base={paths["a"]}', f'new={paths["b"]},{paths["c"]}'])
    ratio = convergence(methods, 'mean_accuracy', [0.9])[0]['methods']['new']['ratio']
    assert ratio == dict(value=1.25, low=0.5, high=2.0, bound=None)
    assert ratio_text(ratio) == ('1.25', '(0.50 to 2.00)')


def test_default_targets_are_reached_by_all(four):
    methods = read_methods(four)
    targets = default_targets(methods, 'mean_accuracy')
    assert targets == sorted(targets) and len(targets) == 4
    for row in convergence(methods, 'mean_accuracy', targets):
        assert all(cell['mean'] is not None for cell in row['methods'].values())


def test_final_numbers_have_an_interval_where_pairs_are_known(four):
    numbers = final_numbers(read_methods(four))
    slow = numbers['slow']['lfw/accuracy']
    assert slow['values'] == [0.8, 0.9] and slow['value'] == pytest.approx(0.85)
    assert slow['low'] < 0.85 < slow['high'] and slow['high'] - slow['low'] < 0.05
    whole = numbers['slow']['mean_accuracy']
    assert whole['low'] == pytest.approx(slow['low'], abs=2e-3) and whole['low'] < 0.85 < whole['high']
    assert 'low' not in numbers['fast']['lfw/accuracy']


def test_a_torn_last_line_is_passed_over_and_a_torn_middle_is_named(tmp_path):
    folder = tmp_path / 'r'
    write_run(folder, [0.5, 0.6])
    path = folder / 'scalars.jsonl'
    whole = path.read_text()
    path.write_text(whole + '{"iter": 30, "mean_acc')
    assert read_run(folder).scalars['mean_accuracy'] == ([10, 20], [0.5, 0.6])
    path.write_text('{"iter"\n' + whole)
    with pytest.raises(ValueError, match='line 1'):
        read_run(folder)


def test_what_a_resumed_run_threw_away_does_not_count(tmp_path):
    """Killed after 30, gone on from 10 and stopped at 20: the better 30 never happened to this model."""
    lines = [dict(iter=step, mean_accuracy=value) for step, value in ((10, 0.5), (20, 0.6), (30, 0.9), (20, 0.7))]
    (tmp_path / 'scalars.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    assert read_run(tmp_path).scalars == dict(mean_accuracy=([10, 20], [0.5, 0.7]))


def test_runs_validated_at_different_intervals_are_warned_of(tmp_path, capsys):
    often, seldom = write_run(tmp_path / 'often', [0.5] * 8, every=5), write_run(tmp_path / 'seldom', [0.5] * 4)
    assert unequal_intervals(read_methods([seldom, seldom + '/../often']), 'mean_accuracy') == dict(seldom=10, often=5)
    assert unequal_intervals(read_methods([f'a={seldom}', f'b={seldom}']), 'mean_accuracy') == {}
    main([often, seldom, '--report', str(tmp_path / 'page')])
    note = 'different intervals (often every 5, seldom every 10 iterations)'
    assert note in ' '.join(capsys.readouterr().out.split())
    assert note in (tmp_path / 'page/compare.html').read_text()


def test_folders_with_an_equals_sign_and_the_current_one_have_their_names(tmp_path, monkeypatch):
    run = write_run(tmp_path / 'lr=0.1', [0.5])
    assert read_methods([run])[0].name == 'lr=0.1'
    monkeypatch.chdir(run)
    assert read_methods(['.'])[0].name == 'lr=0.1'


def test_numbers_that_are_null_are_left_out(tmp_path):
    (tmp_path / 'scalars.jsonl').write_text('{"iter": 1, "loss": null}\n{"iter": 2, "loss": 3}\n'
                                            '{"iter": 3, "loss": NaN, "done": true}\n')
    assert read_run(tmp_path).scalars == dict(loss=([2], [3.0]))


@pytest.mark.parametrize('arguments, message', [
    (['nowhere'], 'no scalars.jsonl in'),
    (['{a}', 'x={a}', 'x={a}'], 'two methods have one name'),
    (['x={a},{a}'], 'names a run twice'),
    (['x='], 'a method has no run'),
    (['{a}', '--metric', 'cfp/accuracy'], "no 'cfp/accuracy'; it has gate, lfw/accuracy"),
])
def test_bad_arguments_are_explained(tmp_path, arguments, message):
    run = write_run(tmp_path / 'a', [0.5])
    with pytest.raises(SystemExit) as stopped:
        main([argument.format(a=run) for argument in arguments])
    assert message in str(stopped.value.code)


def test_command_writes_json_page_and_charts(four, tmp_path, capsys):
    main([*four, '--targets', '0.7', '0.8', '--out', str(tmp_path / 'c.json'), '--report', str(tmp_path / 'page')])
    found = json.loads((tmp_path / 'c.json').read_text())
    assert [row['target'] for row in found['convergence']] == [0.7, 0.8]
    text = (tmp_path / 'page/compare.html').read_text()
    assert text.count('class="curve"') == 4 * len(list((tmp_path / 'page').glob('*.png')))
    assert '0.50' in text and 'fast / slow' in text
    assert 'fast / slow' in capsys.readouterr().out


def test_a_method_keeps_its_color_in_every_chart(tmp_path):
    """Only the second method has a gate: its line must not take the first one's colour."""
    from mlaface.evaluation.report.styles import COLORS
    plain, gated = write_run(tmp_path / 'plain', [0.5, 0.6]), write_run(tmp_path / 'gated', [0.5, 0.6])
    lines = [json.loads(line) for line in (tmp_path / 'plain/scalars.jsonl').read_text().splitlines()]
    (tmp_path / 'plain/scalars.jsonl').write_text(''.join(
        json.dumps({key: value for key, value in line.items() if key != 'gate'}) + '\n' for line in lines))
    main([plain, gated, '--report', str(tmp_path / 'page')])
    text = (tmp_path / 'page/compare.html').read_text()
    chart = text[text.index('aria-label="gate"'):].split('</svg>')[0]
    assert f'stroke="{COLORS[1]}"' in chart and COLORS[0] not in chart and 'gated' in chart
