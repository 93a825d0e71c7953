"""Mistyped configs are errors that name file, key and the nearest name."""
from pathlib import Path

import pytest

from mlaface.datasets.samplers.epoch_sampler import epoch_permutation
from mlaface.engine.config import load_config
from mlaface.engine.errors import ConfigError
from mlaface.engine.launch import build_runner, train
from tests.engine.toy import TEXT, config_file


def test_a_good_config_loads_and_options_replace_values(tmp_path):
    config = load_config(config_file(tmp_path), {'optim_wrapper.optimizer.lr': 0.5, 'train_cfg.max_epochs': 1})
    assert config.optim_wrapper.optimizer.lr == 0.5 and config.train_cfg.max_epochs == 1


@pytest.mark.parametrize('old, new, message', [
    ('optim_wrapper =', 'optim_wraper =', "unknown key 'optim_wraper'; did you mean 'optim_wrapper'"),
    ('max_epochs=3', 'max_epoch=3', "train_cfg: FaceTrainLoop has no argument 'max_epoch'; did you mean 'max_epochs'"),
    ("'ToySampler'", "'ToySampIer'", "train_dataloader.sampler: 'ToySampIer'.*did you mean 'ToySampler'"),
    ('momentum=0.9', 'momentun=0.9', "optim_wrapper.optimizer: SGD has no argument 'momentun'"),
    ('dropout=0.2', 'drop_out=0.2', "model: ToyRecognizer has no argument 'drop_out'; did you mean 'dropout'"),
    ('warmup=1', 'warm_up=1', "param_scheduler: WarmupPolyLR has no argument 'warm_up'; did you mean 'warmup'"),
    ('max_keep=50', 'keep=50', "default_hooks.checkpoint: FaceCheckpointHook has no argument 'keep'"),
    ('images=16', 'image=16', "val_dataloader.dataset: ToyPairs has no argument 'image'; did you mean 'images'"),
    ('clip_grad=', 'clip_gard=', "optim_wrapper: FaceOptimWrapper has no argument 'clip_gard'; did you mean"),
    ('num_workers=0', 'num_worker=0', "train_dataloader has no 'num_worker'; did you mean 'num_workers'"),
    ('max_norm=5', 'max_nrom=5', "optim_wrapper.clip_grad has no 'max_nrom'; did you mean 'max_norm'"),
    ('default_scope', "randomness = dict(sed=1)\ndefault_scope", "randomness has no 'sed'; did you mean 'seed'"),
    ('default_scope', "env_cfg = dict(mp_cfg=dict(mp_start=1))\ndefault_scope", "env_cfg.mp_cfg has no 'mp_start'"),
    ("logger=dict(type='FaceLogHook', interval=1)", "loger=dict(interval=1)",
     "default_hooks.loger states no type; did you mean 'logger'"),
    ("'ToyMetric'", "'ToyMatric'", "val_evaluator: 'ToyMatric'.*did you mean 'ToyMetric'"),
])
def test_a_mistyped_name_is_an_error_with_the_nearest(tmp_path, old, new, message):
    assert old in TEXT
    path = config_file(tmp_path, TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert str(path) in str(error.value)


def test_the_runners_own_hooks_need_no_type(tmp_path):
    config = load_config(config_file(tmp_path, TEXT.replace("type='FaceLogHook', interval=1", 'interval=7')))
    assert config.default_hooks.logger == dict(type='FaceLogHook', interval=7)


@pytest.mark.parametrize('option, value, message', [
    ('optim_wrapper.amp', 'fp16', "toy.py: amp must be None, 'bfloat16' or 'float16', got 'fp16'"),
    ('default_hooks.logger.interval', 0, 'toy.py: FaceLogHook: interval must be at least 1'),
    ('train_cfg.max_epochs', 0, 'toy.py: train_cfg.max_epochs is 0; it must be a whole number of at least 1'),
    ('train_cfg.max_epochs', 2.5, 'toy.py: train_cfg.max_epochs is 2.5'),
    ('train_cfg.max_epochs', None, 'toy.py: train_cfg: give one of max_epochs and max_iters'),
    ('optim_wrapper.optimizer.lr', -0.1, 'toy.py: optim_wrapper.optimizer.lr is -0.1; it is at least 0')])
def test_a_value_that_a_part_refuses_names_the_file(tmp_path, option, value, message):
    with pytest.raises(ConfigError, match=message):
        train(config_file(tmp_path), tmp_path / 'run', cfg_options={option: value})


def test_variables_of_ones_own_begin_with_an_underscore(tmp_path):
    assert load_config(config_file(tmp_path, TEXT + '_batch = 3\n'))['_batch'] == 3
    with pytest.raises(ConfigError, match="unknown key 'batch'"):
        load_config(config_file(tmp_path, TEXT + 'batch = 3\n'))


def test_a_config_that_is_not_there_names_its_neighbour(tmp_path):
    config_file(tmp_path)
    with pytest.raises(ConfigError, match='did you mean .*toy.py'):
        load_config(tmp_path / 'tyo.py')


def test_a_config_of_mlaface_is_found_from_anywhere_and_ones_own_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = load_config('configs/mla_r18w025_synthetic.py')
    assert shipped.model.backbone.depth == 18 and Path(shipped.filename).is_absolute()
    with pytest.raises(ConfigError, match='did you mean configs/mla_r18w025_synthetic.py'):
        load_config('configs/mla_r18w025_syntetic.py')
    (tmp_path / 'configs').mkdir()
    own = config_file(tmp_path / 'configs').rename(tmp_path / 'configs' / 'mla_r18w025_synthetic.py')
    assert load_config(own.relative_to(tmp_path)).model.type == 'ToyRecognizer'


@pytest.mark.parametrize('child, options, fault, line, removal, file', [
    ("optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1))", [], "AdamW has no argument 'momentum'", 9,
     'optim_wrapper.optimizer.momentum=_delete_',
     "optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1, weight_decay=0.0005))"),
    ('', ['optim_wrapper.optimizer.type=AdamW', 'optim_wrapper.optimizer.lr=1'], "AdamW has no argument 'momentum'", 9,
     'optim_wrapper.optimizer.momentum=_delete_',
     "optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1, weight_decay=0.0005))"),
    ("model = dict(type='ToyHead')", [], "ToyHead has no arguments 'head' and 'dropout'", 5,
     'model.head=_delete_ model.dropout=_delete_', "model = dict(_delete_=True, type='ToyHead')"),
    ("param_scheduler = dict(type='MultiStepLR', milestones=[1])", [], "MultiStepLR has no argument 'warmup'", 11,
     'param_scheduler.warmup=_delete_', "param_scheduler = dict(_delete_=True, type='MultiStepLR', by_epoch=True, "
     'convert_to_iter_based=True, milestones=[1])')])
def test_an_inherited_key_that_does_not_fit_the_new_type_is_told_with_both_remedies(
        tmp_path, child, options, fault, line, removal, file):
    base, path = config_file(tmp_path), tmp_path / 'child.py'
    path.write_text(f'_base_ = ["toy.py"]\n{child}\n')
    with pytest.raises(ConfigError) as error:
        load_config(path, options)
    them, where = 'them' if ' and ' in fault else 'it', 'a file' if options else path
    assert (f'{fault}, inherited from {base}, line {line}. To leave {them} out, add {removal} to --cfg-options, or '
            f'write {file} in {where}. It takes: ') in str(error.value)
    load_config(path, [*options, *removal.split()])  # the words that it says are the remedy
    path.write_text(f'_base_ = ["toy.py"]\n{file}\n')
    load_config(path)


def test_the_nearest_of_two_bases_is_named_and_ones_own_slip_is_not_called_inherited(tmp_path):
    config_file(tmp_path)
    middle, leaf = tmp_path / 'middle.py', tmp_path / 'leaf.py'
    middle.write_text("_base_ = 'toy.py'\n_rate = dict(lr=0.1)\n_rate = dict(**_rate)\n"
                      'optim_wrapper = dict(optimizer=dict(\n    momentum=0.8, **_rate))\n')
    leaf.write_text("_base_ = './middle.py'\noptim_wrapper = dict(optimizer=dict(type='AdamW'))\n")
    with pytest.raises(ConfigError, match=f"'momentum', inherited from {middle}, line 5. "):
        load_config(leaf)
    leaf.write_text("_base_ = './middle.py'\noptim_wrapper = dict(optimizer=dict(type='AdamW', wieght_decay=1))\n")
    with pytest.raises(ConfigError, match="has no argument 'wieght_decay'; did you mean 'weight_decay'"):
        load_config(leaf)
    middle.write_text("_base_ = 'toy.py'\noptim_wrapper = dict(optimizer=dict(momentun=0.8))\n")
    leaf.write_text("_base_ = './middle.py'\n")
    with pytest.raises(ConfigError, match=rf'leaf.py: optim_wrapper.optimizer \({middle}, line 2\): SGD has no arg'):
        load_config(leaf)


@pytest.mark.parametrize('option, message', [
    ('lr=0.1', r"unknown key 'lr' \(--cfg-options\); did you mean 'optim_wrapper.optimizer.lr'\?"),
    ('optimizer.lr=0.1', r"unknown key 'optimizer' \(--cfg-options\); did you mean 'optim_wrapper.optimizer'\?"),
    ('batch_size=1', "mean 'train_dataloader.batch_size' or 'val_dataloader.batch_size'"),
    ('optim_wrapper.optimiser.lr=1', r"optim_wrapper \(--cfg-options\): FaceOptimWrapper has no argument 'optimiser'"),
    ('optim_wrapper.optimizer.dampening=None', None),  # None is a value
    ('optim_wrapper.optimizer.betas=None',
     "no argument 'betas'.*optimizer.betas=_delete_ among --cfg-options leaves it out"),
    ('train_dataloader.batch_size=0', r'batch_size \(--cfg-options\) is 0. Write a whole number of at least 1'),
    ('train_dataloader.num_workers=-1', 'is -1. Write a whole number of at least 0'),
    ('train_dataloader.batch_size=2.5', 'is 2.5. Write'), ('randomness.seed=abc',
     "seed .* is 'abc'. Write a whole number"),
    ('custom_hooks=EMAHook', r"custom_hooks .* is 'EMAHook', but is written \[dict\(type='EMAHook', ...\)\]"),
    ('custom_hooks.0.type=EMAHook', r"custom_hooks \(--cfg-options\) is a dict, but is written \[dict"),
    ('model=None', r"model .* is None, but is written dict\(type='NAME', ...\)"),
    ('randomness=5', r'is 5, but is written dict\(KEY=VALUE\) with keys of deterministic, diff_rank_seed, seed'),
    ('runner_type=NoSuch', r"runner_type \(--cfg-options\): 'NoSuch' is not in the registry 'runner'"),
    ('runner_type=Runner', "runner_type .*'Runner' cannot stand there: what does is derived from mlaface.*FaceRunner"),
    ('train_cfg.type=IterBasedTrainLoop', 'derived from mlaface.engine.train_loop.FaceTrainLoop, as FaceTrainLoop'),
    ('val_cfg.type=ValLoop', "val_cfg .*'ValLoop' cannot stand there"),
    ("custom_hooks=[dict(type='CheckpointHook')]", "custom_hooks.0. .*of MMEngine.* take 'FaceCheckpointHook'"),
    ('visualizer.vis_backends=5', r"vis_backends \(--cfg-options\) is 5, but is written \[dict\(type="),
    ('load_from=5', 'load_from .* is 5. Write a text'), ('sync_bn=no', "sync_bn .* is 'no'. Write True or False"),
    ("randomness.deterministic=yes", "randomness.deterministic .* is 'yes'. Write True or False"),
    ('train_dataloader.sampler=None', 'train_dataloader.sampler .* is None, but is written'),
    ("auto_scale_lr=dict(enable=True,base_batch_size='a')", "base_batch_size .* is 'a'. Write a whole number"),
    ('default_hooks.logger=True', 'default_hooks.logger is a dict of type, interval, and True is none')])
def test_options_are_checked_with_the_config(tmp_path, option, message):
    path = config_file(tmp_path)
    if message is None:
        assert load_config(path, [option]).optim_wrapper.optimizer.dampening is None
        return
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path, [option])
    assert '\n' not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize('old, new, message', [
    ("optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=5e-4)", "optimizer='AdamW'",
     r"optim_wrapper.optimizer is 'AdamW', but is written dict\(type='AdamW', ...\)"),
    ("sampler=dict(type='ToySampler')", "sampler='ToySampler'",
     r"sampler is 'ToySampler', but is written dict\(type='Toy"),
    ("model = dict(type='ToyRecognizer'", "model = dict(tpye='ToyRecognizer'",
     "model has no 'type', but 'tpye'; did you mean 'type'"),
    ('momentum=0.9', "momentum=0.9, tpye='AdamW'", "SGD has no argument 'tpye'; did you mean 'type'"),
    ("head=dict(type='ToyHead')", "head=dict(tpye='ToyHead')",
     "model.head has no 'type', but 'tpye'; did you mean 'type'"),
    ("val_evaluator = dict(type='ToyMetric')", 'val_evaluator = dict()',
     'val_evaluator is a dict of nothing, without a type'),
    ("val_evaluator = dict(type='ToyMetric')", "val_evaluator = 'ToyMetric'", "written dict\\(type='ToyMetric'"),
    ('clip_grad=dict(max_norm=5)', 'clip_grad=5',
     'clip_grad is 5, but is written dict.KEY=VALUE. with keys of max_norm'),
    ("type='WarmupPolyLR', warmup=1", "type='WarmupStepLR', warmup=1",
     "param_scheduler: WarmupStepLR needs 'milestones'"),
    ("type='WarmupPolyLR', warmup=1", "type='WarmupPolyLR', warmup='1'",
     "warmup is the text '1'. Write the number without"),
    ('momentum=0.9', "momentum=0.9, nesterov='no'", "nesterov is the text 'no'. Write True or False"),
    ('momentum=0.9', "momentum='_delete_'",
     "'_delete_' is a word of the command line; in a file .*dict\\(_delete_=True"),
    ("head=dict(type", "head=dict(_delete_=True, type", 'model.head._delete_: nothing is inherited there'),
    ("model = dict(", "custom_hooks = dict(type='EMAHook')\nmodel = dict(", r"is a dict, but is written \[dict"),
    ("model = dict(", "custom_hooks = ['EMAHook']\nmodel = dict(",
     r"custom_hooks\[0\] is 'EMAHook', but is written dict"),
    ("model = dict(", "custom_hooks = [None]\nmodel = dict(",
     r'custom_hooks\[0\] is None.*custom_hooks.0=_delete_ among'),
    ("max_norm=5)", "max_norm=1 / 0)", r'cannot be read: ZeroDivisionError: division by zero \(.*toy.py, line 10\)'),
    ("default_scope", "import no_such_module\ndefault_scope", "cannot import: No module named 'no_such_module'"),
    ("default_scope", "_base_ = 'tot.py'\ndefault_scope",
     'toy.py: _base_ names .*tot.py, which is not there; did you mean')])
