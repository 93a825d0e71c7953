"""verify and inspect go on after a kill to the same output; what is kept of another set counts for nothing."""
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli.data import main
from mlaface.datasets.formats import record_index, tar_shards
from mlaface.datasets.formats.image_list import write_list
from mlaface.datasets.formats.recordio import RecordReader
from mlaface.datasets.prepare import inspect, kept_steps, verify_set
from mlaface.datasets.prepare.inspect import open_set
from mlaface.datasets.prepare.kept_rows import CHUNK, KeptRows, files_hash, fill, set_hash
from mlaface.datasets.prepare.kept_steps import KeptSteps
from tests.datasets.archive_sets import converted, face, people
from tests.datasets.test_interrupted_archives import Stopped, stop_at
from tests.datasets.test_verify_sets import _blind

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _often(monkeypatch, tmp_path):
    """Each step is kept, and has few images."""
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(kept_steps, 'SECONDS', 0)
    monkeypatch.setattr(verify_set, 'CHUNK', 2)
    monkeypatch.setattr(record_index, 'STEP', 3)


@pytest.fixture
def folder(tmp_path):
    """Eleven images, of which two are torn."""
    found = people(tmp_path / 'people')
    for number, name in enumerate(('bob/0.a.jpg', 'Ärger 名/3.a.jpg')):
        (found / name).write_bytes(face(99 + number)[:-200])
    return found


def run(capsys, *arguments):
    """Exit status, standard output, and what is said besides."""
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    return end.value.code, *capsys.readouterr()


def left(tmp_path):
    return sorted(file.name for file in (tmp_path / 'cache' / 'sets').glob('*.steps'))


@pytest.mark.parametrize('layout, owner, name, said', [
    ('folder', verify_set, 'examine', 'goes on at 4 of 11 images'),
    ('tar', verify_set, 'examine', 'goes on at 4 of 11 images'),
    ('tar', tar_shards, '_members', 'goes on at 4 of 8 tar files'),
    ('records', verify_set, 'examine', 'goes on at 4 of 11 images'),
    ('records', RecordReader, 'read_next', 'bytes')])
@pytest.mark.parametrize('more', [(), ('--json', '--write-index')])
def test_verify_goes_on_to_the_same_output(capsys, tmp_path, monkeypatch, folder, layout, owner, name, said, more):
    path = folder
    if layout != 'folder':
        path = tmp_path / 'set'
        converted(folder, path, layout, rules=_blind(), options=dict(shard_size=4000) if layout == 'tar' else {})
    command = ['verify', path, '--workers', 1, '--write-list', tmp_path / 'list', *more]
    whole, listed = run(capsys, *command), (tmp_path / 'list').read_bytes()
    assert whole[0] == 1 and not whole[2].count('goes on') and not left(tmp_path)
    (tmp_path / 'list').unlink()
    undo = stop_at(monkeypatch, owner, name, 5)
    with pytest.raises(Stopped):
        main([*map(str, command)])
    undo()
    capsys.readouterr()
    assert left(tmp_path) and not (tmp_path / 'list').exists()
    again = run(capsys, *command)
    assert again[:2] == whole[:2] and (tmp_path / 'list').read_bytes() == listed
    assert f'{path}: goes on at ' in again[2] and said in again[2] and 'anew' not in again[2] and not left(tmp_path)


def test_inspect_goes_on_to_the_same_output(capsys, tmp_path, monkeypatch, folder):
    (folder / 'Ann' / '9.jpg').write_bytes(face(7, (96, 112)))
    command = ['inspect', str(folder), '--workers', '1']
    expected, seen = run(capsys, *command)[:2], []
    undo = stop_at(monkeypatch, inspect, 'decoded_size', 8)
    with pytest.raises(Stopped):
        main(command)
    undo()
    capsys.readouterr()
    real = inspect.decoded_size
    monkeypatch.setattr(inspect, 'decoded_size', lambda data: seen.append(data) or real(data))
    code, out, err = run(capsys, *command)
    assert (code, out) == expected and f'{folder}: goes on at 6 of 12 images' in err and len(seen) == 6
    assert not left(tmp_path)


def test_another_set_and_other_options_begin_anew(capsys, tmp_path, monkeypatch, folder):
    def stopped(*more):
        undo = stop_at(monkeypatch, verify_set, 'examine', 5)
        with pytest.raises(Stopped):
            main(['verify', str(folder), '--workers', '1', *more])
        undo()
        assert len(left(tmp_path)) == 1
        capsys.readouterr()
    stopped()
    (folder / 'bob' / '0.a.jpg').write_bytes(face(3))
    code, out, err = run(capsys, 'verify', folder)
    assert f'{folder}: begins anew: the set changed\n' in err and '11 of 11 images decoded, 1 cannot' in out
    stopped()
    assert 'begins anew: the options changed' in run(capsys, 'verify', folder, '--size', 112, 112)[2]
    stopped('--sample', '9')
    assert 'begins anew: the options changed' in run(capsys, 'verify', folder, '--sample', 9, '--seed', 1)[2]
    stopped()
    monkeypatch.setattr(kept_steps, '__version__', 'other')
    assert 'begins anew: mlaface changed' in run(capsys, 'verify', folder)[2] and not left(tmp_path)


