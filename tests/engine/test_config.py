"""Mistyped configs are errors that name file, key and the nearest name."""
from pathlib import Path

import pytest

from mlaface.engine.config import load_config
from mlaface.engine.errors import ConfigError
from mlaface.engine.launch import train
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
    ('default_hooks.logger.interval', 0, 'toy.py: interval must be at least 1')])
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


def test_broken_configs_and_options_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read: SyntaxError'):
        load_config(config_file(tmp_path, 'model = dict('))
    with pytest.raises(ConfigError, match='cfg-options'):
        load_config(config_file(tmp_path), {'train_cfg.max_epochs.deeper': 1})
