"""Plans that cannot be meant are refused in a line that names file and key."""
import re

import pytest

from mlaface.cli.main import main
from mlaface.study.plan import PlanError, load_plan
from mlaface.study.recipes import changes, check_variants, code_fingerprint, merge, trial_settings
from mlaface.study.runs import all_runs
from mlaface.utils.errors import InputError


@pytest.mark.parametrize('line, message', [
    ("variants['same'] = dict()", "'plain' and 'same' do not differ"),
    ("variants = dict(plain=dict())", 'at least two'), ("comparisons = ['mien']", "did you mean 'mine'"),
    ("comparisons = []", 'comparisons is empty'), ("seeds = [1, 1]", 'twice'), ("seeds = []", 'whole numbers'),
    ("seed = [1]", "did you mean 'seeds'"), ("budget = dict(max_iters=0)", 'at least 1'),
    ("budget = dict(iters=5)", 'one of max_iters'), ("targets = [80]", 'between 0.5 (by chance) and 1'),
    ("targets = [0.5]", 'by chance'),
    ("base = 'nowhere.py'", 'no config at nowhere.py'), ("variants['mine'] = 3", 'variants.mine'),
    ("variants['mine'] = dict(modle=dict())", "unknown key 'modle'"),
    ("tuning = dict(trials=2, over=dict(lr=(1, 0)))", 'tuning.over.lr'),
    ("tuning = dict(trials=2, over={'model.head.margin.mm': (0.1, 0.2)})", "no argument 'mm'"),
    ("metric = 'acuracy'", "did you mean 'accuracy'"),
    ("budgets = dict(mien=dict(max_iters=5))", "did you mean 'mine'"),
    ("budgets = dict(mine=dict(iters=5))", 'budgets.mine'),
    ("comparisons = [('mine', 'mine')]", 'two variants'),
    ("comparisons = 5", 'comparisons is 5; list'), ("comparisons = [5]", 'comparisons: 5 must be two variants'),
    ("comparisons = [('mine', ['plain'])]", "comparisons: no variant ['plain']"),
    ("comparisons = 'mine'", "comparisons is 'mine'; list"), ("comparisons = ['mine', 'mine']", 'twice'),
    ("comparisons = dict(mine='plain')", 'comparisons is {'),
    ("common = 'x'", "common is 'x'"), ("common = [1]", 'common is [1]'), ("common = 0", 'common is 0'),
    ("common = {1: 2}", 'common has the key 1'),
    ("common['val_dataloader'] = None", 'common.val_dataloader is None, but a run of a study trains and is validated'),
    ("common['train_cfg'] = dict(max_epochs=3)", 'common.train_cfg would be replaced: budget'),
    ("variants['mine'] = dict(randomness=dict(seed=3))", 'variants.mine.randomness would be replaced: seeds'),
    ("variants['mine'] = {'model.flip': 'sum'}", "variants.mine has the key 'model.flip'"),
    ("variants = {1: dict(), 2: dict(model=dict(flip='sum'))}", 'variants: 1 names files'),
    ("variants['a\\nb'] = dict()", "variants: 'a\\nb' names files"), ("variants['a:b'] = dict()", "'a:b' names files"),
    ("variants['.a'] = dict()", "'.a' names files"), ("variants['-a'] = dict()", "'-a' names files"),
    ("variants['a' * 101] = dict()", "names files; use 1 to 100 of"), ("variants['b\\n'] = dict()", 'names files'),
    ("budget['processor_minutes'] = 'x'", "budget.processor_minutes is 'x'"),
    ("budget['processor_minutes'] = -1", 'processor_minutes is -1; it must be a number above 0'),
    ("budget['processor_minutes'] = 0", 'processor_minutes is 0'),
    ("budget['processor_minutes'] = float('inf')", 'processor_minutes is inf'),
    ("budgets = dict(mine=dict(max_iters=6, processor_minutes='x'))", "budgets.mine.processor_minutes is 'x'"),
    ("budget['validations'] = 7", 'budget.validations is 7'), ("budgets = 0", 'budgets is 0'),
    ("tuning = dict(seed='x', trials=2, over=dict(lr=(0.1, 0.2)))", "tuning.seed is 'x'"),
    ("tuning = dict(seed=-1, trials=2, over=dict(lr=(0.1, 0.2)))", 'tuning.seed is -1'),
    ("tuning = dict(seed=2**32, trials=2, over=dict(lr=(0.1, 0.2)))", 'tuning.seed is 4294967296'),
    ("tuning = dict(trials=2, over={1: (0.1, 0.2)})", 'tuning.over: 1 is no dotted key'),
    ("tuning = dict(trials=2, over={'model..x': (0.1, 0.2)})", "tuning.over: 'model..x' is no dotted key"),
    ("tuning = dict(trials=2, over=dict(lr=(0.1, float('inf'))))", 'tuning.over.lr is (0.1, inf)'),
    ("tuning = dict(trials=2, over={'lr': (0.1, 0.2), 'optim_wrapper.optimizer.lr.x': (0.1, 0.2)})", 'are of one key'),
    ("seeds = [-1]", 'seeds names -1'), ("seeds = [2**40]", 'seeds names 1099511627776'),
    ("targets = [0.6, 0.7, 0.6]", 'targets names [0.6] twice'), ("targets = 0", 'targets is 0'),
    ("variants['mine'] = dict(model=dict(neck=dict(in_size=3)))", 'variants.mine: '),
    ("variants['mine'] = dict(model=dict(branch=dict(type='PatchSelfAttention', channels=64, patch=3), "
     "fusion=dict(type='GatedFusion', channels=64)))",
     'variants.mine: the fusion GatedFusion cannot take (1, 64, 2, 2) and (1, 64, 37, 37): trunk'),
    ("title = 5", 'title is 5'), ("question = ['x']", "question is ['x']")])
