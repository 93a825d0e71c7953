"""Pieces are whole or made again, wherever they run; what goes wrong is one line that names the node."""
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mlaface.registry import EXECUTORS
from mlaface.utils.checksums import DamagedFileError
from mlaface.utils.errors import ArgumentError, FullDiskError, InputError, UnknownNameError
from mlaface.utils.executors import slurm as slurm_module
from mlaface.utils.executors.job import Job, ranges
from mlaface.utils.executors.local import LocalExecutor
from mlaface.utils.executors.worker import run_piece
from tests.utils.pieced import TASK, Here, slurm

PIECES = ranges(20, 3)
WHOLE = b''.join(b'%d ' % (number * number) for number in range(20))


def job_in(folder, factor=1, pieces=PIECES, **settings):
    return Job(folder, TASK, dict(settings, factor=factor), pieces, dict(factor=factor))


def whole(job):
    return b''.join(job.contents())


def test_pieces_cover_everything_in_whole_blocks():
    assert ranges(20, 7, 4) == [[0, 8], [8, 16], [16, 20]] and ranges(0, 7) == [] and PIECES[-1] == [18, 20]


def test_what_is_done_is_used_again_and_of_other_inputs_it_is_not(tmp_path):
    log, told = tmp_path / 'log', []
    job = job_in(tmp_path / 'job', log=str(log))
    with pytest.raises(KeyboardInterrupt):
        job.run(Here(stop=3))
    assert job.missing() == [0, 1, 2, 3]
    job.run(Here(), told.append)
    assert whole(job) == WHOLE and told == [3, 1, 1, 1, 1] and log.read_text().count('piece') == 7
    job.run(None)  # nobody is asked
    other = job_in(tmp_path / 'job', factor=2)
    assert len(other.missing()) == 7
    other.run(Here())
    assert whole(other) != WHOLE and len(job.missing()) == 7
    assert len(job_in(tmp_path / 'job', 2, ranges(20, 4)).missing()) == 5  # pieces of another size


def test_a_piece_that_was_changed_is_made_again(tmp_path):
    job = job_in(tmp_path)
    job.run(Here())
    job.file(2).write_bytes(job.file(2).read_bytes()[::-1])
    with pytest.raises(DamagedFileError, match='000002.piece is damaged.*makes it anew'):
        whole(job)
    assert job.missing() == [2]
    job.run(Here())
    job.file(3).write_bytes(b'')
    job.file(4).with_suffix('.json').write_text('{"job"')
    assert job.missing() == [3, 4]
    job.run(Here())
    assert whole(job) == WHOLE


def test_processes_of_this_machine_open_things_once_and_end_with_their_parent(tmp_path):
    log = tmp_path / 'log'
    job = job_in(tmp_path / 'job', log=str(log))
    job.run(LocalExecutor(processes=2))
    lines = log.read_text().split('\n')
    assert whole(job) == WHOLE and sum(line.startswith('open') for line in lines) <= 2
    code = (f'from tests.utils.test_executors import *\nprint(flush=True)\n'
            f'job_in({str(tmp_path / "killed")!r}, log={str(log)!r}, wait=60).run(LocalExecutor(processes=1))')
    log.unlink()
    parent = subprocess.Popen([sys.executable, '-c', code], cwd=Path(__file__).parents[2])
    while not log.is_file() or not log.read_text().endswith('\n'):
        time.sleep(0.02)
    worker = int(log.read_text().split()[1])
    parent.kill()
    parent.wait()
    for _ in range(500):
        if not Path(f'/proc/{worker}').exists() or 'Z' in Path(f'/proc/{worker}/stat').read_text().split()[2]:
            break
        time.sleep(0.02)
    else:
        pytest.fail('the worker lives on')


def test_a_process_that_is_killed_ends_the_call_and_the_next_goes_on(tmp_path):
    job = job_in(tmp_path / 'job', log=str(tmp_path / 'log'), fails='kill')
    with pytest.raises(InputError, match='piece 0 in .* ended with status -9'):
        job.run(LocalExecutor(processes=1))
    job.run(LocalExecutor(processes=1))
    assert whole(job) == WHOLE


@pytest.mark.parametrize('fails, kind, said', [('disk', FullDiskError, 'the disk takes no more'),
                                               ('value', InputError, 'cannot be made')])
def test_what_goes_wrong_names_the_node_the_piece_and_the_folder(tmp_path, fails, kind, said):
    with pytest.raises(kind, match=f'node {socket.gethostname()}, piece 6 in {tmp_path}: .*{said}'):
        job_in(tmp_path, fails=fails).run(Here())


def test_a_node_that_does_not_see_the_folder_is_named(tmp_path):
    job = job_in(tmp_path / 'job')
    assert 'the folder is not seen here' in run_piece(str(tmp_path / 'none'), job.fingerprint, 0).message
    job.run(Here(stop=None))
    fault = run_piece(str(tmp_path / 'job'), 'another', 0)
    assert f'node {socket.gethostname()}' in fault.message and 'not the same folder on all nodes' in fault.message


def test_two_processes_at_one_job(tmp_path):
    job = job_in(tmp_path)

    class Second(Here):
        def run(self, job, numbers):
            with pytest.raises(InputError, match='is being made by another process'):
                job_in(tmp_path).run(Here())
            yield from super().run(job, numbers)
    job.run(Second())
    assert whole(job) == WHOLE


