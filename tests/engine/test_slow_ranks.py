"""What one rank does alone may take longer than the process group waits: validation's hooks, checkpoints."""
import os
import time
from datetime import timedelta

import pytest
import torch
from torch import distributed

from mlaface.engine.errors import ConfigError
from mlaface.engine.launch import build_runner
from tests.engine.gloo import run_ranks
from tests.engine.toy import toy_config

TIMEOUT, LONGER = 1.2, 2  # seconds


def measured_by_the_first(rank, world, folder):
    os.environ.update(LOCAL_RANK=str(rank), RANK=str(rank), WORLD_SIZE=str(world))
    runner = build_runner(toy_config(folder, launcher='pytorch', train_dataloader__batch_size=4))
    runner.prepare_training()
    distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=TIMEOUT))  # what a large network has in minutes
    seen, call = [], runner.call_hook

    def slow(stage, **kwargs):
        call(stage, **kwargs)
        if stage in ('after_val_epoch', 'after_train_epoch') and rank == 0:
            seen.append(stage)
            time.sleep(LONGER)
    runner.call_hook = slow
    runner.train_loop._end_epoch()
    alike = torch.ones(())
    distributed.all_reduce(alike)  # the others are there yet
    return dict(seen=seen, alive=float(alike))


@pytest.mark.slow
def test_others_wait_while_the_first_rank_measures(tmp_path):
    first, second = run_ranks(measured_by_the_first, 2, tmp_path / 'ranks', tmp_path / 'run')
    assert first == dict(seen=['after_train_epoch', 'after_val_epoch'], alive=2) and second['alive'] == 2
    assert (tmp_path / 'run' / 'best.pth').exists()


def test_the_timeout_of_the_config_is_that_of_gloo_too(tmp_path, monkeypatch):
    def joined(backend, **where):
        raise ConfigError(f'{backend} {where["timeout"].seconds}')
    monkeypatch.setattr('mlaface.engine.runner.join_ranks', joined)
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    for seconds, message in ((7200, 'gloo 7200'), ('long', "env_cfg.dist_cfg.timeout is 'long'. Write seconds")):
        with pytest.raises(ConfigError, match=message):
            build_runner(toy_config(tmp_path, launcher='pytorch', env_cfg=dict(dist_cfg=dict(timeout=seconds))))
