"""Frozen stages, a head that learns first, and slower layers: resumed exactly, and the same on two ranks."""
import copy
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mlaface.engine.checkpoint import store
from mlaface.engine.checkpoint.training import load_weights
from mlaface.engine.config import load_config
from mlaface.engine.errors import CheckpointError, ConfigError
from mlaface.engine.launch import build_runner
from mlaface.registry import MODELS
from mlaface.utils.errors import UserError
from mlaface.zoo.locate import find_model
from tests.engine import test_resume, toy
from tests.engine.gloo import run_ranks
from tests.engine.test_resume import last_state, losses, same

ROOT = Path(__file__).resolve().parents[2]
UNTIL, END = 2, 5
MODEL = dict(
    _delete_=True, type='FaceRecognizer', channels_last=True, frozen=['backbone.layer2.0.bn1'],
    backbone=dict(type='IResNet', depth=18, width=0.125, in_size=8, frozen_stages=1, norm_eval=True, with_cp=True),
    neck=dict(type='EmbeddingNeck', in_channels=64, in_size=1, embedding_size=6, dropout=0.2),
    head=dict(type='MarginHead', embedding_size=6, margin=dict(type='SubCenterArcFace', s=16.0, m=0.3, k=2)))
OPTIONS = dict(
    model=MODEL, custom_hooks=[dict(type='HeadFirstHook', iters=UNTIL)], train_cfg__max_epochs=None,
    train_cfg__max_iters=END, val_dataloader=None, val_cfg=None, val_evaluator=None,
    default_hooks__checkpoint__interval=100,
    optim_wrapper__paramwise_cfg=dict(layer_decay=0.5, custom_keys={'neck': dict(lr_mult=2.0)}))
WAYS = dict(sgd={}, adamw=dict(optim_wrapper__optimizer=dict(_delete_=True, type='AdamW', lr=0.01)),
            sampled=dict(model=dict(MODEL, head=dict(MODEL['head'], sample_rate=0.4)),
                         optim_wrapper__optimizer__type='RowSGD'),
            accumulated=dict(optim_wrapper__accumulative_counts=2),
            moving_norms=dict(custom_hooks=[dict(type='HeadFirstHook', epochs=0.4, norm_eval=False)]))


def run(folder, **options):
    return toy.run(folder, **copy.deepcopy(options))  # reading a config takes its _delete_ away


@pytest.fixture(scope='module')
def start(tmp_path_factory):
    """Weights of a short training, with another number of identities than the head that follows."""
    folder = tmp_path_factory.mktemp('start')
    model = dict(MODEL, frozen=[], backbone=dict(MODEL['backbone'], frozen_stages=-1, norm_eval=False))
    run(folder, **dict(OPTIONS, model=model, custom_hooks=[]))
    return str(store.checkpoints(folder)[0])


@pytest.fixture(scope='module')
def wholes(start, tmp_path_factory):
    made = {}

    def whole(way):
        if way not in made:
            made[way] = tmp_path_factory.mktemp(way)
            run(made[way], load_from=start, **{**OPTIONS, **WAYS[way]})
        return made[way]
    return whole


@pytest.mark.parametrize('way, stop', [
    ('sgd', 1), ('sgd', UNTIL), pytest.param('sgd', UNTIL + 1, marks=pytest.mark.slow),
    ('adamw', UNTIL + 1), pytest.param('sampled', 1, marks=pytest.mark.slow),
    pytest.param('accumulated', UNTIL + 1, marks=pytest.mark.slow),
    pytest.param('moving_norms', 1, marks=pytest.mark.slow)])
def test_a_run_that_stops_before_or_after_the_thaw_goes_on_exactly(wholes, start, tmp_path, way, stop):
    options = {**OPTIONS, **WAYS[way], 'load_from': start}
    test_resume.interrupted(tmp_path, stop, **copy.deepcopy(options))
    resumed = run(tmp_path, **dict(options, load_from=None), resume=True)
    assert resumed.iter == END and losses(tmp_path) == losses(wholes(way))
    same(last_state(wholes(way)), last_state(tmp_path))


def trunk(path):
    state = store.read_weights(path)['state_dict']
    return {name: tensor for name, tensor in state.items() if not name.startswith('head.')}


def test_the_trunk_waits_and_then_what_is_not_frozen_learns(wholes, start):
    after = store.read(store.checkpoints(wholes('sgd'))[0])['model']['state_dict']
    moved = {name for name, tensor in trunk(start).items() if not torch.equal(tensor, after[name])}
    assert not {n for n in moved if n.startswith(('backbone.conv1', 'backbone.layer1', 'backbone.layer2.0.bn1'))}
    assert {'backbone.layer2.0.conv1.weight', 'neck.fc.weight', 'backbone.layer4.1.bn3.bias'} <= moved
    assert not {n for n in moved if n.startswith('backbone') and 'running' in n}
    log = (wholes('sgd') / 'log.txt').read_text()
    assert f'only head learns until iteration {UNTIL}' in log and f'all parts learn from iteration {UNTIL} on' in log