@pytest.fixture
def array(tmp_path, monkeypatch):
    """Slurm's commands on the path."""
    monkeypatch.setenv('PATH', f'{slurm(tmp_path / "bin")}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.setattr(slurm_module, 'LOOK_SECONDS', 0.1)
    return EXECUTORS.build(dict(type='slurm', tasks=2, partition='cpu', time='1:00:00'))


def test_a_slurm_array_makes_the_missing_pieces(tmp_path, array):
    log = tmp_path / 'log'
    job = job_in(tmp_path / 'a job', log=str(log))
    with pytest.raises(KeyboardInterrupt):
        job.run(Here(stop=2))
    job.run(array)
    script = (job.folder / 'array.sbatch').read_text()
    assert '--partition=cpu\n' in script and '--time=1:00:00\n' in script and '--array=1-2\n' in script
    assert whole(job) == WHOLE and log.read_text().count('piece') == 7 and log.read_text().count('open') == 3
    broken = job_in(tmp_path / 'broken', factor=3, fails='disk')
    with pytest.raises(FullDiskError, match=f'node {socket.gethostname()}, piece 0'):
        broken.run(array)


def test_a_slurm_array_that_ends_early_or_was_left_behind(tmp_path, array, monkeypatch):
    monkeypatch.setattr(slurm_module, 'PACKAGE', '/none')
    monkeypatch.setattr(slurm_module.sys, 'executable', 'no-python')
    with pytest.raises(InputError, match='7 pieces missing; .*does not see the folder'):
        job_in(tmp_path / 'job').run(array)
    left = subprocess.Popen(['sleep', '60'], start_new_session=True)
    (tmp_path / 'job' / slurm_module.JOB).write_text(str(left.pid))
    with pytest.raises(InputError):
        job_in(tmp_path / 'job').run(array)
    assert left.wait(10) == -signal.SIGKILL
    monkeypatch.setenv('PATH', '')
    with pytest.raises(InputError, match='--executor slurm: there is no sbatch here'):
        job_in(tmp_path / 'job').run(array)


def test_names_and_options_of_executors():
    with pytest.raises(UnknownNameError, match="did you mean 'slurm'"):
        EXECUTORS.build(dict(type='slrum'))
    with pytest.raises(ArgumentError, match="did you mean 'processes'"):
        EXECUTORS.build(dict(type='local', process=2))


@pytest.mark.parametrize('name, option, value, said', [
    ('local', 'processes', 'x', 'a whole number of at least 1'), ('local', 'processes', 0, 'at least 1'),
    ('local', 'processes', 1.5, 'a whole number'), ('local', 'threads', 'x', 'a whole number of at least 1'),
    ('local', 'threads', 0, 'at least 1'), ('local', 'threads', -2, 'at least 1'),
    ('ray', 'cpus', 'x', 'a number of at least 0.1'), ('ray', 'cpus', 0, 'at least 0.1'),
    ('ray', 'gpus', 'x', 'a number of at least 0'), ('ray', 'gpus', -1, 'at least 0'),
    ('ray', 'gpus', float('nan'), 'at least 0'), ('ray', 'retries', 0.5, 'a whole number of at least 0'),
    ('ray', 'retries', -1, 'at least 0'), ('slurm', 'tasks', 'x', 'a whole number of at least 1'),
    ('slurm', 'tasks', 0, 'at least 1'), ('slurm', 'cpus', True, 'at least 1')])
def test_a_number_of_an_executor_that_is_none_is_refused_in_a_line(name, option, value, said):
    with pytest.raises(InputError) as error:
        EXECUTORS.build({'type': name, option: value})
    assert re.fullmatch(f'executor {name}: {option}={value}: write .*{said}.*', str(error.value))


def test_the_numbers_that_executors_take():
    assert EXECUTORS.build(dict(type='local', processes=2, threads=3)).threads == 3
    ray = EXECUTORS.build(dict(type='ray', cpus=0.5, gpus=0.25, retries=0, address=6379))
    assert (ray.cpus, ray.gpus, ray.retries, ray.address) == (0.5, 0.25, 0, '6379')


def test_parts_of_a_search_have_the_bits_of_the_whole(tmp_path):
    from mlaface.datasets.prepare.clean import clean
    from mlaface.datasets.prepare.leak import find_leaks
    from mlaface.datasets.prepare.parts import PiecedParts, unit_file
    from mlaface.datasets.prepare.products import unit
    rng = np.random.default_rng(0)
    people, labels = rng.normal(size=(2100, 16)), np.repeat(np.arange(2100), 2)
    people[7], labels[40] = people[1900], 1500
    raw = (people[np.repeat(np.arange(2100), 2)] + rng.normal(0, 0.3, (4200, 16))).astype(np.float32)
    raw[11] = 0
    rows = unit_file(raw, tmp_path / 'rows.npy')
    assert (rows == unit(raw)).all()
    parts = PiecedParts(tmp_path, 'rows', rows, 100, lambda job, what: job.run(Here()))
    np.testing.assert_equal(clean(rows, labels, 2100, parts=parts), clean(unit(raw), labels, 2100))
    probes = unit(raw[::50])
    np.testing.assert_equal(find_leaks(rows, labels, 2100, probes, parts=parts), find_leaks(unit(raw), labels, 2100,
                                                                                           probes))
    parts.remove()
    assert not tmp_path.exists() or list(tmp_path.iterdir()) == []
