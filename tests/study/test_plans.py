"""Plans that cannot be meant are refused in a line that names file and key."""
import re

import pytest

from mlaface.cli.main import main
from mlaface.study.plan import load_plan
from mlaface.study.recipes import code_fingerprint, merge, trial_settings
from mlaface.study.runs import all_runs


@pytest.mark.parametrize('line, message', [
    ("variants['same'] = dict()", "'plain' and 'same' do not differ"),
    ("variants = dict(plain=dict())", 'at least two'), ("comparisons = ['mien']", "did you mean 'mine'"),
    ("comparisons = []", 'comparisons is empty'), ("seeds = [1, 1]", 'twice'), ("seeds = []", 'whole numbers'),
    ("seed = [1]", "did you mean 'seeds'"), ("budget = dict(max_iters=0)", 'at least 1'),
    ("budget = dict(iters=5)", 'one of max_iters'), ("targets = [80]", 'between 0 and 1'),
    ("base = 'nowhere.py'", 'no config at nowhere.py'), ("variants['mine'] = 3", 'variants.mine'),
    ("variants['mine'] = dict(modle=dict())", "unknown key 'modle'"),
    ("tuning = dict(trials=2, over=dict(lr=(1, 0)))", 'tuning.over.lr'),
    ("tuning = dict(trials=2, over={'model.head.margin.mm': (0.1, 0.2)})", "no argument 'mm'"),
    ("metric = 'acuracy'", "did you mean 'accuracy'"),
    ("comparisons = [('mine', 'mine')]", 'two variants')])
def test_a_plan_that_cannot_be_meant_is_refused_in_a_line(line, message, plan_file, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(['study', str(plan_file(line)), '--dry-run', '--out', str(tmp_path), '--work-dir', str(tmp_path / 'w')])
    assert re.fullmatch(f'error: .*({re.escape(message)}).*', end.value.code)


def test_more_jobs_than_cores_are_refused(plan_file):
    with pytest.raises(SystemExit, match='--jobs 9999.*cores'):
        main(['study', str(plan_file()), '--jobs', '9999'])


def test_an_interrupted_study_is_balanced(plan_file):
    plan = load_plan(plan_file("tuning = dict(trials=2, over=dict(lr=(0.01, 0.1, 'log')))"))
    assert [run.name for run in all_runs(plan)] == [
        'plain@trial0', 'mine@trial0', 'plain@trial1', 'mine@trial1',
        'plain@seed1', 'mine@seed1', 'plain@seed2', 'mine@seed2']
    first, second = trial_settings(plan)
    assert first == {} and 0.01 <= second['optim_wrapper.optimizer.lr'] <= 0.1


def test_a_variant_that_nobody_compares_is_not_run(plan_file):
    plan = load_plan(plan_file("variants['third'] = dict(model=dict(flip='sum'))", "comparisons = ['third']"))
    assert {run.variant for run in all_runs(plan)} == {'plain', 'third'}


def test_what_a_variant_changes_is_merged_as_files_are():
    base = dict(model=dict(head=dict(margin=dict(type='ArcFace', m=0.5))))
    assert merge(base, dict(model=dict(head=dict(margin=dict(m=0.3)))))['model']['head']['margin'] == dict(
        type='ArcFace', m=0.3)
    alone = dict(model=dict(head=dict(margin=dict(_delete_=True, type='Softmax'))))
    assert merge(base, alone)['model']['head']['margin'] == dict(_delete_=True, type='Softmax')
    assert base['model']['head']['margin']['m'] == 0.5


def test_words_do_not_change_the_code(tmp_path):
    from mlaface.study.recipes import _hash_files
    for name, text in (('a', 'x = 1\n'), ('b', '"""Words."""\nx = 1  # more\n'), ('c', 'x = 2\n')):
        (tmp_path / name).write_text(text)
    first, second, third = (_hash_files([('m', tmp_path / name)]) for name in 'abc')
    assert first == second != third and set(code_fingerprint()) >= {'models', 'engine'}
