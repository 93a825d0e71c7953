"""Our records against those of real mxnet: committed files, and both directions live."""
import importlib.util
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlaface.datasets.formats.image_record import pack, unpack
from mlaface.datasets.formats.record_index import IndexedRecords
from mlaface.datasets.formats.record_writer import RecordWriter
from tests.datasets.archive_sets import converted, people

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name('mxnet_fixtures.py')
FIXTURE = ROOT / 'tests' / 'data' / 'recordio' / 'mxnet.rec'
_spec = importlib.util.spec_from_file_location('mxnet_fixtures', SCRIPT)
fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fixtures)


def our_payloads():
    labelled = [pack(label, b'image', id=key) for key, label in enumerate(fixtures.LABELS, len(fixtures.PAYLOADS))]
    return [*fixtures.PAYLOADS, *labelled]


def write_ours(folder):
    with RecordWriter(folder / 'ours.rec', folder / 'ours.idx') as writer:
        for payload in our_payloads():
            writer.write(payload)
    return folder / 'ours.rec', folder / 'ours.idx'


def assert_same_records(rec):
    records = IndexedRecords(rec)
    assert [records.read_key(key) for key in records.keys] == our_payloads()
    for key, label in enumerate(fixtures.LABELS, len(fixtures.PAYLOADS)):
        record = unpack(records.read_key(key))
        np.testing.assert_array_equal(record.labels, np.atleast_1d(np.float32(label)))
        assert (record.id, record.image) == (key, b'image')


def test_committed_records_of_mxnet_are_read():
    assert_same_records(FIXTURE)


def test_our_files_are_those_of_mxnet_byte_for_byte(tmp_path):
    rec, idx = write_ours(tmp_path)
    assert rec.read_bytes() == FIXTURE.read_bytes()
    assert idx.read_text() == FIXTURE.with_suffix('.idx').read_text()


@pytest.mark.slow
def test_live_mxnet_reads_what_is_packed(mxnet_python, tmp_path):
    people(tmp_path / 'people')
    for name, options in dict(grouped={}, shuffled=dict(shuffle=3)).items():
        converted(tmp_path / 'people', tmp_path / name, 'records', **options)
        records = IndexedRecords(tmp_path / name / 'train.rec')
        environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}
        read = subprocess.run([mxnet_python, str(SCRIPT), 'read', str(records.path), str(records.index_path)],
                              check=True, env=environment, capture_output=True, text=True)
        assert [bytes.fromhex(line) for line in read.stdout.split('\n')[:-1]] == [
            records.read_key(key) for key in records.keys]


def test_live_mxnet_agrees_in_both_directions(mxnet_python, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}
    rec, idx = write_ours(tmp_path)
    read = subprocess.run([mxnet_python, str(SCRIPT), 'both', str(tmp_path), str(rec), str(idx)], check=True,
                          env=environment, capture_output=True, text=True)
    assert_same_records(tmp_path / 'mxnet.rec')
    assert [bytes.fromhex(line) for line in read.stdout.split('\n')[:-1]] == our_payloads()