def test_files_are_the_same_by_a_relative_path(tmp_path, monkeypatch):
    (tmp_path / 'train.rec').write_bytes(b'')
    monkeypatch.chdir(tmp_path)
    assert files_hash([Path('train.rec')]) == files_hash([tmp_path / 'train.rec'])


def steps(told=None, **bound):
    return KeptSteps('a', 'look', bound, 5, 'images', (told if told is not None else []).append)


def test_what_is_damaged_is_looked_at_again(tmp_path):
    kept = steps(x=1)
    for reached in range(1, 5):
        kept.add(reached, ['é\udc80', reached])
    kept.close()
    path, = (tmp_path / 'cache' / 'sets').glob('*.steps')
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for number in range(len(data)):
        flipped = bytearray(data)
        flipped[number] ^= int(rng.integers(1, 256))
        for damaged in (data[:number], bytes(flipped), data + b'x' + flipped[:number]):
            path.write_bytes(damaged)
            kept = steps(told := [], x=1)
            assert list(kept.found()) == [['é\udc80', reached] for reached in range(1, kept.reached + 1)]
            assert told == ([f'goes on at {kept.reached} of 5 images'] if kept.reached else
                            told[:1]) and (kept.reached < 4) == (len(damaged) <= len(data))
            kept.add(5, 'last')
            assert kept.reached == 5 and list(kept.found())[-1] == 'last'
            kept.close()
    steps(x=1).remove()
    assert not left(tmp_path)


def test_a_second_one_keeps_nothing_and_harms_nothing():
    first, told = steps(x=1), []
    first.add(1, 'a')
    second = steps(told, x=1)
    second.add(1, 'b')
    second.remove()
    assert 'another process is at it too' in told[0] and len(told) == 1 and second.reached == 0
    first.add(2, 'c')
    assert list(first.found()) == ['a', 'c']
    first.close()
    assert list(steps(x=1).found()) == ['a', 'c']


@pytest.mark.parametrize('fault', ['no folder', 'full', 'full later'])
def test_a_disk_that_refuses_ends_nothing(capsys, tmp_path, monkeypatch, folder, fault):
    expected, calls, real = run(capsys, 'verify', folder), [], kept_steps.write_at

    def refusing(*arguments):
        calls.append(0)
        if fault == 'full' or len(calls) > 2:
            raise OSError(errno.ENOSPC, 'No space left on device')
        real(*arguments)
    if fault == 'no folder':
        (tmp_path / 'file').write_bytes(b'')
        monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'file'))
    else:
        monkeypatch.setattr(kept_steps, 'write_at', refusing)
    code, out, err = run(capsys, 'verify', folder)
    assert (code, out) == expected[:2] and err.count('after a kill it would begin anew') == 1


def test_images_of_a_list_and_rows_that_were_cut_off_are_noticed(tmp_path, folder):
    path = tmp_path / 'a.lst'
    write_list(path, [0, 0], ['people/Ann/0.a.jpg', 'people/bob/0.a.jpg'])
    first = set_hash(path, dataset := open_set(path))
    os.utime(next(dataset.archive.listed()), ns=(1, 1))
    assert set_hash(path, dataset) != first
    kept = KeptRows('a.rows', np.float32, (CHUNK + 5, 2), tmp_path)
    fill(kept, lambda parts: (np.ones((len(part), 2)) for part in parts))
    os.truncate(kept.path, kept.path.stat().st_size - 1)
    assert [len(part) for part in kept.missing()] == [5]


@pytest.mark.slow
@pytest.mark.parametrize('verb, layout', [('verify', 'records'), ('verify', 'tar'), ('inspect', 'folder')])
def test_kills_change_no_byte(tmp_path, verb, layout):
    folder, path = people(tmp_path / 'people', {str(number): 100 for number in range(20)}), tmp_path / 'set'
    (folder / '7' / '3.a.jpg').write_bytes(face(1)[:-200])
    converted(folder, path, layout, rules=_blind(), options=dict(shard_size=400_000) if layout == 'tar' else {})
    code = ('import sys, time\nfrom mlaface.datasets.prepare import kept_steps, verify_set, inspect\n'
            'kept_steps.SECONDS = 0.01\n'
            'def slow(real):\n    return lambda *a: (time.sleep(0.001), real(*a))[1]\n'
            'verify_set.examine, inspect.decoded_size = slow(verify_set.examine), slow(inspect.decoded_size)\n'
            'from mlaface.cli.data import main\nmain(sys.argv[1:])')
    command = [sys.executable, '-c', code, verb, str(path), '--workers', '1', '--json']
    environment, rng, resumed = {**os.environ, 'PYTHONPATH': str(ROOT)}, np.random.default_rng(0), 0
    start = time.monotonic()
    whole = subprocess.run(command, capture_output=True, env=environment)
    last = time.monotonic() - start
    assert whole.returncode == 1 and b'damaged' in whole.stdout or b'JPEG of' in whole.stdout
    for _ in range(3):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        time.sleep(rng.uniform(0.6, 0.9) * last)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        again = subprocess.run(command, capture_output=True, env=environment)
        assert (again.returncode, again.stdout) == (1, whole.stdout) and not left(tmp_path)
        resumed += b'goes on at ' in again.stderr
    assert resumed
