"""Plugins and settings that would train on something else than was meant are refused, in a line."""
import numpy as np
import pytest
import torch
from torch.utils.data import Sampler

from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.datasets.samplers.identity_sampler import IdentitySampler
from mlaface.datasets.sets._base import FaceDataset
from mlaface.engine.errors import ConfigError
from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.losses.base import FaceLoss
from mlaface.models.margins.base import Margin
from mlaface.registry import LOSSES, MARGINS
from mlaface.utils.errors import InputError
from tests.engine.toy import run

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


def test_transforms_that_give_another_type_are_named(tmp_path):
    class Floats:
        def __call__(self, image, rng):
            return image / 255
    data = Faces(transforms=[Floats()])
    with pytest.raises(InputError, match=r'the transforms \(Floats\) give float64 \(112, 112, 3\)'):
        data[0]


def test_a_loop_without_a_type_is_ours_and_a_score_that_nobody_gives_is_said(tmp_path):
    runner = run(tmp_path, train_cfg=dict(_delete_=True, max_iters=2), val_cfg=dict(_delete_=True),
                 default_hooks__checkpoint=dict(type='FaceCheckpointHook', save_best='mean_acuracy'))
    assert runner.iter == 2
    text = (tmp_path / 'log.txt').read_text()
    assert "save_best='mean_acuracy' is nothing that the validation gives; did you mean 'mean_accuracy'?" in text
