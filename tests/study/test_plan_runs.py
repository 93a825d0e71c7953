"""Runs of a plan: made once, whoever makes them, and the same numbers however often they were interrupted."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from mlaface.cli.main import main
from mlaface.study import worker
from mlaface.study.plan import load_plan
from mlaface.study.runs import all_runs, results

ROOT = Path(__file__).resolve().parents[2]
WILD = """seeds = [1]
variants['wild'] = dict(optim_wrapper=dict(optimizer=dict(lr=1e30), clip_grad=None))
"""


def command(plan, folder, *options):
    return ['study', str(plan), '--out', str(folder / 'out'), '--work-dir', str(folder / 'work'), '--jobs', '1',
            *options]


def start(plan, folder, *options):
    return subprocess.Popen([sys.executable, '-m', 'mlaface.cli.main', *command(plan, folder, *options)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env={**os.environ, 'PYTHONPATH': str(ROOT)})


def numbers(result):
    return [(entry['iter'], entry['images'], entry['sets']) for entry in result['validations']]


class Here:
    """A run in this process: one of its own takes seconds to import torch."""

    def __init__(self, arguments, stdout, env, **_):
        assert arguments[:3] == [sys.executable, '-m', 'mlaface.study.worker'] and env['OMP_NUM_THREADS'] == '1'
        with contextlib.redirect_stdout(stdout):
            self.status = worker.main(arguments[3:])

    def poll(self):
        return self.status


@pytest.fixture(scope='session')
def made(tmp_path_factory, tiny_faces):
    """The tiny plan, run without interruption; the first run is made by a call of its own."""
    from tiny_study import BASE, PLAN
    folder = tmp_path_factory.mktemp('made')
    (folder / 'base.py').write_text(BASE.format(root=ROOT, data=tiny_faces))
    (folder / 'plan.py').write_text(f'{PLAN}{WILD}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mlaface.study.queue.subprocess', SimpleNamespace(Popen=Here, STDOUT=subprocess.STDOUT))
        patch.setattr('mlaface.study.queue.LOOK_SECONDS', 0)
        patch.setattr('mlaface.engine.hooks.results.draw_curves', lambda *_, **__: None)
        assert main(command(folder / 'plan.py', folder, '--limit', '1')) == 0
        assert main(command(folder / 'plan.py', folder)) == 0
    return folder


def test_a_run_is_a_command_of_its_own(tmp_path):
    """Which ``made`` calls in its own process; the slow tests below start it."""
    done = subprocess.run([sys.executable, '-m', 'mlaface.study.worker', tmp_path / 'plan.py', 'plain@seed1', '--out',
                           tmp_path, '--work-dir', tmp_path], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and re.fullmatch(r'error: .*plan[.]py[^\n]*\n', done.stderr)


def test_each_run_leaves_one_small_file_of_numbers_and_one_of_scores(made):
    found = results(load_plan(made / 'plan.py'), made / 'out')
    assert [run.name for run in found] == ['plain@seed1', 'mine@seed1', 'wild@seed1']
    for run, result in list(found.items())[:2]:
        last = result['validations'][-1]
        assert result['status'] == 'finished' and [e['iter'] for e in result['validations']] == [2, 4, 6]
        assert set(last['sets']) == {'one', 'two'} and {'accuracy', 'auc', 'eer', 'tar_at_far.1e-2'} <= set(
            last['sets']['one']) and set(last['between']) == {'one', 'two'}
        assert len(result['logged']['loss'][0]) == 1
        assert result['macs'] > 1e6 and result['memory_mib'] > 50 and result['parameters'] > 1e4 and result['commit']
        assert 0 < result['validations'][0]['processor'] < last['processor']
        file = made / 'out' / 'runs' / f'{run.name}.npz'
        assert file.stat().st_size < 5000
        with np.load(file) as scores:
            assert scores['one/scores'].dtype == np.float16 and len(scores['one/scores']) == 40
            right = np.unpackbits(scores['one/right_6'])[:20]
        assert abs(right.mean() - last['between']['one']['accuracy']) < 1e-4
    assert not list((made / 'work').rglob('*.pth'))


def test_what_is_done_is_not_done_again(made, capsys):
    before = {path: path.stat().st_mtime_ns for path in (made / 'out').rglob('*.json')}
    assert main(command(made / 'plan.py', made)) == 0
    assert {path: path.stat().st_mtime_ns for path in (made / 'out').rglob('*.json')} == before
    assert main(command(made / 'plan.py', made, '--list')) == 0
    assert '0 runs are missing' in capsys.readouterr().out.replace('3 of 3 done', '')


@pytest.mark.slow
@pytest.mark.parametrize('number', [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_a_killed_study_goes_on_to_the_same_numbers(number, made, plan_file, tmp_path):
    plan = plan_file('seeds = [1]')
    process = start(plan, tmp_path)
    checkpoint = None
    while checkpoint is None and process.poll() is None:  # killed in the middle of the first run
        checkpoint = next((tmp_path / 'work').rglob('iter_*.pth'), None)
        time.sleep(0.02)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    if number == signal.SIGKILL:  # a run outlives the study that started it: the machine is to fail here
        for worker in workers:
            worker.kill()
    output = process.communicate(timeout=60)[0]
    assert number == signal.SIGKILL or (process.returncode == 128 + number and 'the same command goes on' in output)
    assert main(command(plan, tmp_path, '--limit', '1')) == 0
    whole, resumed = results(load_plan(made / 'plan.py'), made / 'out'), results(load_plan(plan), tmp_path / 'out')
    assert [run.name for run in resumed] == ['plain@seed1']
    for run, result in resumed.items():
        assert numbers(result) == numbers(whole[run])
    assert 'resumed from' in (tmp_path / 'work' / 'plain@seed1' / 'output.txt').read_text()


@pytest.mark.slow
def test_two_calls_share_the_work(plan_file, tmp_path):
    plan = plan_file('seeds = [1]')
    processes = [start(plan, tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes), outputs
    said = ''.join(outputs)
    for run in all_runs(load_plan(plan)):
        assert said.count(f'{run.name}: accuracy') == 1, said
        assert (tmp_path / 'work' / run.name / 'output.txt').read_text().count('starts anew') == 1


@pytest.mark.slow
def test_a_run_that_diverges_is_a_result(made):
    result = json.loads((made / 'out' / 'runs' / 'wild@seed1.json').read_text())
    assert result['status'] == 'diverged' and 'iteration' in result['message']


def test_report_of_real_runs(made, capsys):
    options = command(made / 'plan.py', made)
    assert main([*options, '--report']) == 0
    assert 'mine - plain' in capsys.readouterr().out
    page = (made / 'out' / 'report.html').read_text()
    assert 'wild@seed1 diverged, and counts by chance' in page and 'do not belong together' not in page
    path = made / 'plan.py'
    path.write_text(path.read_text().replace("activation='relu'", "activation='silu'"))
    with pytest.raises(SystemExit, match='mine@seed1 by another config than the plan states now.*--allow-mixed'):
        main([*options, '--report'])


def test_runs_of_another_base_are_named_where_none_is_missing(made, capsys):
    path = made / 'base.py'
    path.write_text(f'{path.read_text()}optim_wrapper = dict(optimizer=dict(lr=0.0123))\n')
    for asked, said in ([], '0 runs are missing'), (['--slurm', 'cpu'], 'no run is missing'):
        assert main(command(made / 'plan.py', made, *asked)) == 0
        note, line = capsys.readouterr().out.splitlines()
        assert note.startswith('note: plain@seed1') and 'by another config than the plan states now. Remove' in note
        assert said in line


def test_an_array_of_jobs_makes_what_is_missing(plan_file, tmp_path, capsys, monkeypatch):
    plan = plan_file()
    assert main([*command(plan, tmp_path), '--slurm', 'cpu', '--dry-run']) == 0
    script = (tmp_path / 'work' / 'array.sbatch').read_text()
    assert '#SBATCH --array=1-1\n' in script and f'study {plan} ' in script and 'sbatch' in capsys.readouterr().out
    subprocess.run(['bash', '-n', tmp_path / 'work' / 'array.sbatch'], check=True)
    monkeypatch.setenv('PATH', '')
    with pytest.raises(SystemExit, match='there is no sbatch here'):
        main([*command(plan, tmp_path), '--slurm', 'cpu'])
