"""Kills, full disks and two processes: what is there afterwards is whole, and the second call gives the same bytes."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlaface.datasets.archives import target, to_folder, to_lmdb, to_parquet, transfer
from mlaface.datasets.archives.convert import LAYOUTS
from mlaface.datasets.archives.examine import Rules
from mlaface.datasets.archives.place import claimed
from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.prepare.inspect import open_set
from mlaface.utils.errors import FullDiskError, InputError
from tests.datasets.archive_sets import content, converted, face, people

ROOT = Path(__file__).resolve().parents[2]
COUNTS = {'a': 5, 'b': 7, 'c': 1, 'd': 8, 'e': 4}
OPTIONS = dict(tar=dict(shard_size=9000), parquet=dict(rows=6))
QUICK = """
import sys
from mlaface.cli.main import main
from mlaface.datasets.archives import target, to_folder, to_lmdb, to_parquet
target.SECONDS, to_lmdb.BATCH, to_parquet.GROUP, to_parquet.ROWS = 0.05, 64, 8, 100
sys.exit(main(sys.argv[1:]))"""


class Stopped(BaseException):
    """What a kill is to the code that it ends."""


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """States are kept at every image that they can be kept at."""
    pytest.importorskip('lmdb')
    pytest.importorskip('pyarrow')
    monkeypatch.setattr(os, 'fsync', lambda handle: None)
    monkeypatch.setattr(os, 'sync', lambda: None)
    monkeypatch.setattr(target, 'SECONDS', 0)
    monkeypatch.setattr(transfer, 'SECONDS', 0)
    monkeypatch.setattr(to_lmdb, 'BATCH', 4)
    monkeypatch.setattr(to_parquet, 'GROUP', 4)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A set with an image that is left out, and a benchmark."""
    folder = people(tmp_path_factory.mktemp('interrupted') / 'people', COUNTS)
    (folder / 'b' / '3.jpg').write_bytes(b'')
    write_bin(folder.parent / 'pairs.bin', [face(number) for number in range(12)], [True, False] * 3)
    return folder


def of(source, layout):
    return source if layout != 'bin' else source.parent / 'pairs.bin'


def convert(source, out, layout):
    shuffle = None if layout == 'bin' else 3
    return converted(of(source, layout), out, layout, options=OPTIONS.get(layout), shuffle=shuffle)


def stop_at(monkeypatch, owner, name, number):
    """Let the call with this number of a function end everything."""
    real, count = getattr(owner, name), [0]

    def stopping(*arguments, **options):
        count[0] += 1
        if count[0] == number:
            raise Stopped
        return real(*arguments, **options)
    monkeypatch.setattr(owner, name, stopping)
    return lambda: monkeypatch.setattr(owner, name, real)


def tear(work):
    """Append to the files that were being written, as a kill leaves them behind the last state."""
    for path in (work / target.STATE, work / target.PLACE):
        text = path.read_text().splitlines()[0] if path.is_file() else '{}'
        state = json.loads(text if path.name == target.STATE else text.split(' ', 2)[-1])
        state = (state[1] if isinstance(state, list) else state) or {}
        for name in [*state.get('files', {}), *((state.get('target') or {}).get('files', {}))]:
            if (work / name).exists():
                with open(work / name, 'ab') as file:
                    file.write(b'torn')


