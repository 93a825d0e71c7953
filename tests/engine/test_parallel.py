"""Two ranks are one rank with two accumulated micro-batches."""
import os

import pytest
import torch

from mlaface.engine.checkpoint import store
from mlaface.engine.checkpoint.rows import SavedRows
from tests.engine.gloo import run_ranks
from tests.engine.toy import run

OPTIONS = dict(train_cfg__max_epochs=None, train_cfg__max_iters=4, model__dropout=0.0, val_dataloader=None,
               val_evaluator=None, val_cfg=None, default_hooks__checkpoint__interval=2)


def train(rank, world, folder, options):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = run(folder, launcher='pytorch', **options)
    return dict(loss=runner.history.scalars['train/loss'][1], lr=runner.optim_wrapper.optimizer.param_groups[0]['lr'],
                iter=runner.iter, norm=runner.history.scalars['train/grad_norm'][1])


def weights(folder):
    path = store.checkpoints(folder)[0]
    state = {name: value for name, value in store.read(path)['model']['state_dict'].items()
             if 'running' not in name and 'num_batches' not in name}
    return {**state, 'head': SavedRows(store.rows_folder(path), 'model.head.weight')[:]}


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    return folder, run_ranks(train, 2, folder / 'ranks', folder / 'run', OPTIONS)


def test_two_ranks_are_one_rank_that_accumulates(two, tmp_path):
    folder, results = two
    one = run(tmp_path, optim_wrapper__accumulative_counts=2, **OPTIONS)
    assert results[0]['norm'] == pytest.approx(one.history.scalars['train/grad_norm'][1], rel=1e-4)
    expected, found = weights(tmp_path), weights(folder / 'run')
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: name + text)
    assert results[0]['loss'] == results[1]['loss'] == pytest.approx(one.history.scalars['train/loss'][1], rel=1e-5)


def test_a_run_of_two_ranks_continues_on_one(two, tmp_path):
    import shutil
    folder, results = two
    shutil.copytree(folder / 'run', tmp_path / 'run')
    (tmp_path / 'run' / store.NAME.format(4)).unlink()  # as if the two had been killed in the third update
    one = run(tmp_path / 'run', resume=True, optim_wrapper__accumulative_counts=2, **OPTIONS)
    assert one.iter == 4 and one.history.scalars['train/loss'][0] == [1, 2, 3, 4]
    assert one.history.scalars['train/loss'][1] == pytest.approx(results[0]['loss'], rel=1e-5)


def test_a_smaller_global_batch_continues_at_the_same_image(two, tmp_path):
    import shutil
    folder, _ = two
    shutil.copytree(folder / 'run', tmp_path / 'run')
    one = run(tmp_path / 'run', resume=True, **{**OPTIONS, 'train_cfg__max_iters': 10})
    assert one.iter == 10
    assert one.history.scalars['train/loss'][0] == [2, 4, 6, 8, 9, 10]  # 4 updates of 16 images are 8 of 8
