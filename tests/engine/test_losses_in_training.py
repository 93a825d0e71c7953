"""Runs with losses beside the margin, and with stages: logged apart, checked configs, the same after a stop."""
import shutil

import pytest
import torch

from mlaface.engine.checkpoint import store
from mlaface.engine.config import load_config
from mlaface.engine.errors import ConfigError
from mlaface.registry import MODELS
from tests.engine.toy import ToyRecognizer, config_file, run

HEAD = dict(type='MarginHead', embedding_size=6, margin=dict(type='ArcFace', s=16.0, m=0.3))
OPTIONS = dict(train_cfg__max_epochs=2, default_hooks__checkpoint__interval=1, val_dataloader=None,
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


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A scripted network of 12 numbers an image."""
    class Teacher(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :12] + 1
    script = torch.jit.trace(Teacher(), torch.zeros(2, 3, 8, 8))
    script.save(tmp_path / 'teacher.pt')
    return str(tmp_path / 'teacher.pt')


def test_a_taught_run_is_the_same_after_a_stop(tmp_path, teacher):
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
    for path in store.checkpoints(tmp_path / 'run')[:-4]:
        store.remove(path)
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
