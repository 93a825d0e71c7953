"""A store that fails in the middle: the run ends in a line, with a checkpoint, and goes on as if nothing had been."""
import re
import shutil

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mlaface.cli.main import main
from mlaface.datasets.formats.image_list import write_list
from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.engine.checkpoint import store
from tests.datasets.archive_sets import converted
from tests.datasets.store_sets import files_of
from tests.engine.toy import TEXT, config_file
from tests.tools.test_training_tools import ENVIRONMENT, call
from tests.zoo.server import Faults, serve

pytest.importorskip('aiohttp')


def image(seed):
    return encode(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8))


@pytest.fixture
def files(tmp_path):
    for person in range(5):
        (tmp_path / 'sets' / 'people' / f'p{person}').mkdir(parents=True)
        for number in range(20):
            (tmp_path / f'sets/people/p{person}/{number}.jpg').write_bytes(image(20 * person + number))
    converted(tmp_path / 'sets' / 'people', tmp_path / 'sets' / 'records', 'records', shuffle=0)
    converted(tmp_path / 'sets' / 'people', tmp_path / 'sets' / 'folder', 'folder')
    faces = FolderFaces(str(tmp_path / 'sets' / 'folder'))
    write_list(tmp_path / 'sets' / 'folder' / 'images.lst', faces.labels, map(faces.key, range(len(faces))))
    return files_of(tmp_path / 'sets')


def config(folder, address, workers=0, kind='RecordFaces', name='records'):
    data = (f"dict(type='{kind}', image_size=(8, 8), data_root=dict(address='{address}/{name}', block_kb=1, "
            'pause=0.01, timeout=9, attempts=2, cache_gb=1e-3))')
    text = TEXT.replace("dict(type='ToyFaces')", data).replace("train_dataloader = dict(batch_size=8, num_workers=0, "
                                                               "sampler=dict(type='ToySampler'),\n"
                                                               "                        collate_fn=dict(type='toy_"
                                                               "collate'), ",
                                                               f'train_dataloader = dict(batch_size=8, num_workers='
                                                               f"{workers}, sampler=dict(type='BlockSampler', block=4, "
                                                               'window=2), ')
    assert 'BlockSampler' in text and kind in text
    return config_file(folder, text)


class Failing(Faults):
    """Well until it is told to fail, and then after some more requests for records, or for images."""
    left = None

    def next(self, handler):
        found = super().next(handler)
        images = handler.path.endswith(('.rec', '.jpg')) and handler.headers['Range'] != 'bytes=0-0'
        if self.left is not None and images:
            self.left -= 1
            if self.left < 0:
                return dict(status=503)
        return found


def weights(folder):
    return store.read(store.checkpoints(folder)[0])['model']['state_dict']


@pytest.mark.parametrize('kind, name', [('RecordFaces', 'records'),
                                        pytest.param('FolderFaces', 'folder', marks=pytest.mark.slow)])
@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_training_ends_with_a_checkpoint_and_goes_on_to_the_same(workers, kind, name, tmp_path, files, monkeypatch):
    faults = Failing()
    with serve(files, faults) as address:
        path = config(tmp_path, address, workers, kind, name)

        def train(name, cache, *more):
            monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / cache))
            main(['train', str(path), '--work-dir', str(tmp_path / name), '--seed', '5', *more])

        train('whole', 'one')
        records = sum(where.endswith(('.rec', '.jpg')) and part != 'bytes=0-0' for where, part, _ in faults.requests)
        faults.left = records - 8  # what opening reads, and some of the first epoch
        with pytest.raises(SystemExit) as end:
            train('cut', 'two')
        found = re.fullmatch(rf'error: {address}/{name}/[\w/]*[.]\w{{3}} cannot be read: the server says 503 '
                             r'\(2 attempts\). Stopped after iteration (\d+); the checkpoint is written. Continue '
                             'with: .* --resume', end.value.code)
        assert found, end.value.code
        assert 0 < int(found[1]) == store.read(store.checkpoints(tmp_path / 'cut')[0])['loop']['iter'] < 12
        faults.left = None
        train('cut', 'two', '--resume')
    one, other = weights(tmp_path / 'whole'), weights(tmp_path / 'cut')
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_of_two_ranks_one_without_data_ends_both_with_a_checkpoint(tmp_path, files, monkeypatch):
    monkeypatch.setitem(ENVIRONMENT, 'MLAFACE_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    faults = Failing()
    with serve(files, faults) as address:
        path = config(tmp_path, address)
        RecordFaces(Config.fromfile(path).train_dataloader.dataset.data_root)
        shutil.rmtree(tmp_path / 'cache' / 'stores' / 'blocks')  # what opening needs beside the records is kept
        faults.left = 40
        done = call('tools/dist_train.sh', path, 2, '--work-dir', tmp_path / 'run', '--seed', '5')
        said = [line for line in done.stderr.splitlines() if line.startswith('error')]
        assert done.returncode and said and 'the checkpoint is written' in said[0], done.stderr
        assert store.checkpoints(tmp_path / 'run')
        faults.left = None
        done = call('tools/dist_train.sh', path, 2, '--work-dir', tmp_path / 'run', '--resume')
        assert done.returncode == 0, done.stderr
