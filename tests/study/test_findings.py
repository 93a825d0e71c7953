"""A whole study of made-up runs: what is there is found with its size, and what is not is not."""
import json
import math

import made_up
import pytest

from mlaface.cli.main import main
from mlaface.study.findings import find
from mlaface.study.plan import load_plan


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    """Plan and folder of runs without a fault."""
    folder = tmp_path_factory.mktemp('study')
    plan = made_up.make_plan(folder)
    made_up.write_study(plan, folder)
    return plan, folder


@pytest.fixture(scope='module')
def found(study):
    return find(study[0], study[1] / 'out')


def row(rows, variant):
    return next(entry for entry in rows if entry['variant'] == variant)


def test_a_difference_is_found_with_its_size_and_none_where_there_is_none(found):
    truth = made_up.accuracy(2.6) - made_up.accuracy(2.0)
    better, same = row(found['comparisons'], 'better'), row(found['comparisons'], 'same')
    assert better['low_all'] > 0 and better['holm'] < 0.05 and better['low'] <= truth <= better['high']
    assert set(better['all_sets']) == {'one', 'two'}
    assert same['low_all'] < 0 < same['high_all'] and same['holm'] > 0.05 and not same['all_sets']
    assert better['metrics']['auc']['mean']['low'] > 0 > better['metrics']['eer']['mean']['high']
    assert better['low_all'] < better['low'] and better['seen_all'] > better['seen'] > 0


def test_a_known_ratio_of_iterations_is_recovered(found):
    reached, missed = found['targets']
    slow = row(reached['ratios'], 'slow')['axes']
    share = 2 * 0.6745 / 2.0  # of the distance at the end: there the best threshold decides 0.75 rightly
    plain, late = (-pace * math.log(1 - share * (1 - math.exp(-100 / pace))) for pace in (30, 60))
    assert slow['iterations']['kind'] == 'mean' and slow['iterations']['low'] <= late / plain <= slow['iterations'][
        'high'] and slow['iterations']['value'] == pytest.approx(late / plain, rel=0.15)
    dear = row(reached['ratios'], 'dear')['axes']
    assert dear['iterations']['low'] < 1 < dear['iterations']['high']
    assert dear['macs']['value'] == pytest.approx(2 * dear['iterations']['value'])
    assert dear['processor']['value'] == pytest.approx(2 * dear['iterations']['value'], rel=0.02)
    assert missed['nobody'] and row(missed['ratios'], 'slow')['axes']['iterations']['high'] == math.inf


def test_at_equal_cost_the_dear_variant_loses(found):
    axes = row(found['equal'], 'dear')['axes']
    assert axes['iterations']['low'] < 0 < axes['iterations']['high']
    assert axes['macs']['high'] < 0 and axes['processor']['high'] < 0
    assert axes['macs']['steps'] == [50, 100]
    assert found['costs']['dear']['macs'] == 2 * found['costs']['plain']['macs'] == 2 * 64e8


def test_the_report_is_a_page_tables_and_numbers(study, capsys):
    plan, folder = study
    options = ['study', str(plan.path), '--out', str(folder / 'out'), '--work-dir', str(folder / 'work')]
    with pytest.raises(SystemExit, match='by another config'):  # these runs' configs are none that anybody made
        main([*options, '--report'])
    assert main([*options, '--report', '--allow-mixed']) == 0
    assert 'better - plain: is better' in capsys.readouterr().out
    page, table = (folder / 'out' / 'report.html').read_text(), (folder / 'out' / 'report.md').read_text()
    assert 'do not belong together' in page and 'do not belong together' in table
    assert 'No run reached 0.99' in table and '| better | plain | 6 |' in table
    assert json.loads((folder / 'out' / 'findings.json').read_text())['schema'] == 1
    assert (folder / 'out' / 'forest.png').read_bytes()[:4] == b'\x89PNG'


def test_runs_by_other_code_are_named(study, tmp_path, monkeypatch):
    from mlaface.study import mixed
    plan, folder = study
    plan.fingerprints = {variant: variant for variant in plan.compared}
    assert mixed.differences(plan, folder / 'out', folder / 'work') == []
    path = folder / 'out' / 'runs' / 'same@seed3.json'
    text = path.read_text()
    path.write_text(text.replace('"models": "1"', '"models": "9"').replace('"commit": "abc"', '"commit": "def"'))
    try:
        with pytest.raises(mixed.MixedRunsError, match=r'same@seed3 by other code of models \(commit def\) than'):
            mixed.check_mixed(plan, folder / 'out', folder / 'work')
        assert len(mixed.check_mixed(plan, folder / 'out', folder / 'work', allow=True)) == 1
    finally:
        path.write_text(text)


