"""Commands with ``--executor``: the bytes of the plain command, resumed, refused in a line; kills at random points."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.bin_set import write_bin
from tests.datasets.archive_sets import content
from tests.utils import pieced

ROOT = Path(__file__).resolve().parents[2]
HERE = ('--executor', 'here', '--piece-size', '256')
COMMANDS = dict(
    records=('data', 'pack', '{set}', '{out}', '--size', '112', '112'),
    tar=('data', 'convert', '{set}', '{out}', '--to', 'tar', '--shuffle', '3', '--shard-size', '1'),
    lmdb=('data', 'convert', '{set}', '{out}', '--to', 'lmdb', '--exclude', '{list}'),
    clean=('data', 'clean', '{set}', '--out', '{out}', '--model', '{model}', '--device', 'cpu'),
    leak=('data', 'leak', '{set}', '{bin}', '--out', '{out}', '--model', '{model}', '--device', 'cpu'),
    dedupe=('data', 'dedupe', '{set}', '{bin}', '--out', '{out}', '--by', 'embedding', '--model', '{model}', '--device',
            'cpu'),
    embed=('embed', '{set}', '--aligned', '--out', '{out}.npz', '--model', '{model}', '--device', 'cpu'),
)


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A set, a benchmark, a model, a list of images to leave out, and what the plain commands make of them."""
    pytest.importorskip('onnxruntime')
    folder = tmp_path_factory.mktemp('executors')
    pieced.photographs(folder / 'set')
    pieced.model(folder / 'm.onnx')
    write_bin(folder / 'b.bin', [(folder / 'set' / f'p{k:02}' / f'{n}.jpg').read_bytes() for k, n in (
        (2, 2), (2, 3), (8, 4), (9, 5))], [True, False])
    (folder / 'list').write_text('p01/3.jpg\n')
    return folder


def arguments(place, name, out):
    return [word.format(set=place / 'set', out=out, model=place / 'm.onnx', bin=place / 'b.bin', list=place / 'list')
            for word in COMMANDS[name]]


def made(out):
    """What a command wrote, by name, without times."""
    if not out.exists():
        out = out.with_suffix('.npz')
    found = content(out)
    if isinstance(found, dict) and 'summary.json' in found:
        summary = json.loads(found['summary.json'])
        found['summary.json'] = {key: value for key, value in summary.items() if 'seconds' not in key}
        if 'sets' in summary:
            found['summary.json']['sets'] = [{**entry, 'exclude': None} for entry in summary['sets']]
    return found


@pytest.fixture
def plain(place, monkeypatch):
    """What a command makes without an executor, once."""
    def of(name):
        out = place / f'plain-{name}'
        if not out.exists() and not out.with_suffix('.npz').exists():
            with monkeypatch.context() as patch:
                patch.setenv('MLAFACE_CACHE', str(place / 'cache'))
                main(arguments(place, name, out))
        return made(out)
    return of


@pytest.mark.parametrize('name', [name if name in ('tar', 'clean', 'embed') else pytest.param(
    name, marks=pytest.mark.slow) for name in COMMANDS])
def test_pieces_give_the_bytes_of_the_plain_command(place, plain, tmp_path, monkeypatch, name):
    expected = plain(name)
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    options = [*HERE, '--executor-options', 'stop=1']
    with pytest.raises(KeyboardInterrupt):
        main([*arguments(place, name, tmp_path / 'out'), *options])
    main([*arguments(place, name, tmp_path / 'out'), *HERE])
    assert made(tmp_path / 'out') == expected
    assert {path.name for path in tmp_path.iterdir()} <= {'out', 'out.npz', 'cache'}