def target_class(layout):
    module, name, _ = LAYOUTS[layout]
    return getattr(__import__(f'mlaface.datasets.archives.{module}', fromlist=[name]), name)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_it_goes_on_where_it_stopped_to_the_same_bytes(monkeypatch, tmp_path, source, layout):
    summary = convert(source, tmp_path / 'whole', layout)
    expected = content(tmp_path / 'whole')
    for stop in (2, 6, 12):
        out = tmp_path / f'out{stop}'
        undo = stop_at(monkeypatch, target_class(layout), 'write', stop)
        with pytest.raises(Stopped):
            convert(source, out, layout)
        undo()
        assert not out.exists()
        tear(tmp_path / f'out{stop}.part')
        again = convert(source, out, layout)
        assert content(out) == expected
        assert {**again, 'seconds': 0, 'images_per_second': 0} == {**summary, 'seconds': 0, 'images_per_second': 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ['out12', 'out2', 'out6', 'whole']


@pytest.mark.skipif(not target.BOOT.exists(), reason='nothing tells that the machine was not started anew')
@pytest.mark.parametrize('layout', ['records', 'tar', 'im2rec', 'folder', 'parquet'])
@pytest.mark.parametrize('lost', ['', 'machine', 'torn'])
def test_a_kill_costs_no_image_and_a_new_start_of_the_machine_what_was_not_flushed(
        monkeypatch, tmp_path, source, layout, lost):
    monkeypatch.setattr(target, 'SECONDS', 60)
    monkeypatch.setitem(OPTIONS, 'parquet', dict(rows=100))
    convert(source, tmp_path / 'whole', layout)
    undo = stop_at(monkeypatch, target_class(layout), 'write', 16)
    with pytest.raises(Stopped):
        convert(source, tmp_path / 'out', layout)
    undo()
    tear(work := tmp_path / 'out.part')
    if lost == 'machine':
        (tmp_path / 'boot').write_text('another')
        monkeypatch.setattr(target, 'BOOT', tmp_path / 'boot')
    elif lost:
        text = (work / target.PLACE).read_text()
        (work / target.PLACE).write_text(text.replace('"position": 1', '"position": 2'))
    looked = []
    monkeypatch.setattr(transfer, 'examine', lambda *words, real=transfer.examine: (looked.append(0), real(*words))[1])
    convert(source, tmp_path / 'out', layout)
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')
    total = sum(COUNTS.values()) + 1  # one is left out, which is among the first 16
    assert len(looked) == (total if lost else total - 16 + 3 * (layout == 'parquet'))
    assert [path.name for path in tmp_path.glob('out*')] == ['out']


@pytest.mark.parametrize('layout, owner, name', [
    *((layout, *step) for layout in LAYOUTS for step in ((Target, 'write_classes'), (os, 'replace'))),
    ('lmdb', 'finish', '_commit')])
def test_the_last_steps_are_taken_again(monkeypatch, tmp_path, source, layout, owner, name):
    convert(source, tmp_path / 'whole', layout)
    number = 1
    if owner == 'finish':
        owner, number = target_class(layout), 7
    if owner is os:
        number = 10_000
        counts = []
        real = os.replace
        monkeypatch.setattr(os, 'replace', lambda *names: (counts.append(0), real(*names)))
        convert(source, tmp_path / 'counted', layout)
        monkeypatch.setattr(os, 'replace', real)
        number = len(counts)
    undo = stop_at(monkeypatch, owner, name, number)
    try:
        convert(source, tmp_path / 'out', layout)
    except Stopped:
        undo()
        convert(source, tmp_path / 'out', layout)
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')


def test_a_file_that_had_its_place_at_a_kill_leaves_nothing_beside_it(monkeypatch, tmp_path, source):
    convert(source, tmp_path / 'whole.bin', 'bin')
    undo = stop_at(monkeypatch, shutil, 'rmtree', 1)
    with pytest.raises(Stopped):
        convert(source, tmp_path / 'out.bin', 'bin')
    undo()
    assert (tmp_path / 'out.bin.part' / 'whole').exists()
    with pytest.raises(InputError, match='out.bin is there already'):
        convert(source, tmp_path / 'out.bin', 'bin')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['out.bin', 'whole.bin']
    assert content(tmp_path / 'out.bin') == content(tmp_path / 'whole.bin')


def test_identities_called_as_what_lies_in_a_work_folder_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(to_folder, 'SECONDS', 0)
    names = ['anna.part', 'bob', 'whole', 'state.json', 'Summary.json', 'left_out.txt', '100%.part']
    source = people(tmp_path / 'people', dict.fromkeys(names, 2))
    (source / 'bob' / 'torn.jpg').write_bytes(b'')
    undo = stop_at(monkeypatch, target_class('folder'), 'write', 9)
    with pytest.raises(Stopped):
        converted(source, tmp_path / 'out', 'folder')
    undo()
    (tmp_path / 'out.part' / 'Case0123.part').mkdir()  # left by a kill
    assert converted(source, tmp_path / 'out', 'folder')['images'] == 14
    found = open_set(tmp_path / 'out')
    assert sorted(found.metainfo['classes']) == sorted(names) and len(found) == 14


def test_another_command_does_not_go_on_with_it(monkeypatch, tmp_path, source):
    undo = stop_at(monkeypatch, target_class('tar'), 'write', 5)
    with pytest.raises(Stopped):
        convert(source, tmp_path / 'out', 'tar')
    undo()
    with pytest.raises(InputError, match='out.part was begun with another order'):
        converted(source, tmp_path / 'out', 'tar', options=OPTIONS['tar'], shuffle=4)
    with pytest.raises(InputError, match='begun with another layout'):
        convert(source, tmp_path / 'out', 'records')


def test_the_second_of_two_processes_says_so(tmp_path, source):
    with claimed(tmp_path / 'out'), pytest.raises(InputError, match='out is being made by another process'):
        convert(source, tmp_path / 'out', 'tar')
    convert(source, tmp_path / 'out', 'tar')


@pytest.mark.parametrize('layout', ['records', 'tar', 'lmdb', 'folder', 'im2rec'])
def test_a_full_disk_leaves_what_was_whole(monkeypatch, tmp_path, source, layout):
    convert(source, tmp_path / 'whole', layout)

    def full(*_):
        raise OSError(28, 'No space left on device')
    with monkeypatch.context() as patch:
        patch.setattr(target_class(layout), 'state' if layout != 'folder' else 'write', full)
        with pytest.raises(FullDiskError, match='disk takes no more .*the same command goes on'):
            convert(source, tmp_path / 'out', layout)
    convert(source, tmp_path / 'out', layout)
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')


def command(*arguments):
    return [sys.executable, '-c', QUICK, 'data', *map(str, arguments)]


def forked(source, out, layout):
    """A process of its own that converts; its number."""
    process = os.fork()
    if not process:
        status = 1
        try:
            convert(source, out, layout)
            status = 0
        finally:
            os._exit(status)
    return process


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes begin by fork')
@pytest.mark.parametrize('layout', ['records', 'tar', 'lmdb', 'folder', 'im2rec', 'parquet'])
def test_twenty_kills_change_no_byte(monkeypatch, tmp_path, layout):
    monkeypatch.setattr(target, 'SECONDS', 0.005)
    monkeypatch.setitem(OPTIONS, 'tar', dict(shard_size=100_000))
    source = people(tmp_path / 'people', dict.fromkeys(map(str, range(20)), 40))
    begun = time.monotonic()
    convert(source, tmp_path / 'whole', layout)
    needed, draw, kills, number = time.monotonic() - begun, random.Random(0), 0, 0
    expected = content(tmp_path / 'whole')
    while kills < 20:
        out = tmp_path / f'out{number}'
        process = forked(source, out, layout)
        time.sleep(needed * draw.uniform(0.02, 0.9))
        os.kill(process, signal.SIGKILL)
        status = os.waitpid(process, 0)[1]
        kills += os.WIFSIGNALED(status)
        assert os.WIFSIGNALED(status) or status == 0
        if out.exists():
            assert content(out) == expected
            number += 1
        elif draw.random() < 0.3:
            convert(source, out, layout)
            assert content(out) == expected
            number += 1


def test_lmdb_states_the_same_size_after_a_transaction_that_was_killed(tmp_path, monkeypatch):
    folder = tmp_path / 'people' / 'a'
    folder.mkdir(parents=True)
    for number in range(12):
        (folder / f'{number:02}.jpg').write_bytes(b'\xff\xd8' + bytes([number]) * 400_000)
    rules = Rules(decode=False)
    converted(folder.parent, tmp_path / 'whole', 'lmdb', rules=rules)
    whole = (tmp_path / 'whole' / 'data.mdb').read_bytes()
    undo = stop_at(monkeypatch, to_lmdb.ToLmdb, '_commit', 3)
    with pytest.raises(Stopped):
        converted(folder.parent, tmp_path / 'out', 'lmdb', rules=rules)
    undo()
    with open(tmp_path / 'out.part' / 'data.mdb', 'ab') as file:  # pages that no transaction holds
        file.write(whole[file.tell():-400_000])
    converted(folder.parent, tmp_path / 'out', 'lmdb', rules=rules)
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')


def test_lmdb_keeps_names_that_are_too_long_for_its_keys_over_a_kill(tmp_path, monkeypatch):
    source = people(tmp_path / 'people', {'名' * 84: 12})
    for file in sorted((source / ('名' * 84)).iterdir()):
        file.rename(file.with_name('面' * 82 + file.name))
    converted(source, tmp_path / 'whole', 'lmdb')
    undo = stop_at(monkeypatch, to_lmdb.ToLmdb, '_commit', 2)
    with pytest.raises(Stopped):
        converted(source, tmp_path / 'out', 'lmdb')
    undo()
    tear(tmp_path / 'out.part')
    converted(source, tmp_path / 'out', 'lmdb')
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')
    assert b'__names__' in (tmp_path / 'out' / 'data.mdb').read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize('layout', ['records', 'tar', 'lmdb', 'folder', 'parquet'])
def test_a_real_full_disk(tmp_path, layout):
    """A limit of the size of files, which is to a program what a full disk is."""
    source = people(tmp_path / 'people', dict.fromkeys(map(str, range(10)), 50))
    limit = 60 if layout == 'parquet' else 300
    limited = ['bash', '-c', f'ulimit -f {limit}; trap "" XFSZ; "$@"', '-',
               *command('convert', source, tmp_path / 'out', '--to', layout)]
    done = subprocess.run(limited, env=dict(os.environ, PYTHONPATH=str(ROOT)), capture_output=True, text=True)
    if layout != 'folder':
        assert done.returncode and len(done.stderr.splitlines()) == 1 and 'error: ' in done.stderr, done.stderr
        assert not (tmp_path / 'out').exists()
        subprocess.run(command('convert', source, tmp_path / 'out', '--to', layout), check=True,
                       env=dict(os.environ, PYTHONPATH=str(ROOT)))
    subprocess.run(command('convert', source, tmp_path / 'whole', '--to', layout), check=True,
                   env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert content(tmp_path / 'out') == content(tmp_path / 'whole')