def test_a_plugin_that_one_variant_has_is_no_other_code(study):
    from mlaface.study import mixed
    plan, folder = study
    plan.fingerprints = {variant: variant for variant in plan.compared}
    texts = {path: path.read_text() for path in (folder / 'out' / 'runs').glob('better@*.json')}
    try:
        for path, text in texts.items():
            path.write_text(text.replace('"models": "1"', '"models": "1", "of_mine.gate": "7"'))
        assert texts and mixed.differences(plan, folder / 'out', folder / 'work') == []
        path.write_text(text.replace('"models": "1"', '"models": "1", "of_mine.gate": "8"'))
        line, = mixed.differences(plan, folder / 'out', folder / 'work')
        assert f'{path.stem} by other code of of_mine.gate' in line
    finally:
        for path, text in texts.items():
            path.write_text(text)


def test_a_plugin_that_was_edited_since_is_other_code(study, tmp_path, monkeypatch, capsys):
    from mlaface.study import mixed
    from mlaface.study.recipes import plugin_fingerprint
    plan, folder = study
    plan.fingerprints = {variant: variant for variant in plan.compared}
    monkeypatch.syspath_prepend(tmp_path)
    for name in ('edited_plugin/__init__.py', 'edited_plugin/gate.py', 'edited_file.py'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('start = 2\n')
    names = ('edited_plugin.gate', 'edited_file')
    before = [plugin_fingerprint(name) for name in names]
    code = ', '.join(f'"{name}": "{value}"' for name, value in zip(names, before))
    texts = {path: path.read_text() for path in (folder / 'out' / 'runs').glob('better@*.json')}
    try:
        for path, text in texts.items():
            path.write_text(text.replace('"models": "1"', f'"models": "1", {code}'))
        assert mixed.differences(plan, folder / 'out', folder / 'work') == []
        (tmp_path / 'edited_plugin/__init__.py').write_text('"""Words."""\nstart = 2  # as before\n')
        assert mixed.differences(plan, folder / 'out', folder / 'work') == []
        (tmp_path / 'edited_plugin/__init__.py').write_text('start = -8\n')  # not the file that is named, but beside it
        (tmp_path / 'edited_file.py').write_text('start = -8\n')
        one, other = mixed.differences(plan, folder / 'out', folder / 'work')
        assert one.startswith('better@seed') and one.endswith('by other code of edited_file than is here now')
        assert other.endswith('by other code of edited_plugin.gate than is here now')
    finally:
        for path, text in texts.items():
            path.write_text(text)


def test_a_run_that_diverged_counts_by_chance_and_one_cut_short_is_named(tmp_path, study):
    plan, _ = study
    plan.comparisons, before = (('better', 'plain'), ('same', 'plain')), plan.comparisons
    try:
        made_up.write_study(plan, tmp_path, better=dict(diverged=True, until=60), same=dict(until=60))
        found = find(plan, tmp_path / 'out')
    finally:
        plan.comparisons = before
    better, same = row(found['comparisons'], 'better'), row(found['comparisons'], 'same')
    assert [entry['run'] for entry in found['runs']['diverged']] == ['better@seed1'] and better['diverged'] == 1
    assert len(better['seeds']) == 6 and better['low'] < 0 and better['value'] < 0.03
    assert found['runs']['cut'] == ['same@seed1'] and same['seeds'] == [2, 3, 4, 5, 6]


def test_a_damaged_result_is_named(study):
    plan, folder = study
    path = folder / 'out' / 'runs' / 'plain@seed2.json'
    text = path.read_text()
    path.write_text(text[:100])
    try:
        with pytest.raises(SystemExit, match='plain@seed2.json is no result of a run.*Remove it'):
            main(['study', str(plan.path), '--out', str(folder / 'out'), '--list'])
    finally:
        path.write_text(text)


def test_a_study_without_runs_says_what_to_do(study, tmp_path):
    with pytest.raises(ValueError, match='no seed has both runs.*mlaface study'):
        find(study[0], tmp_path)


def test_the_best_trial_of_a_variant_is_taken_and_one_that_diverged_is_not(study, tmp_path):
    from mlaface.study import runs
    from mlaface.study.recipes import trial_settings
    plan = load_plan(_tuned(study[0].path, tmp_path))
    assert runs.chosen_trial(plan, tmp_path, 'plain') is None
    for trial, (value, status) in enumerate([(0.7, 'finished'), (0.8, 'finished'), (0.9, 'diverged')]):
        sets = dict(one=dict(accuracy=value))
        runs.write_result(runs.result_file(tmp_path, runs.trials_of(plan, 'plain')[trial]), dict(
            schema=1, status=status, validations=[dict(iter=100, sets=sets)]), {})
    assert runs.chosen_trial(plan, tmp_path, 'plain') == trial_settings(plan)[1] != {}
    assert runs.settings_of(plan, tmp_path, runs.Run('same', 1)) is None


def _tuned(path, folder):
    tuned = folder / 'tuned.py'
    tuned.write_text(f"_base_ = '{path}'\nbase = '{path.parent}/base.py'\n"
                     "tuning = dict(trials=3, over=dict(lr=(0.01, 0.1, 'log'), margin=(0.2, 0.5)))\n")
    return tuned