def test_while_it_waits_nothing_of_the_trunk_moves(start, tmp_path):
    runner = run(tmp_path, load_from=start, **dict(OPTIONS, train_cfg__max_iters=UNTIL))
    after = runner.bare_model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in trunk(start).items())
    states = runner.optim_wrapper.optimizer.state
    assert [parameter.shape[1] for parameter in states] == [6], 'the head alone has a momentum'


def train(rank, world, folder, options):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = run(folder, launcher='pytorch', **options)
    return dict(loss=runner.history.scalars['train/loss'][1], wrapped=int(runner.model is not runner.bare_model))


@pytest.mark.slow
@pytest.mark.parametrize('frozen', [
    pytest.param(['backbone.layer2.0.bn1'], id='some', marks=pytest.mark.slow),
    pytest.param(['backbone', 'neck'], id='all but the head')])
def test_two_ranks_are_one_that_accumulates_and_one_continues_them(start, tmp_path, frozen):
    model = copy.deepcopy(MODEL)
    model['neck']['dropout'], model['frozen'] = 0.0, [*frozen, 'neck.bn2', 'neck.features']
    options = dict(OPTIONS, model=model, load_from=start, default_hooks__checkpoint__interval=1,
                   train_dataloader__batch_size=4, default_hooks__checkpoint__max_keep=9)
    one = run(tmp_path / 'one', optim_wrapper__accumulative_counts=2, **options)
    two = run_ranks(train, 2, tmp_path / 'ranks', tmp_path / 'two', options)
    expected = one.history.scalars['train/loss'][1]
    assert two[0]['loss'] == two[1]['loss'] == pytest.approx(expected, rel=1e-4)
    assert two[0]['wrapped'] == (len(frozen) == 1), 'DDP has nothing to do where the trunk is frozen'
    for kept in (1, 3):  # before and after the thaw
        shutil.copytree(tmp_path / 'two', tmp_path / f'from{kept}')
        for path in store.checkpoints(tmp_path / f'from{kept}'):
            if int(path.stem.split('_')[1]) > kept:
                store.remove(path)
        resumed = run(tmp_path / f'from{kept}', resume=True, optim_wrapper__accumulative_counts=2,
                      **dict(options, load_from=None))
        assert resumed.history.scalars['train/loss'][1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('hook, words', [
    (dict(), 'one of iters and epochs'), (dict(iters=2, epochs=1), 'one of iters and epochs'),
    (dict(iters=2, learn=['hed']), "no part 'hed'; it has backbone, neck"),
    (dict(iters=2, learn=['preprocessor']), 'nothing of preprocessor learns')])
def test_a_head_first_that_cannot_be_is_refused(tmp_path, hook, words):
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, **dict(OPTIONS, custom_hooks=[dict(type='HeadFirstHook', **hook)]))


def test_frozen_fresh_weights_are_told(tmp_path):
    runner = build_runner(toy.toy_config(tmp_path, **copy.deepcopy(OPTIONS)))
    runner.prepare_training()
    log = (tmp_path / 'log.txt').read_text()
    assert '6 kernels and 29 norms are frozen as they were drawn (backbone.conv1.weight, ' in log
    assert re.search(r'frozen +- +[0-9,]+ +backbone.conv1, backbone.bn1', log)


@pytest.mark.parametrize('name, edit', [
    ('mla_r18w025_heads', None), ('mla_r18w025_drawn', 'model = dict(backbone=dict(depth=18, norm_eval=True))')])
def test_networks_of_the_zoo_fit_the_config_of_the_page(name, edit, tmp_path):
    page = (ROOT / 'docs/finetuning.md').read_text()
    text = next(block for block in re.findall('```python\n(.*?)```', page, re.S) if 'mla_iresnet_w025' in block)
    if edit:
        assert f'`{edit}`' in page
        text = text[:text.index('model =')] + edit
    (tmp_path / 'finetune.py').write_text(text.replace("'_base_/", f"'{ROOT}/configs/_base_/"))
    config = load_config(tmp_path / 'finetune.py').model
    config.head.num_classes = 5
    runner = SimpleNamespace(bare_model=MODELS.build(config))
    weight = next(runner.bare_model.backbone.parameters())
    before = weight.detach().clone()
    assert '000 identities is left out and begins anew for 5' in load_weights(runner, name)
    assert not torch.equal(before, weight)


def test_what_cannot_be_trained_on_is_refused_in_a_line(tmp_path):
    with pytest.raises(CheckpointError, match='^sface is an ONNX file, whose network cannot be trained: [^\n]*$'):
        store.read_weights('sface')
    with pytest.raises(UserError, match="did you mean 'mla_r18w025_heads'"):
        store.read_weights('mla_r18w025_head')
    file = find_model('mla_r18w025_heads')
    damaged = tmp_path / file.name
    damaged.write_bytes(file.read_bytes()[:-1] + b'x')
    with pytest.raises(UserError, match='is not the file that its name says'):
        store.read_weights(damaged)
    with pytest.raises(CheckpointError, match='no model at'):
        store.read_weights(tmp_path / 'none.safetensors')
