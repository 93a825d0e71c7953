"""``init_centers``: class means as centres, the same for any number of ranks."""
import copy
import os

import pytest
import torch
from torch.nn.functional import normalize

from mlaface.engine.checkpoint import store
from mlaface.engine.checkpoint.rows import SavedRows
from mlaface.engine.errors import ConfigError
from mlaface.engine.launch import build_runner
from mlaface.engine.runner import init_centers_hook
from tests.engine import toy
from tests.engine.gloo import run_ranks
from tests.engine.test_finetuning import MODEL
from tests.engine.toy import CLASSES, IMAGES, ToyFaces

OPTIONS = dict(model=dict(MODEL, frozen=[]), train_cfg__max_epochs=None, train_cfg__max_iters=1, val_dataloader=None,
               val_cfg=None, val_evaluator=None, init_centers='class_means')


def options(k=1, **changes):
    given = copy.deepcopy(dict(OPTIONS, **changes))
    given['model']['head']['margin']['k'] = k
    return given


def begin(folder, **given):
    """A runner whose training is about to begin."""
    runner = build_runner(toy.toy_config(folder, **given))
    runner.prepare_training()
    fresh = runner.bare_model.head.weight.detach().clone()
    runner.call_hook('before_train')
    return runner, fresh


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp('start')
    toy.run(folder, **options(init_centers=None))
    return str(store.checkpoints(folder)[0])


def add_noise(image, generator):
    raise AssertionError('means are of the images as they are')


@pytest.mark.parametrize('k', [1, 2])
def test_centres_turn_to_the_means_of_their_classes_and_keep_their_length(start, tmp_path, monkeypatch, k):
    monkeypatch.setattr(ToyFaces, 'transforms', property(lambda self: self.__dict__.get('given', [add_noise]),
                                                         lambda self, value: self.__dict__.update(given=value)), False)
    runner, fresh = begin(tmp_path, load_from=start, **options(k))
    faces, model, weight = runner.train_dataloader.dataset, runner.bare_model, runner.bare_model.head.weight.detach()
    images = torch.stack([torch.from_numpy(faces[index]['images']) for index in range(IMAGES)])
    unit = normalize(model.extract(images, flip='sum').double())
    labels = torch.arange(IMAGES) % CLASSES
    for label in range(CLASSES):
        mean, rows = normalize(unit[labels == label].sum(0), dim=0), slice(label * k, label * k + k)
        cosine = normalize(weight[rows].double()) @ mean
        torch.testing.assert_close(weight[rows].norm(dim=1), fresh[rows].norm(dim=1))
        assert (cosine > 1 - 1e-6).all() if k == 1 else ((cosine > 0.98) & (cosine < 1 - 1e-3)).all()
    assert 'centres of 5 identities begin at their class means: 44 images' in (tmp_path / 'log.txt').read_text()
    assert model.training


def test_a_class_without_images_keeps_its_fresh_centre(start, tmp_path, monkeypatch):
    monkeypatch.setattr(toy, 'CLASSES', 7)  # labels are those of five people
    monkeypatch.setattr(ToyFaces, '__len__', lambda self: 6)
    runner, fresh = begin(tmp_path, load_from=start, **options(train_dataloader__batch_size=2))
    moved = (runner.bare_model.head.weight != fresh).any(1).tolist()
    assert moved == [True] * 6 + [False]


def train(rank, world, folder, given):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner, _ = begin(folder, launcher='pytorch', **given)
    return runner.bare_model.head.weight.detach()


@pytest.mark.slow
def test_two_ranks_make_the_centres_of_one(start, tmp_path):
    given = options(k=2, load_from=start)
    one, _ = begin(tmp_path / 'one', **copy.deepcopy(given))
    parts = run_ranks(train, 2, tmp_path / 'ranks', tmp_path / 'two', given)
    torch.testing.assert_close(torch.cat(parts), one.bare_model.head.weight.detach(), rtol=1e-5, atol=1e-7)


def test_a_resumed_run_keeps_its_centres_and_fresh_weights_are_refused(start, tmp_path):
    toy.run(tmp_path, load_from=start, **options())
    saved = SavedRows(store.rows_folder(store.checkpoints(tmp_path)[0]), 'model.head.weight')[:]
    runner, _ = begin(tmp_path, resume='latest', load_from=start, **options())
    assert torch.equal(runner.bare_model.head.weight, saved)
    with pytest.raises(ConfigError, match='set load_from'):
        begin(tmp_path / 'fresh', **options())
    with pytest.raises(ConfigError, match="init_centers=True: say 'class_means', or FILE.safetensors"):
        begin(tmp_path / 'wrong', **options(init_centers=True))
    assert init_centers_hook('a.safetensors') == dict(type='InitCentersHook', file='a.safetensors')
