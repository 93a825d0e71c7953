"""Plugins and settings that would train on something else than was meant are refused, in a line."""
import json

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch.utils.data import Sampler

from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.datasets.samplers.identity_sampler import IdentitySampler
from mlaface.datasets.sets._base import FaceDataset
from mlaface.engine import data
from mlaface.engine.checkpoint import store
from mlaface.engine.config import check_config, load_config
from mlaface.engine.errors import CheckpointError, ConfigError
from mlaface.engine.launch import build_runner
from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.losses.base import FaceLoss
from mlaface.models.margins.base import Margin
from mlaface.registry import DATA_SAMPLERS, HOOKS, LOSSES, MARGINS
from mlaface.utils.errors import InputError, MissingPackageError
from tests.engine.toy import config_file, run, toy_config

HEAD = dict(_delete_=True, type='MarginHead', embedding_size=6)


class Column(Margin):
    """Logits of a wrong shape, which would be broadcast."""

    def target_logit(self, target, context):
        return (self.s * target)[:, None]


class Vector(FaceLoss):
    """A loss a sample."""

    def forward(self, embeddings, labels):
        return embeddings.square().mean(1)


@pytest.mark.parametrize('registry, part, head, told', [
    (MARGINS, Column, dict(margin=dict(type='Column')), r'Column.target_logit gives \(6, 1\); .* of shape \(6,\)'),
    (LOSSES, Vector, dict(losses=[dict(type='Vector')]), r'losses: vector \(Vector\) gives \(6,\); a loss is a')])
def test_what_is_of_another_shape_is_named(registry, part, head, told):
    registry.register_module(module=part, force=True)
    try:
        head = MarginHead(10, 8, **head)
        with pytest.raises(InputError, match=told):
            head.loss(torch.randn(6, 8), torch.arange(6))
    finally:
        registry.module_dict.pop(part.__name__)


class Faces(FaceDataset):
    """One grey image."""

    def __len__(self):
        return 1

    def encoded(self, index):
        return dict(labels=0), encode(np.full((112, 112, 3), 128, np.uint8))


class Wrong(GlobalBatches, Sampler):
    """A sampler that gives what it is told to."""

    def __init__(self, given):
        super().__init__(10, 2, 0, True)
        self.given = given

    def order(self):
        return self.given


@pytest.mark.parametrize('given', [np.arange(1, 11), np.arange(-1, 9), np.arange(9), np.arange(10.0), [[0] * 10]])
def test_an_order_that_is_none_is_named(given):
    with pytest.raises(InputError, match=r'Wrong.order\(\) gives .* must be 10 whole numbers from 0 to 9'):
        list(Wrong(given))
    assert list(Wrong(list(range(10)))) == list(range(10))


def test_too_few_people_for_a_batch_are_said():
    data = type('Data', (), dict(labels=np.repeat(np.arange(3), 8), __len__=lambda self: 24))()
    with pytest.warns(UserWarning, match='3 identities, fewer than the 4 of a batch'):
        IdentitySampler(data, 8, images_per_identity=2)


def test_a_loss_a_sample_is_not_trained_on(tmp_path):
    with pytest.raises(ConfigError, match=r"the loss has the shape \(\d+,\).*reduction='mean'"):
        run(tmp_path, model__head=dict(HEAD, reduction='none'))


def test_stages_that_sample_need_an_optimizer_by_rows(tmp_path):
    with pytest.raises(ConfigError, match="HeadStagesHook: .* does not update the rows .* 'RowSGD'"):
        run(tmp_path, custom_hooks=[dict(type='HeadStagesHook', stages=[dict(iters=2, sample_rate=0.5)])],
            model__head=HEAD)


def test_stages_behind_the_end_of_a_run_are_said(tmp_path):
    run(tmp_path, model__head=HEAD, custom_hooks=[dict(type='HeadStagesHook', stages=[
        dict(iters=1, margin=dict(m=0.3)), dict(iters=900, margin=dict(m=0.5))])])
    text = (tmp_path / 'log.txt').read_text()
    assert 'the stages that begin at 900 never do' in text


@pytest.mark.parametrize('change, told', [
    (lambda image: image / 255, r'float64 \(112, 112, 3\)'), (lambda image: image.fill(0), 'NoneType')])
def test_transforms_that_give_another_type_are_named(change, told):
    class Own:
        def __call__(self, image, rng):
            return change(image)
    data = Faces(transforms=[Own()])
    with pytest.raises(InputError, match=rf'the transforms \(Own\) give {told}; a sample'):
        data[0]