def test_a_plan_that_cannot_be_meant_is_refused_in_a_line(line, message, plan_file, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(['study', str(plan_file(line)), '--dry-run', '--out', str(tmp_path), '--work-dir', str(tmp_path / 'w')])
    assert re.fullmatch(f'error: {tmp_path}/plan.py: .*({re.escape(message)}).*', end.value.code)


@pytest.mark.parametrize('line, where', [
    ("variants['mine'] = dict(modle=dict())", "variants.mine: unknown key 'modle'"),
    ("variants['mine'] = dict(model=dict(backbone=dict(depht=18)))", 'variants.mine: model.backbone: IResNet has no'),
    ("variants['mine'] = dict(custom_imports=dict(imports=['no_such']))", 'variants.mine: cannot import'),
    ("variants['mine'] = dict(model=dict(flip=object()))", 'variants.mine cannot be read: SyntaxError'),
    ("common['modle'] = dict()", "common: unknown key 'modle'"),
    ("common['modle'] = dict()\nvariants['mine'] = dict(optim_wrapper=5)", "common: unknown key 'modle'"),
    ("base = 'wrong.py'", r"base {0}/wrong.py: unknown key 'modle' \({0}/wrong.py, line 2\)"),
    ("base = 'torn.py'", r"base {0}/torn.py cannot be read: SyntaxError: .* \({0}/torn.py, line 1\)"),
    ("tuning = dict(trials=1, over={'modle.x': (0.1, 0.2)})", "tuning.over, in variants.plain: unknown key 'modle'"),
    ("variants['mine'] = dict(model=dict(head=dict(margin=dict(_delete_=True, type='Softmax'))))\n"
     "tuning = dict(trials=2, over=dict(margin=(1, 2)))", "tuning.over, in variants.mine: model.head.margin: .*'m'")])
def test_a_fault_in_a_config_of_a_run_is_told_of_the_plan(line, where, plan_file, tmp_path):
    (tmp_path / 'wrong.py').write_text("_base_ = 'base.py'\nmodle = dict()\n")
    (tmp_path / 'torn.py').write_text('model = dict(\n')
    path = plan_file(line)
    with pytest.raises(PlanError) as error:
        check_variants(load_plan(path), tmp_path / 'work')
    message = str(error.value)
    assert re.match(f'{path}: {where.format(tmp_path)}', message) and '\n' not in message
    assert 'config_of_run' not in message


def test_a_torn_plan_is_named_and_not_a_copy_of_it(plan_file):
    path = plan_file('x = (')
    with pytest.raises(InputError) as error:
        load_plan(path)
    assert re.fullmatch(rf"{path} cannot be read: SyntaxError: '\(' was never closed \({path}, line \d+\)",
                        str(error.value))


def test_what_a_plan_may_state(plan_file):
    plan = load_plan(plan_file("variants['A-b_c.1'] = dict()", "variants['x' * 100] = dict()", 'seeds = [0, 2**32 - 1]',
                               'budget = dict(max_iters=6, validations=6, processor_minutes=0.5)', 'common = None',
                               'targets = []', "comparisons = ['mine', ['A-b_c.1', 'mine']]"))
    assert plan.common == {} and plan.budget['processor_minutes'] == 0.5
    assert plan.comparisons == (('mine', 'plain'), ('A-b_c.1', 'mine'))


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


def test_plugins_of_entry_points_are_part_of_the_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr('mlaface.study.recipes.ROOMS', ())
    found = tmp_path / 'found_plugin-1.0.dist-info'
    found.mkdir()
    (found / 'METADATA').write_text('Name: found-plugin\nVersion: 1.0\n')
    (found / 'entry_points.txt').write_text('[mlaface.plugins]\nmine = found_plugin.gate\n')
    (tmp_path / 'found_plugin').mkdir()
    (tmp_path / 'found_plugin/__init__.py').write_text('')
    (tmp_path / 'found_plugin/gate.py').write_text('start = 2\n')
    before = code_fingerprint()['found_plugin.gate']
    (tmp_path / 'found_plugin/gate.py').write_text('start = -8\n')
    assert code_fingerprint(['found_plugin.gate'])['found_plugin.gate'] != before


def test_a_variant_may_have_a_budget_of_its_own(plan_file):
    plan = load_plan(plan_file("budgets = dict(mine=dict(max_iters=4, validations=2, processor_minutes=1))"))
    plain, mine = (changes(plan, variant) for variant in ('plain', 'mine'))
    assert (plain['train_cfg']['max_iters'], plain['train_cfg']['val_interval']) == (6, 2)
    assert (mine['train_cfg']['max_iters'], mine['train_cfg']['val_interval']) == (4, 2)
    assert mine['default_hooks']['record'] == dict(type='RunRecordHook', max_seconds=60.0)
