"""The sharded margin head in a run of two ranks that is killed and continued on one."""
import os
import shutil
import signal

import pytest
import torch
from mmengine.hooks import Hook

from mlaface.engine.checkpoint import store
from mlaface.engine.launch import build_runner
from tests.engine.gloo import run_ranks
from tests.engine.toy import run, toy_config

OPTIONS = dict(
    train_cfg__max_epochs=None, train_cfg__max_iters=8, model__dropout=0.0, val_dataloader=None, val_evaluator=None,
    val_cfg=None, default_hooks__checkpoint__interval=1,
    model__head=dict(type='MarginHead', embedding_size=6, margin=dict(type='ArcFace', s=16.0, m=0.3)),
    optim_wrapper__optimizer=dict(type='RowSGD', lr=0.05, momentum=0.9, weight_decay=5e-4))


class KillAt(Hook):
    """Kills this process in the middle of an iteration, without a chance to clean up."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            os.kill(os.getpid(), signal.SIGKILL)


def doomed(rank, world, folder):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = build_runner(toy_config(folder, launcher='pytorch', **OPTIONS))
    runner.register_hook(KillAt())
    runner.train()


def test_killed_on_two_ranks_and_resumed_on_one_is_the_run_on_one(tmp_path):
    whole = run(tmp_path / 'whole', optim_wrapper__accumulative_counts=2, **OPTIONS)
    with pytest.raises(FileNotFoundError):
        run_ranks(doomed, 2, tmp_path / 'ranks', tmp_path / 'run')
    assert max(int(path.stem.split('_')[-1]) for path in store.checkpoints(tmp_path / 'run')) == 5
    resumed = run(tmp_path / 'run', resume=True, optim_wrapper__accumulative_counts=2, **OPTIONS)
    (steps, losses), (all_steps, expected) = (r.history.scalars['train/loss'] for r in (resumed, whole))
    assert list(steps) == list(all_steps) == list(range(1, 9))
    assert losses[5:] == pytest.approx(expected[5:], rel=1e-4)
    torch.testing.assert_close(resumed.bare_model.head.weight, whole.bare_model.head.weight, rtol=1e-4, atol=1e-6)


def test_a_sampling_head_is_asked_for_its_rows_and_resumes_bit_for_bit(tmp_path):
    sampled = {**OPTIONS, 'model__head': {**OPTIONS['model__head'], 'sample_rate': 0.4},
               'train_dataloader__batch_size': 1, 'default_hooks__checkpoint__max_keep': 50,
               'train_cfg__max_iters': 30}
    whole = run(tmp_path / 'whole', **sampled)
    head, optimizer = whole.bare_model.head, whole.optim_wrapper.optimizer
    assert head.row_hook is not None, 'rows left behind would be read as they are'
    assert len(optimizer.state[head.weight]['last_step'].unique()) > 1, 'some rows should be behind'
    assert 'the head samples 0.4 of' in (tmp_path / 'whole' / 'log.txt').read_text()
    shutil.copytree(tmp_path / 'whole', tmp_path / 'run')
    for path in store.checkpoints(tmp_path / 'run')[:15]:
        store.remove(path)
    resumed = run(tmp_path / 'run', resume=True, **sampled)
    assert resumed.iter == 30
    assert resumed.history.scalars['train/loss'] == whole.history.scalars['train/loss']
    assert torch.equal(resumed.bare_model.head.weight, head.weight)
    other = resumed.optim_wrapper.optimizer.state[resumed.bare_model.head.weight]
    assert torch.equal(other['last_step'], optimizer.state[head.weight]['last_step'])


def test_a_run_that_goes_on_with_another_margin_says_what_differs(tmp_path):
    short = {**OPTIONS, 'train_cfg__max_iters': 1}
    run(tmp_path, **short)
    run(tmp_path, resume=True, **{**short, 'train_cfg__max_iters': 2})
    log = tmp_path / 'log.txt'
    assert 'another head' not in log.read_text()
    other = dict(type='CosFace', s=16.0, m=0.2)
    run(tmp_path, resume=True, **{**short, 'train_cfg__max_iters': 3, 'model__head__margin': other})
    warning, = (line for line in log.read_text().splitlines() if 'another head' in line)
    assert ("iter_00000002.pth states another head: model.head.margin.m was 0.3 and is 0.2; "
            "model.head.margin.type was 'ArcFace' and is 'CosFace'. Training goes on") in warning
