"""Commands with ``--executor``: the bytes of the plain command, resumed, refused in a line; kills at random points."""
import contextlib
import json
import os
import shutil
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
LEFT_OUT = dict.fromkeys(('records', 'tar', 'lmdb', 'embed'), 1)  # exit status: the set has an image that is empty
LOCAL = ('--executor', 'local', '--executor-options', 'processes=2')
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
    (('--executor', 'local', '--executor-options', 'two'), 'KEY=VALUE'),
    (('--executor', 'local', '--executor-options', 'processes=x'), 'local: processes=x: write a whole number'),
    (('--executor', 'local', '--executor-options', 'threads=-1'), 'local: threads=-1: write a whole number'),
    (('--executor', 'ray', '--executor-options', 'cpus=0.05'), 'ray: cpus=0.05: write a number of at least 0.1')])
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
                             '64', *options], env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1',
                                                    'MLAFACE_CACHE': str(cache)}, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize('name', COMMANDS)
def test_two_processes_of_this_machine(place, plain, tmp_path, name):
    expected = plain(name)
    assert start(place, name, tmp_path / 'out', tmp_path / 'cache', *LOCAL).wait() == LEFT_OUT.get(name, 0)
    assert made(tmp_path / 'out') == expected



@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('name', ['records', 'tar', 'clean', 'leak', 'embed'])
def test_twenty_kills_at_random_points(place, plain, tmp_path, name):
    """Each call goes on where the one before was killed; whenever one comes to its end, the bytes are the same."""
    expected, draw, kills, ends, status = plain(name), np.random.default_rng(0), 0, 0, LEFT_OUT.get(name, 0)
    begun = time.monotonic()
    assert start(place, name, tmp_path / 'first', tmp_path / 'first-cache', *LOCAL).wait() == status
    seconds = time.monotonic() - begun
    while kills < 20:
        child = start(place, name, tmp_path / f'out{ends}', tmp_path / f'cache{ends}', *LOCAL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(draw.uniform(0, seconds))
        kills += child.poll() is None
        child.kill()
        if child.wait() == status:
            assert made(tmp_path / f'out{ends}') == expected
            ends += 1
    assert start(place, name, tmp_path / f'out{ends}', tmp_path / f'cache{ends}', *LOCAL).wait() == status
    assert made(tmp_path / f'out{ends}') == expected
    assert not [path.name for path in tmp_path.iterdir() if 'pieces' in path.name or path.name.endswith('part')
                and not path.name.startswith('.')]
    print(f'{name}: 20 kills of calls of {seconds:.1f} s, of which {ends + 1} came to an end')


@pytest.mark.slow
@pytest.mark.parametrize('name', ['records', 'tar', 'embed', 'clean'])
def test_a_real_full_disk(place, plain, tmp_path, name, monkeypatch):
    """A limit of the size of files, which is to a program what a full disk is."""
    import resource
    expected = plain(name)
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    done = subprocess.run([sys.executable, '-m', 'mlaface.cli.main', *arguments(place, name, tmp_path / 'out'),
                           '--piece-size', '64', *LOCAL], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)},
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17)))
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1].startswith('error: ') and 'disk takes no more' in done.stderr, done.stderr
    assert start(place, name, tmp_path / 'out', tmp_path / 'cache', *LOCAL).wait() == LEFT_OUT.get(name, 0)
    assert made(tmp_path / 'out') == expected


@pytest.mark.slow
@pytest.mark.parametrize('name, said', [('tar', 'is being made by another process'),
                                        ('clean', 'is being made by another process')])
def test_two_calls_at_one_place(place, plain, tmp_path, name, said):
    expected = plain(name)
    first = start(place, name, tmp_path / 'out', tmp_path / 'cache', *LOCAL)
    while not list(tmp_path.glob('out*/**/job.json')):
        time.sleep(0.01)
    second = subprocess.run([sys.executable, '-m', 'mlaface.cli.main', *arguments(place, name, tmp_path / 'out'),
                             '--piece-size', '64', '--executor', 'local'], cwd=ROOT, capture_output=True,
                            text=True, env={**os.environ, 'MLAFACE_CACHE': str(tmp_path / 'other')})
    assert first.wait() == LEFT_OUT.get(name, 0) and made(tmp_path / 'out') == expected
    assert said in second.stderr or second.returncode == 0 and name == 'clean', second.stderr


def test_a_link_to_nothing_is_passed_over_by_pieces_too(place, tmp_path, capsys):
    faces, told = tmp_path / 'faces', []
    faces.mkdir()
    shutil.copy(place / 'set/p02/2.jpg', faces / 'a.jpg')
    (faces / 'b.jpg').symlink_to('nothing.jpg')
    for name, more in (('plain', ()), ('pieces', HERE)):
        out = tmp_path / f'{name}.npz'
        status = main(['embed', str(faces), '--aligned', '--out', str(out), '--model', str(place / 'm.onnx'),
                       '--device', 'cpu', *more])
        said = capsys.readouterr()
        told.append((status, [line for line in said.err.splitlines() if 'b.jpg' in line], content(out)))
    assert told[0] == told[1] and told[0][0] == 1 and len(told[0][1]) == 1
