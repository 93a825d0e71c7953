"""Looking at data before training: what is whole is told from what is not, and nothing ends in a traceback."""
import os
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.image_record import pack
from mlaface.datasets.formats.insightface import open_training_set, read_table
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import encode
from mlaface.datasets.formats.record_index import IndexedRecords
from mlaface.datasets.formats.record_writer import RecordWriter
from mlaface.datasets.prepare.verify import verify_records, write_index
from tests.datasets.test_exif import written

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'datasets'
FACE = encode(np.full((112, 112, 3), 90, np.uint8))
SMALL = encode(np.full((96, 112, 3), 90, np.uint8))


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool with arguments: exit status or message, and what it printed."""
    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(TOOLS / f'{name}.py'), run_name='__main__')
        return end.value.code, capsys.readouterr().out
    return run


@pytest.fixture
def records(tmp_path):
    """A training set of four images of two classes."""
    write_training_set(tmp_path, [(0, FACE), (0, FACE), (1, FACE), (1, FACE)])
    return tmp_path / 'train.rec'


def damage(path, key):
    offset = IndexedRecords(path).offsets[key]
    with open(path, 'r+b') as file:
        file.seek(offset)
        file.write(bytes(4))


def test_whole_records_are_whole(run, records):
    offsets, faults = verify_records(records)
    assert len(offsets) == 7 and not faults
    code, out = run('verify_records', records)
    assert code == 0 and '7 whole records, 0 faults' in out


def test_damaged_records_are_named_and_the_rest_is_kept_under_its_keys(run, records):
    damage(records, 2)
    code, out = run('verify_records', records, '--write-index', records.with_suffix('.idx'))
    assert code == 1 and '6 whole records, 2 faults' in out and 'key 2 points to byte' in out
    assert not verify_records(records)[1][1:]
    opened = open_training_set(records)
    assert opened.keys.tolist() == [0, 1, 3, 4, 5, 6] and read_table(opened).labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize('index', [None, 'none', '0\t4\n1\t8\n'])
def test_records_without_an_index_that_fits_are_numbered(records, index):
    records.with_suffix('.idx').unlink()
    if index:
        records.with_suffix('.idx').write_text(index)
    offsets, faults = verify_records(records)
    assert bool(faults) == bool(index)
    assert write_index(records, offsets, records.with_suffix('.new')) == 7
    assert IndexedRecords(records, records.with_suffix('.new')).keys.tolist() == list(range(7))


@pytest.mark.parametrize('tool, name', [('verify_records', 'none.rec'), ('inspect_set', 'none'),
                                        ('inspect_set', 'none.bin'), ('verify_records', '.')])
def test_what_is_not_there_is_named(run, tmp_path, tool, name):
    code, _ = run(tool, tmp_path / name)
    assert code.startswith('error: ') and str(tmp_path) in code


def test_a_training_set_is_counted_and_its_faults_are_shown(run, records, tmp_path):
    code, out = run('inspect_set', tmp_path)
    assert code == 0 and '4 images, 2 classes, 2 to 2 images each, 0 classes empty' in out and '112x112 4' in out
    with RecordWriter(records, records.with_suffix('.idx')) as writer:
        for label, image in ((0, FACE), (2, SMALL), (2, FACE[:500])):
            writer.write(pack(label, image))
    with pytest.warns(UserWarning):
        code, out = run('inspect_set', records)
    assert code == 1 and '1 classes empty' in out and '112x112 1, 96x112 1' in out and '2 images cannot be used' in out
    assert 'key 1: image of 96x112' in out and 'key 2: JPEG of 500 bytes' in out
    with pytest.warns(UserWarning):
        assert '2 images cannot' in run('inspect_set', records, '--image-size', 96, 112, '--first', 0)[1]


def test_pairs_and_folders_are_counted(run, tmp_path):
    write_bin(tmp_path / 'a.bin', [FACE, SMALL, FACE, FACE], [True, False])
    code, out = run('inspect_set', tmp_path / 'a.bin')
    assert code == 1 and '4 images (2 distinct), 2 pairs, 1 of one person' in out and 'image 1: image of 96x112' in out
    (tmp_path / 'people' / 'ann').mkdir(parents=True)
    cv2.imwrite(os.fspath(tmp_path / 'people' / 'ann' / '1.png'), np.zeros((112, 112, 3), np.uint8))
    (tmp_path / 'people' / 'ann' / '2.png').write_bytes(written('PNG', 6, image=np.zeros((112, 112, 3), np.uint8)))
    code, out = run('inspect_set', tmp_path / 'people')
    assert code == 0 and '1 images are stored turned' in out
    (tmp_path / 'a.bin').write_bytes(b'no pickle')
    assert run('inspect_set', tmp_path / 'a.bin')[0].startswith('error: ')


@pytest.mark.parametrize('tool', ['verify_records', 'inspect_set', 'make_synthetic'])
def test_help(run, tool):
    code, out = run(tool, '--help')
    assert code == 0 and 'usage' in out


def test_making_faces_twice_and_over_other_data(run, tmp_path, monkeypatch, capsys):
    arguments = ['make_synthetic', '--out', str(tmp_path / 'a'), '--identities', '2', '--images-per-identity', '2',
                 '--test-identities', '20', '--pairs', '20', '--workers', '1', '--baselines']
    monkeypatch.setattr(sys, 'argv', arguments)
    for expected in ('124 images drawn', 'are there already'):
        runpy.run_path(str(TOOLS / 'make_synthetic.py'), run_name='__main__')
        out = capsys.readouterr().out
        assert expected in out and 'synth_pose: raw_pixels 0.' in out
    assert 'another recipe' in run(*arguments, '--seed', 1)[0]
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'train.rec').write_bytes(b'precious')
    assert 'train.rec' in run('make_synthetic', '--out', tmp_path / 'b', '--overwrite')[0]
    assert (tmp_path / 'b' / 'train.rec').read_bytes() == b'precious'
    (tmp_path / 'file').write_bytes(b'')
    assert 'file' in run('make_synthetic', '--out', tmp_path / 'file')[0]
