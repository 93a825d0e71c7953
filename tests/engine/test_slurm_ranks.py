"""What Slurm says of a rank becomes what torchrun says of it."""
import os
import stat
from types import SimpleNamespace

import pytest
import torch

from mlaface.engine.distributed import state_ranks
from mlaface.engine.launch import _common_seed, build_runner
from mlaface.registry import MODEL_WRAPPERS
from mlaface.utils.errors import InputError
from tests.engine.toy import toy_config

SAID = dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_NODELIST='n[1-2]', SLURM_JOB_ID='77')
STATED = 'RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'


@pytest.fixture
def slurm(monkeypatch, tmp_path):
    """Names what ``scontrol`` does; ranks are those of a job on two nodes."""
    def scontrol(line):
        path = tmp_path / 'scontrol'
        path.write_text(f'#!/bin/sh\n{line}\n')
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    for name in STATED:
        monkeypatch.setenv(name, '')  # so that all come back as they were
        monkeypatch.delenv(name)
    for name, value in SAID.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('SLURM_STEP_NODELIST', raising=False)
    return scontrol


def test_a_rank_of_slurm_is_stated_and_all_draw_one_seed(slurm, monkeypatch):
    slurm('[ "$3" = "n[1-2]" ] && printf "n1\\nn2\\n"')
    seeds = set()
    for rank in range(4):
        for name in ('MASTER_ADDR', 'MASTER_PORT'):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv('SLURM_PROCID', str(rank))
        state_ranks('slurm')
        assert [os.environ[name] for name in STATED[:4]] == [str(rank), '4', '1', 'n1']
        assert 12000 <= int(os.environ['MASTER_PORT']) < 32000
        seeds.add(_common_seed())
    assert len(seeds) == 1


def test_what_is_set_stays_and_other_launchers_need_nothing(slurm, monkeypatch):
    monkeypatch.setenv('MASTER_ADDR', 'here')
    monkeypatch.setenv('MASTER_PORT', '5')
    state_ranks('pytorch')
    assert 'RANK' not in os.environ
    state_ranks('slurm')
    assert (os.environ['MASTER_ADDR'], os.environ['MASTER_PORT'], os.environ['RANK']) == ('here', '5', '3')


def test_nodes_that_are_not_named_are_told(slurm):
    slurm('echo no controller >&2; exit 1')
    with pytest.raises(InputError, match=r'nodes n\[1-2\] \(no controller\): set MASTER_ADDR'):
        state_ranks('slurm')


def test_a_rank_that_sees_one_gpu_alone_wraps_the_model_there(tmp_path, monkeypatch):
    """With ``--gpus-per-task=1`` the fourth rank of a node has LOCAL_RANK 3, and its GPU is number 0."""
    monkeypatch.setenv('LOCAL_RANK', '3')
    given = []
    monkeypatch.setattr(MODEL_WRAPPERS, 'build', lambda cfg, default_args: given.append(default_args['device_ids']))
    runner = build_runner(toy_config(tmp_path))
    for device in ('cuda:0', 'cuda:5', 'cpu'):
        part = SimpleNamespace(requires_grad=True, device=torch.device(device))
        runner._parallel(SimpleNamespace(parameters=lambda part=part: iter([part])))
    assert given == [[0], [5], [0]]
