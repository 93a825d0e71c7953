"""Hard batches in a run: who is near whom, on any number of ranks, and the same after a stop."""
import shutil

import numpy as np
import pytest
import torch

from mlaface.engine.checkpoint import store
from mlaface.engine.errors import ConfigError
from mlaface.engine.hooks.hard_identity import nearest_people
from mlaface.models.heads.margin_head import MarginHead
from mlaface.registry import DATASETS
from tests.engine.gloo import run_ranks
from tests.engine.toy import CLASSES, ToyFaces, run

PEOPLE = [0, 1, 3, 4, 5, 7, 8, 10]


@DATASETS.register_module()
class LabelledToyFaces(ToyFaces):
    labels = np.arange(44) % CLASSES


def found_on(rank, world, margin=None):
    head = MarginHead(11, 8, margin, seed=4)
    return nearest_people(head, torch.tensor(PEOPLE), 3)


@pytest.mark.parametrize('margin', [pytest.param(None, marks=pytest.mark.slow), dict(type='SubCenterArcFace', k=2)])
def test_the_nearest_are_those_of_the_largest_cosine(tmp_path, margin):
    centres = MarginHead(11, 8, margin, seed=4).weight.detach()
    unit = torch.nn.functional.normalize(centres).view(11, -1, 8).mean(1)
    unit = torch.nn.functional.normalize(unit)[PEOPLE]
    cosines = (unit @ unit.T).fill_diagonal_(-2)
    expected = cosines.argsort(1, descending=True)[:, :3].int()
    assert torch.equal(found_on(0, 1, margin), expected)
    for found in run_ranks(found_on, 2, tmp_path, margin):
        assert torch.equal(found, expected)


OPTIONS = dict(train_dataloader__sampler=dict(type='HardIdentitySampler', images_per_identity=2, near=1),
               train_dataloader__dataset=dict(type='LabelledToyFaces'), train_cfg__max_epochs=2,
               val_dataloader=None, val_evaluator=None, val_cfg=None,
               custom_hooks=[dict(type='HardIdentityHook')],
               model__head=dict(type='MarginHead', embedding_size=6, margin=dict(type='ArcFace', s=16.0, m=0.3)))


@pytest.mark.parametrize('kept', [pytest.param(2, marks=pytest.mark.slow), 7])
def test_a_run_that_was_stopped_goes_on_with_the_same_batches(tmp_path, kept):
    """In the epoch that draws at random, and in the middle of a hard one."""
    options = dict(OPTIONS, default_hooks__checkpoint__interval=kept)
    whole = run(tmp_path / 'whole', **options)
    shutil.copytree(tmp_path / 'whole', tmp_path / 'run')
    for path in store.checkpoints(tmp_path / 'run')[:-1]:
        store.remove(path)
    resumed = run(tmp_path / 'run', **options, resume=True)
    assert resumed.iter == whole.iter == 10
    assert resumed.history.scalars['train/loss'] == whole.history.scalars['train/loss']
    assert torch.equal(resumed.bare_model.head.weight, whole.bare_model.head.weight)


def test_the_hook_needs_its_sampler_and_a_head(tmp_path):
    for options, message in [(dict(train_dataloader__sampler=dict(type='ToySampler')), 'HardIdentitySampler'),
                             (dict(custom_hooks=[dict(type='HardIdentityHook', every=0)]), 'every at least 1')]:
        with pytest.raises(ConfigError, match=message):
            run(tmp_path / 'run', **{**OPTIONS, **options})
