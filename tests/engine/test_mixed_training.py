"""A run on two label spaces: heads of its own for each, sharded, stopped and continued."""
import os
import shutil

import numpy as np
import pytest
import torch

from mlaface.engine.checkpoint import store
from mlaface.engine.launch import build_runner
from mlaface.registry import DATASETS
from tests.engine.gloo import run_ranks
from tests.engine.toy import CLASSES, ToyFaces, run, toy_config


@DATASETS.register_module()
class TwoToySets(ToyFaces):
    """The first 24 images are of three classes, the others of two more."""
    sizes = [24, 20]

    def __init__(self, images=44, seed=7):
        super().__init__(images, seed)
        self.metainfo['label_spaces'] = (3, 2)
        self.labels = np.r_[np.arange(24) % 3, 3 + np.arange(20) % 2]

    def __getitem__(self, draw):
        return dict(super().__getitem__(draw), labels=int(self.labels[int(draw) % len(self)]))


HEADS = dict(type='SeparateHeads', embedding_size=6, weights=[1, 0.5],
             head=dict(type='MarginHead', margin=dict(type='ArcFace', s=16.0, m=0.3)))
OPTIONS = dict(train_dataloader__sampler=dict(type='MixedSampler', weights=[1, 3]), model__head=HEADS,
               train_dataloader__dataset=dict(type='TwoToySets'), train_cfg__max_epochs=2,
               default_hooks__checkpoint__interval=3, val_dataloader=None, val_evaluator=None, val_cfg=None,
               model__dropout=0.0)


def on_rank(rank, world, folder):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = build_runner(toy_config(folder, launcher='pytorch', **OPTIONS, train_dataloader__batch_size=4))
    runner.train()
    return dict(losses=runner.history.scalars['train/loss'][1],
                weight=runner.bare_model.head.heads[0].weight.detach())


@pytest.mark.slow
def test_a_run_is_the_same_stopped_and_on_two_ranks(tmp_path):
    whole = run(tmp_path / 'whole', **OPTIONS)
    head = whole.bare_model.head
    assert head.label_spaces == (3, 2) and head.num_classes == CLASSES
    shutil.copytree(tmp_path / 'whole', tmp_path / 'run')
    for path in store.checkpoints(tmp_path / 'run')[:-1]:
        store.remove(path)
    resumed = run(tmp_path / 'run', **OPTIONS, resume=True)
    losses = whole.history.scalars['train/loss'][1]
    assert resumed.history.scalars['train/loss'][1] == losses and len(losses) == 10
    assert torch.equal(resumed.bare_model.head.heads[1].weight, head.heads[1].weight)
    parts = [whole.history.scalars[f'train/loss_{number}'][1] for number in range(2)]
    assert np.sum(parts, axis=0) == pytest.approx(losses)


@pytest.mark.slow
def test_two_ranks_with_the_same_batches_begin_alike(tmp_path):
    """Norms see other images on each rank, so that only the first loss is the same."""
    whole = run(tmp_path / 'whole', **OPTIONS, optim_wrapper__accumulative_counts=2, train_dataloader__batch_size=4)
    found = run_ranks(on_rank, 2, tmp_path / 'ranks', tmp_path / 'run')
    assert found[0]['losses'] == found[1]['losses']
    assert found[0]['losses'][0] == pytest.approx(whole.history.scalars['train/loss'][1][0], rel=1e-5)
    assert len(torch.cat([result['weight'] for result in found])) == 3
