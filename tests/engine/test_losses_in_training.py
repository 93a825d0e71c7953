"""Runs with losses beside the margin, and with stages: logged apart, checked configs, the same after a stop."""
import copy
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from torch import distributed

from mlaface.engine.checkpoint import store
from mlaface.engine.config import load_config
from mlaface.engine.errors import ConfigError
from mlaface.engine.launch import build_runner
from mlaface.engine.runner import FaceRunner
from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.losses.base import FaceLoss
from mlaface.registry import DATA_SAMPLERS, LOSSES, MODELS
from tests.engine.gloo import run_ranks
from tests.engine.toy import ToyRecognizer, config_file, run, toy_config

HEAD = dict(type='MarginHead', embedding_size=6, margin=dict(type='ArcFace', s=16.0, m=0.3))
OPTIONS = dict(train_cfg__max_epochs=2, default_hooks__checkpoint__interval=5, val_dataloader=None,
               val_evaluator=None, val_cfg=None)


@MODELS.register_module()
class ToyStudent(ToyRecognizer):
    """Gives its head the images."""

    def forward(self, images, labels=None, mode='tensor'):
        if mode != 'loss':
            return super().forward(images, labels, mode)
        return self.head.loss(super().forward(images), labels, images=images)

    def extract(self, images, flip='none'):
        return super().forward(images)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A network of ours as a teacher: it is drawn before its weights are read."""
    from mmengine.config import Config
    model = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=18, width=0.125, in_size=8),
                 neck=dict(type='EmbeddingNeck', in_channels=64, in_size=1, embedding_size=12))
    network, file = MODELS.build(model), tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.save(dict(schema=1, mlaface='0', config=Config(dict(model=model)).pretty_text, model=dict(
        state_dict=network.state_dict(), num_classes=None, classes_sha256=None, embedding_size=12,
        input=network.input_spec)), file)
    return str(file)


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A scripted network of 12 numbers an image."""
    class Teacher(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :12] + 1
    script = torch.jit.trace(Teacher(), torch.zeros(2, 3, 8, 8))
    script.save(tmp_path / 'teacher.pt')
    return str(tmp_path / 'teacher.pt')


@pytest.mark.parametrize('kind', ['script', 'checkpoint'])
def test_a_taught_run_is_the_same_after_a_stop(tmp_path, teacher, checkpoint, kind):
    teacher = dict(script=teacher, checkpoint=checkpoint)[kind]
    losses = [dict(type='RelationalDistillation', teacher=teacher, weight=0.5),
              dict(type='CentroidPenalty', weight=0.1)]
    options = dict(OPTIONS, model__type='ToyStudent', model__head=dict(HEAD, losses=losses))
    whole = run(tmp_path / 'whole', **options)
    logged = whole.history.scalars
    for step, loss in enumerate(logged['train/loss'][1]):
        parts = [logged[f'train/loss_{name}'][1][step] for name in ('margin', 'relational_distillation',
                                                                    'centroid_penalty')]
        assert loss == pytest.approx(parts[0] + 0.5 * parts[1] + 0.1 * parts[2], rel=1e-5)
    assert not any('teacher' in name for name in whole.bare_model.state_dict())
    shutil.copytree(tmp_path / 'whole', tmp_path / 'run')
    store.remove(store.checkpoints(tmp_path / 'run')[0])
    resumed = run(tmp_path / 'run', resume=True, **options)
    assert resumed.history.scalars['train/loss'] == logged['train/loss']
    assert torch.equal(resumed.bare_model.head.weight, whole.bare_model.head.weight)


@pytest.mark.parametrize('losses, message', [
    ("[dict(type='CentroidPenlty')]", "did you mean 'CentroidPenalty'"),
    ("[dict(type='CentroidPenalty', wieght=1)]", "did you mean 'weight'"),
    ("dict(type='CentroidPenalty')", r'is written \[dict'),
    ("[dict(type='RelationalDistillation', weight=1)]", "needs 'teacher'")])
