"""The OpenMMLab user's entrance, through the command line."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlaface.cli.parts import errors
from mlaface.cli.train import main as train
from mlaface.engine.errors import ConfigError
from tests.engine.toy import config_file

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), 'PYTHON': sys.executable}


def call(*command, cwd=ROOT):
    first = [sys.executable] if str(command[0]).endswith('.py') else ['bash']
    return subprocess.run([*first, str(ROOT / command[0]), *map(str, command[1:])], capture_output=True, text=True,
                          env=ENVIRONMENT, cwd=cwd, timeout=200)


@pytest.mark.parametrize('script', ['tools/dist_train.sh', 'tools/dist_test.sh', 'tools/slurm_train.sh',
                                    'tools/slurm_test.sh'])
def test_help_shows_examples(script):
    done = call(script, '--help')
    assert done.returncode == 0 and f'{script} ' in done.stdout and not done.stderr


def test_what_ranks_would_write_into_the_cache_at_once_is_there_before_them(tmp_path):
    subprocess.run([sys.executable, '-m', 'mlaface.cli.parts.ranks', '--help'], check=True, capture_output=True,
                   env={**ENVIRONMENT, 'XDG_CACHE_HOME': str(tmp_path)})
    assert len(list(tmp_path.rglob('*Grammar*.pickle'))) == 2


def test_train_writes_the_work_directory_and_resumes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train([str(config_file(tmp_path)), '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=3'])
    folder = tmp_path / 'work_dirs' / 'toy'
    names = {path.name for path in folder.iterdir()}
    assert {'config.py', 'log.txt', 'scalars.jsonl', 'curves.png', 'metrics.json', 'best.pth',
            'iter_00000005.pth'} <= names
    assert (folder / 'curves.png').read_bytes().startswith(b'\x89PNG')
    result = json.loads((folder / 'metrics.json').read_text())
    assert result['schema'] == 1 and 'toy' in result['benchmarks'] and result['model']['input']['color'] == 'RGB'
    log = (folder / 'log.txt').read_text()
    assert 'seed: ' in log and 'images/s' in log and 'gate' in log and 'eta' in log
    seed = result['environment']['seed']
    train([str(folder / 'config.py'), '--work-dir', str(folder), '--resume', '--cfg-options', 'train_cfg.max_epochs=2'])
    assert json.loads((folder / 'metrics.json').read_text())['environment']['seed'] == seed
    assert 'resumed from' in (folder / 'log.txt').read_text() and (folder / 'iter_00000010.pth').exists()


@pytest.mark.slow
def test_mistakes_are_one_line_without_a_traceback(tmp_path):
    config = config_file(tmp_path)
    for arguments, message in (
            ((tmp_path / 'tyo.py',), 'did you mean'),
            ((config, '--cfg-options', 'train_cfg.max_epoch=1'), "FaceTrainLoop has no argument 'max_epoch'"),
            ((config, '--work-dir', tmp_path / 'w', '--cfg-options', 'train_dataloader.dataset.missing=/nowhere'),
             'no training set at /nowhere'),
            ((config, '--work-dir', tmp_path / 'w', '--auto-scale-lr'), 'base_batch_size')):
        done = call('tools/train.py', *arguments)
        assert done.returncode == 1 and message in done.stderr and 'Traceback' not in done.stderr


@pytest.mark.parametrize('gpus, message', [('0', 'at least 1, got 0'), ('two', "whole number, got 'two'"),
                                           ('-1', "whole number, got '-1'")])
def test_dist_train_refuses_a_number_of_gpus_that_is_none(tmp_path, gpus, message):
    done = call('tools/dist_train.sh', config_file(tmp_path), gpus)
    assert done.returncode == 2 and message in done.stderr


RANK = """
import json, os, sys
said = {name: os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT')}
with open(f'{sys.path[0]}/{said["RANK"]}.json', 'w') as file:
    json.dump([said, sys.argv[1:]], file)
"""


def test_dist_train_starts_ranks(tmp_path):
    """Beside a ``train.py`` that says what it was started with: torch takes each rank seconds to be imported."""
    for name in ('dist_train.sh', 'launch.sh'):
        shutil.copy(ROOT / 'tools' / name, tmp_path)
    (tmp_path / 'train.py').write_text(RANK)
    config = config_file(tmp_path)
    done = call(tmp_path / 'dist_train.sh', config, 2, '--seed', 'a b')
    assert done.returncode == 0, done.stderr
    ports = set()
    for rank in ('0', '1'):
        said, arguments = json.loads((tmp_path / f'{rank}.json').read_text())
        ports.add(said.pop('MASTER_PORT'))
        assert said == dict(RANK=rank, WORLD_SIZE='2', LOCAL_RANK=rank)
        assert arguments == [str(config), '--launcher', 'pytorch', '--seed', 'a b']
    assert len(ports) == 1


@pytest.mark.slow
def test_dist_train_trains_without_gpus(tmp_path):
    done = call('tools/dist_train.sh', config_file(tmp_path), 2, '--work-dir', tmp_path / 'run', '--cfg-options',
                'train_cfg.max_epochs=1', 'val_dataloader.dataset.images=8')
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'ranks: 2' in (tmp_path / 'run' / 'log.txt').read_text()
    assert (tmp_path / 'run' / 'iter_00000002.pth').exists()


@pytest.mark.slow
def test_ranks_that_meet_the_same_mistake_say_it_once(tmp_path):
    done = call('tools/dist_train.sh', config_file(tmp_path), 2, '--work-dir', tmp_path / 'run', '--cfg-options',
                'train_dataloader.dataset.missing=/nowhere')
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1 and len(lines) == 2, done.stderr
    assert lines[0].startswith('error: ') and 'toy.py: train_dataloader.dataset: no training set at /now' in lines[0]
    assert lines[1].startswith('rank 0 ended with exit status 1')


def test_a_rank_that_meets_a_mistake_alone_says_it(monkeypatch):
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('WORLD_SIZE', '4')
    monkeypatch.setattr(errors, 'SPOKESMAN_SECONDS', 0)
    with pytest.raises(SystemExit, match='^error: no data on this machine$'), errors.explained():
        raise ConfigError('no data on this machine')


@pytest.mark.slow
def test_print_config_resolves_and_refuses(tmp_path):
    config = config_file(tmp_path)
    done = call('tools/print_config.py', config, '--cfg-options', 'optim_wrapper.optimizer.lr=0.5', '--key',
                'optim_wrapper.optimizer')
    assert done.returncode == 0 and 'lr=0.5' in done.stdout
    assert "there is no 'optimiser'" in call('tools/print_config.py', config, '--key', 'optimiser').stderr


@pytest.mark.slow
def test_list_plugins_lists_names_arguments_and_first_lines():
    done = call('tools/list_plugins.py', 'param_schedulers', '--plain')
    assert 'PARAM_SCHEDULERS\tWarmupPolyLR\t(optimizer, warmup=0, power=2.0' in done.stdout
    assert 'Linear warm-up' in done.stdout
    wrong = call('tools/list_plugins.py', 'margns')
    assert wrong.returncode == 1 and "did you mean 'margins'" in wrong.stderr


HELP = """
import contextlib, io, json, runpy, sys
told = {}
for script in sys.argv[1:]:
    sys.argv, text, status = [script, '--help'], io.StringIO(), None
    with contextlib.redirect_stdout(text):
        try:
            runpy.run_path(script, run_name='__main__')
        except SystemExit as end:
            status = end.code
    told[script] = dict(status=status, text=text.getvalue(), torch='torch' in sys.modules)
print(json.dumps(told))
"""
SCRIPTS = sorted(str(script.relative_to(ROOT)) for script in ROOT.glob('tools/**/*.py'))


@pytest.fixture(scope='module')
def told():
    """What every script says to ``--help``; all in one process, since each would import the package anew."""
    done = subprocess.run([sys.executable, '-c', HELP, *SCRIPTS], capture_output=True, text=True, env=ENVIRONMENT,
                          cwd=ROOT)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_loads_no_torch_and_shows_examples(script, told):
    assert not told[script]['status'] and not told[script]['torch']
    assert 'usage' in told[script]['text'] and 'xample' in told[script]['text']
    if script in ('tools/train.py', 'tools/print_config.py', 'tools/list_plugins.py'):
        assert f'{script} ' in told[script]['text']