def test_values_of_another_form_are_told_how_they_are_written(tmp_path, old, new, message):
    assert old in TEXT
    path = config_file(tmp_path, TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert '\n' not in str(error.value) and str(path) in str(error.value)


def test_a_hook_is_told_arguments_of_a_part_alone(tmp_path):
    stages = [dict(epochs=0, sample_rate=0.3), dict(epochs=5, sample_rate=1.0, margin=dict(m=0.5))]
    text = f"{TEXT}custom_hooks = [dict(type='HeadStagesHook', stages={stages})]\n"
    assert load_config(config_file(tmp_path, text)).custom_hooks[0].stages[1].margin == dict(m=0.5)


def test_training_shuffles_where_no_sampler_is_stated_and_validation_does_not(tmp_path):
    path = config_file(tmp_path, TEXT.replace("sampler=dict(type='ToySampler'),", ''))
    config = load_config(path)
    config.work_dir, config.randomness = str(tmp_path / 'run'), dict(seed=11)
    runner = build_runner(config)
    drawn = [list(runner.build_dataloader(loader).sampler)
             for loader in (runner._train_dataloader, runner._val_dataloader)]
    assert drawn[0] == epoch_permutation(44, 11, 0)[:40].tolist() and drawn[1] == list(range(16))
    for key, remedy in (('train', "sampler=dict.type='EpochSampler', shuffle=False. there"), ('val', 'evaluation')):
        with pytest.raises(ConfigError, match=f'toy.py: {key}_dataloader.* has shuffle, .* leave it out; {remedy}'):
            load_config(path, [f'{key}_dataloader.shuffle=True'])


@pytest.mark.parametrize('key', ['optim_wrapper', 'val_evaluator'])
def test_half_a_training_is_refused(tmp_path, key):
    with pytest.raises(ConfigError, match=f'toy.py: {key} missing or None: .* go together. State all of them, or set'):
        train(config_file(tmp_path), tmp_path / 'run', cfg_options=[f'{key}=None'])


def test_broken_configs_and_options_are_refused(tmp_path):
    path = config_file(tmp_path, 'model = dict(')
    (tmp_path / 'heir.py').write_text(f'_base_ = {path.name!r}\n')
    for file in (path, tmp_path / 'heir.py'):
        with pytest.raises(ConfigError) as error:
            load_config(file)
        assert str(error.value) == f"{file} cannot be read: SyntaxError: '(' was never closed ({path}, line 1)"
    path.write_bytes(b"name = 'M\xfcller'")
    with pytest.raises(ConfigError, match=f'heir.py cannot be read: UnicodeDecodeError: .* \\({path}\\)'):
        load_config(tmp_path / 'heir.py')
    with pytest.raises(ConfigError, match='cfg-options'):
        load_config(config_file(tmp_path), {'train_cfg.max_epochs.deeper': 1})