def test_slips_in_a_config_are_found_before_training(tmp_path, losses, message):
    text = config_file(tmp_path).read_text()
    path = config_file(tmp_path, text + f"model = dict(type='ToyRecognizer', head=dict(type='MarginHead', "
                                        f"losses={losses}))\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_library_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pytorch_metric_learning', None)
    monkeypatch.setitem(__import__('sys').modules, 'pytorch_metric_learning.losses', None)
    text = config_file(tmp_path).read_text()
    path = config_file(tmp_path, text + "model = dict(type='ToyRecognizer', head=dict(type='MarginHead', "
                                        "losses=[dict(type='pml.TripletMarginLoss', weight=0.1)]))\n")
    with pytest.raises(ConfigError, match=r"toy.py.*losses\[0\].*pip install 'mlaface\[metric\]'"):
        load_config(path)


STAGES = [dict(iters=0, sample_rate=0.4), dict(iters=3, weights=dict(centroid_penalty=1.0), margin=dict(m=0.1)),
          dict(epochs=1.4, sample_rate=1.0, margin=dict(m=0.5))]
STAGED = dict(OPTIONS, custom_hooks=[dict(type='HeadStagesHook', stages=STAGES)], model__dropout=0.0,
              model__head=dict(HEAD, losses=[dict(type='CentroidPenalty', weight=0)]),
              optim_wrapper__optimizer=dict(type='RowSGD', lr=0.05, momentum=0.9, weight_decay=5e-4))


class Watch(Hook):
    """What the head is in each iteration."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        head = runner.bare_model.head
        self.seen.append((head.sample_rate, head.margin.m, head.terms.weights['centroid_penalty'],
                          head.weight.grad is None or head.weight.grad.is_sparse))


def test_stages_begin_when_they_should_and_a_stopped_run_is_the_same(tmp_path):
    runner = build_runner(toy_config(tmp_path / 'whole', **STAGED))
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    stage = [entry[:3] for entry in watch.seen]
    assert stage == [(0.4, 0.3, 0.0)] * 3 + [(0.4, 0.1, 1.0)] * 4 + [(1.0, 0.5, 1.0)] * 3
    head = runner.bare_model.head
    other = MarginHead(5, 6, dict(HEAD['margin'], m=0.5))
    other.weight.data.copy_(head.weight.data)
    embeddings = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(head.logits(embeddings, torch.arange(4)), other.logits(embeddings, torch.arange(4)))
    shutil.copytree(tmp_path / 'whole', tmp_path / 'run')
    store.remove(store.checkpoints(tmp_path / 'run')[0])  # what is left is of iteration 5, in the second stage
    resumed = run(tmp_path / 'run', resume=True, **STAGED)
    assert resumed.history.scalars['train/loss'] == runner.history.scalars['train/loss']
    assert torch.equal(resumed.bare_model.head.weight, head.weight)


def staged_rank(rank, world, folder, options):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = build_runner(toy_config(folder, launcher='pytorch', **copy.deepcopy(options)))
    runner.train()
    return dict(losses=runner.history.scalars['train/loss'][1], rate=runner.bare_model.head.sample_rate,
                weight=runner.bare_model.head.weight.detach())


def head_rank(rank, world):
    torch.manual_seed(0)
    embeddings, labels = torch.randn(6, 6), torch.tensor([0, 9, 3, 3, 7, 1])
    head, mine = MarginHead(10, 6, HEAD['margin'], sample_rate=0.4), slice(3 * rank, 3 * rank + 3)
    found = []
    for rate in (0.4, 1.0, 0.4):
        head.set_sample_rate(rate)
        head.weight.grad = None
        loss = head.loss(embeddings[mine], labels[mine])['loss']
        loss.backward()
        found.append((loss.detach(), head.weight.grad.is_sparse))
    whole = MarginHead(10, 6, HEAD['margin'], group=distributed.new_group([rank], use_local_synchronization=True))
    return dict(losses=torch.stack([loss for loss, _ in found]), sparse=[sparse for _, sparse in found],
                whole=whole.loss(embeddings, labels)['loss'].detach())


def test_a_sharded_head_takes_another_share_of_classes(tmp_path):
    found = run_ranks(head_rank, 2, tmp_path)
    assert torch.equal(found[0]['losses'], found[1]['losses']) and found[0]['sparse'] == [True, False, True]
    torch.testing.assert_close(found[0]['losses'][1], found[0]['whole'])
    assert (found[0]['losses'][[0, 2]] < found[0]['whole']).all(), 'fewer others'


@pytest.mark.slow
@pytest.mark.parametrize('every', [2, 5])
def test_two_ranks_go_through_the_stages_together(tmp_path, every):
    stages = [dict(STAGES[0]), dict(STAGES[1]), dict(STAGES[2], epochs=None, iters=6)]
    options = dict(STAGED, train_dataloader__batch_size=1, train_cfg__max_epochs=None, train_cfg__max_iters=8,
                   custom_hooks=[dict(type='HeadStagesHook', stages=stages)], default_hooks__checkpoint__interval=every)
    whole = run_ranks(staged_rank, 2, tmp_path / 'first', tmp_path / 'run', options)
    assert [result['rate'] for result in whole] == [1.0, 1.0] and whole[0]['losses'] == whole[1]['losses']
    for path in store.checkpoints(tmp_path / 'run')[:-1]:
        store.remove(path)
    again = run_ranks(staged_rank, 2, tmp_path / 'second', tmp_path / 'run', dict(options, resume=True))
    for first, second in zip(whole, again):
        assert first['losses'] == second['losses'] and torch.equal(first['weight'], second['weight'])


@pytest.mark.parametrize('stages, message', [
    ([dict(iters=0)], 'what changes'), ([dict(iters=2, epochs=1, sample_rate=1.0)], 'one of iters and epochs'),
    ([dict(iters=2, sample_rate=0)], r'must lie in \(0, 1\]'), (dict(iters=1), 'write'),
    ([dict(iters=2, sample_rate=1.0), dict(iters=1, sample_rate=1.0)], 'ascend'),
    ([dict(iters=2, samplerate=1.0)], "did you mean 'sample_rate'"),
    ([dict(iters=2, margin=dict(margin=1))], r"stages\[0\].margin: ArcFace has no argument 'margin'"),
    ([dict(iters=2, weights=dict(centroid=1))], 'the head has the losses centroid_penalty')])
def test_stages_that_cannot_be_meant(tmp_path, stages, message):
    with pytest.raises((ConfigError, TypeError), match=message):
        run(tmp_path / 'run', **dict(STAGED, custom_hooks=[dict(type='HeadStagesHook', stages=stages)]))


class Faces:
    """800 images whose people take turns."""

    def __init__(self, people):
        self.labels = np.arange(800) % people

    def __len__(self):
        return len(self.labels)


@pytest.mark.parametrize('sampler, people, needs, told', [
    ('EpochSampler', 400, True, 1), ('EpochSampler', 400, False, 0), ('EpochSampler', 5, True, 0),
    ('IdentitySampler', 400, True, 0), ('HardIdentitySampler', 400, True, 0)])
@pytest.mark.filterwarnings('error')
def test_a_loss_of_pairs_without_pairs_is_said(sampler, people, needs, told):
    data, lines, loss = Faces(people), [], FaceLoss()
    loss.needs_pairs = needs
    loader = SimpleNamespace(dataset=data, batch_size=8, sampler=DATA_SAMPLERS.build(
        dict(type=sampler, dataset=data, batch_size=8)))
    FaceRunner._warn_of_missing_pairs(SimpleNamespace(
        bare_model=torch.nn.ModuleDict(dict(of_triplets=loss)), train_loop=SimpleNamespace(dataloader=loader),
        logger=SimpleNamespace(warning=lines.append)))
    assert len(lines) == told and all('of_triplets learns' in line and "'IdentitySampler'" in line for line in lines)


def test_losses_with_centres_of_their_own_need_no_pairs():
    pytest.importorskip('pytorch_metric_learning')
    arguments = dict(num_classes=4, embedding_size=6)
    assert LOSSES.build(dict(type='pml.ContrastiveLoss')).needs_pairs
    assert not LOSSES.build(dict(type='pml.ProxyAnchorLoss', **arguments)).needs_pairs