def test_a_loop_without_a_type_is_ours_and_a_score_that_nobody_gives_is_said(tmp_path):
    runner = run(tmp_path, train_cfg=dict(_delete_=True, max_iters=2), val_cfg=dict(_delete_=True),
                 default_hooks__checkpoint=dict(type='FaceCheckpointHook', save_best='mean_acuracy'))
    assert runner.iter == 2
    text = (tmp_path / 'log.txt').read_text()
    assert "save_best='mean_acuracy' is nothing that the validation gives; did you mean 'mean_accuracy'?" in text


@pytest.mark.parametrize('options, words', [
    (dict(optim_wrapper__type='OptimWrapper'), "type='OptimWrapper' clips and scales each rank's gradients"),
    (dict(optim_wrapper__optimizer__lr=float('nan')), 'optimizer.lr is nan'),
    (dict(optim_wrapper__optimizer__momentum=1.5), 'momentum is 1.5; it is at least 0 and below 1'),
    (dict(optim_wrapper__paramwise_cfg=dict(layer_decay=2)), 'layer_decay is 2; it is above 0 and at most 1'),
    (dict(param_scheduler=dict(type='WarmupStepLR', milestones=5)), r'milestones=5; write a list of numbers'),
    (dict(param_scheduler=dict(type='WarmupStepLR', milestones=[2], gamma=-1)), 'gamma=-1 multiplies the rate'),
    (dict(val_cfg__between=5), r'val_cfg.between is 5: write dict\(every=5\)'),
    (dict(custom_hooks=[dict(type='EMAHook')]), 'several EMAHooks')])
def test_settings_that_nobody_means_are_refused(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, **options)


class NoHook:
    """What somebody registered as a hook without deriving it from one."""


def test_a_hook_that_is_none_is_named(tmp_path):
    HOOKS.register_module(module=NoHook, force=True)
    try:
        with pytest.raises(ConfigError, match=r"custom_hooks\[0\]: 'NoHook' cannot .* derived from mmengine.hooks.H"):
            check_config(toy_config(tmp_path, custom_hooks=[dict(type='NoHook')]))
    finally:
        HOOKS.module_dict.pop('NoHook')


@pytest.mark.parametrize('backends, error, words', [
    ([dict(type='WandbVisBackend')], MissingPackageError,
     r': visualizer.vis_backends\[0\], WandbVisBackend, needs wandb, .*: pip install wandb, or leave it out'),
    ([dict(type='LocalVisBackend')] * 2, ConfigError, r"\[1\] has the name of an earlier one: write dict\(type='Local"),
    ([dict(type='LocalVisBackend', scalar_save_file='a.txt')], ConfigError, "scalar_save_file.*json' does not hold")])
def test_a_visual_backend_that_cannot_be_is_named_before_training(tmp_path, monkeypatch, backends, error, words):
    monkeypatch.setattr('mlaface.engine.visualizer.is_installed', lambda package: package != 'wandb')
    with pytest.raises(error, match=words) as raised:
        build_runner(toy_config(tmp_path, visualizer=dict(vis_backends=backends)))
    assert '\n' not in str(raised.value)


def test_backends_of_one_type_are_told_apart_by_name_and_a_function_that_is_none_is_named(tmp_path):
    path = config_file(tmp_path)
    two = "visualizer=dict(vis_backends=[dict(type='LocalVisBackend'),dict(type='LocalVisBackend',name='second')])"
    assert len(load_config(path, [two]).visualizer.vis_backends) == 2
    with pytest.raises(ConfigError, match="collate_fn: no function 'toy_colate' is registered; did you mean 'toy_coll"):
        run(tmp_path, train_dataloader__collate_fn=dict(type='toy_colate'))
    with pytest.raises(ConfigError, match='EMAHook: momentum must lie in'):
        run(tmp_path, default_hooks__ema__momentum=2)


def test_an_operator_without_a_deterministic_form_is_said(tmp_path, monkeypatch):
    def refused(model, data, optim_wrapper):
        raise RuntimeError("histc_cuda does not have a deterministic implementation, but you set "
                           "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this")
    monkeypatch.setattr('tests.engine.toy.ToyRecognizer.train_step', refused)
    with pytest.raises(ConfigError, match='deterministic=True: histc_cuda does not have a deterministic implementation '
                                          'on this device; leave out .*deterministic=False$'):
        run(tmp_path)