def test_photographs_are_aligned_in_pieces(place, tmp_path):
    """By a detector that finds the whole picture."""
    plugin = ('--detector', 'whole', '--import', 'tests.utils.pieced_detector')
    for name in ('p00', 'p01', 'p06'):
        shutil.copytree(place / 'set' / name, tmp_path / 'photographs' / name)
    source, here = str(tmp_path / 'photographs'), (*HERE[:2], '--piece-size', '19')
    main(['align', source, str(tmp_path / 'one'), *plugin])
    with pytest.raises(KeyboardInterrupt):
        main(['align', source, str(tmp_path / 'two'), *plugin, *here, '--executor-options', 'stop=2'])
    main(['align', source, str(tmp_path / 'two'), *plugin, *here])
    assert content(tmp_path / 'two') == content(tmp_path / 'one')
    for name, rest in (('three', ()), ('four', here)):
        main(['data', 'pack', source, str(tmp_path / name), '--align', *plugin, *rest])
    assert content(tmp_path / 'four') == content(tmp_path / 'three')


@pytest.mark.parametrize('options, said', [
    (('--executor', 'roy'), "did you mean 'ray'"), (('--executor-options', 'processes=2'), 'name it by --executor'),
    (('--executor', 'local', '--executor-options', 'cores=2'), "has no argument 'cores'"),
    (('--executor', 'local', '--executor-options', 'two'), 'KEY=VALUE')])
def test_what_cannot_be_done_is_said_in_a_line(place, tmp_path, options, said):
    with pytest.raises(SystemExit) as end:
        main([*arguments(place, 'records', tmp_path / 'out'), *options])
    assert str(end.value.code).startswith('error: ') and said in str(end.value.code)


def test_a_stream_cannot_be_cut(place, tmp_path):
    for words, said in ((('0', '--out', str(tmp_path / 'a.npz')), 'one stream'), ((str(place / 'set'),), '--out FILE')):
        with pytest.raises(SystemExit, match=said):
            main(['embed', *words, '--aligned', '--model', str(place / 'm.onnx'), *HERE])


def start(place, name, out, cache, *options):
    return subprocess.Popen([sys.executable, '-m', 'mlaface.cli.main', *arguments(place, name, out), '--piece-size',
                             '256', *options], env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1',
                                                    'MLAFACE_CACHE': str(cache)}, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize('name', COMMANDS)
def test_two_processes_of_this_machine(place, plain, tmp_path, name):
    expected = plain(name)
    assert start(place, name, tmp_path / 'out', tmp_path / 'cache', '--executor', 'local', '--executor-options',
                 'processes=2').wait() == 0
    assert made(tmp_path / 'out') == expected


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('name', ['tar', 'clean', 'leak', 'embed'])
def test_twenty_kills_at_random_points(place, plain, tmp_path, name):
    """Of the whole group, workers too; what is made of them in the end has the same bytes."""
    expected, rng, survived = plain(name), np.random.default_rng(0), 0
    options = ('--executor', 'local', '--executor-options', 'processes=2')
    begun = time.monotonic()
    assert start(place, name, tmp_path / 'first', tmp_path / 'first-cache', *options).wait() == 0
    seconds = time.monotonic() - begun
    for _ in range(20):
        for leftover in (tmp_path / 'out', tmp_path / 'out.npz'):
            if leftover.exists():  # a call that was done before its kill: begin anew
                survived += 1
                shutil.rmtree(leftover) if leftover.is_dir() and name in ('tar',) else None
                leftover.unlink() if leftover.is_file() else None
        child = start(place, name, tmp_path / 'out', tmp_path / 'cache', *options)
        time.sleep(rng.uniform(0, seconds))
        child.send_signal(signal.SIGKILL)
        child.wait()
    with contextlib.suppress(FileNotFoundError):
        if name == 'tar':
            shutil.rmtree(tmp_path / 'out')
    assert start(place, name, tmp_path / 'out', tmp_path / 'cache', *options).wait() == 0
    assert made(tmp_path / 'out') == expected
    print(f'{name}: 20 kills within {seconds:.1f} s, {survived} calls were done before theirs')