def test_a_trunk_that_never_learns_is_said(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1, custom_hooks=[dict(type='HeadFirstHook', epochs=9)])
    assert 'the run ends at iteration 5; what waits until 45 never learns' in (tmp_path / 'log.txt').read_text()


def test_an_error_of_a_validation_does_not_cost_the_epoch(tmp_path):
    """The checkpoint is written after it, for its score; without one the next start would come no further."""
    runner = build_runner(toy_config(tmp_path))
    runner.prepare_training()

    def failing(size):
        raise ValueError('of the metric')
    runner.val_loop.evaluator.evaluate = failing
    with pytest.raises(ValueError, match='of the metric'):
        runner.train_loop.run()
    content = store.read(store.checkpoints(tmp_path)[0])
    assert content['loop']['iter'] == 5 and content['loop']['validated_at'] == -1


@pytest.mark.parametrize('score', [np.float32(0.5), torch.tensor([0.5]), np.array(0.5)])
def test_a_score_of_another_library_is_a_number(tmp_path, score):
    runner = build_runner(toy_config(tmp_path, train_cfg__max_epochs=1))
    runner.prepare_training()
    runner.val_loop.evaluator.evaluate = lambda size: dict(mean_accuracy=score, kind='good')
    runner.train_loop.run()
    assert 'validation at iteration 5: mean_accuracy 0.5000' in (tmp_path / 'log.txt').read_text()
    assert json.loads((tmp_path / 'metrics.json').read_text())['mean_accuracy'] == 0.5
    assert store.read(store.checkpoints(tmp_path)[0])['best']['value'] == 0.5


def test_two_trainings_in_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr('mlaface.engine.runner.LOCK_SECONDS', 0.1)
    config = tmp_path / 'config.py'
    log = tmp_path / 'log.txt'
    config.write_text('# of the first\n')
    log.write_text('of the first\n')
    with FileLock(tmp_path / '.training.lock'), pytest.raises(ConfigError, match='another training writes to'):
        run(tmp_path)
    assert config.read_text() == '# of the first\n', 'what continues the first is its own config'
    assert log.read_text() == 'of the first\n'
    with FileLock(tmp_path / '.training.lock'):
        later = build_runner(toy_config(tmp_path, train_cfg__max_epochs=1))
        log.write_text('of the first\nand its end\n')
    later.train()  # who is first has ended
    assert (tmp_path / 'previous_1/log.txt').read_text() == 'of the first\nand its end\n'
    assert log.read_text().count(' mlaface ') == 1 and 'iter 5/5 ' in log.read_text()
    assert later.iter == 5 and 'max_epochs=1' in config.read_text()


def test_another_optimizer_than_that_of_the_checkpoint(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1)
    with pytest.raises(CheckpointError, match='was written by SGD, this run has AdamW: set optim_wrapper.optimizer.ty'):
        run(tmp_path, resume=True, optim_wrapper__optimizer=dict(_delete_=True, type='AdamW', lr=0.01))


def test_a_score_that_is_chosen_by_itself(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1, default_hooks__checkpoint__save_best='auto')
    assert (tmp_path / 'best.pth').is_file()


class Alone(Sampler):
    """One of torch's kind, that knows no ranks."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __iter__(self):
        return iter(range(len(self.dataset)))

    def __len__(self):
        return len(self.dataset)


def test_a_sampler_that_knows_no_ranks(monkeypatch):
    DATA_SAMPLERS.register_module(module=Alone, force=True)
    try:
        assert data._sampler(dict(type='Alone'), [1, 2, 3], 1, 0) is not None
        monkeypatch.setattr(data, 'world_size', lambda: 2)
        said = []
        monkeypatch.setattr(data, 'print_log', lambda text, *_: said.append(text))
        data._sampler(dict(type='Alone'), [1, 2, 3], 1, 0)
        assert len(said) == 1 and "sampler 'Alone' has no attribute rank" in said[0]
    finally:
        DATA_SAMPLERS.module_dict.pop('Alone')


def test_another_network_than_that_of_the_checkpoint_is_told_how_to_begin_anew(tmp_path):
    run(tmp_path, train_cfg__max_epochs=1)
    with pytest.raises(CheckpointError, match=r'another architecture[\s\S]*anew: without --resume, load_from=None'):
        run(tmp_path, resume=True, model__hidden=4)
