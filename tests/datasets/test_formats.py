"""Formats: what is written is read, and what is damaged is named."""
import multiprocessing
import os
import pickle
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.datasets.formats import insightface_writer, record_index, record_writer
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import pack, unpack
from mlaface.datasets.formats.insightface import open_training_set, read_labels, read_property, read_table
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.record_index import IndexedRecords, rebuild_index
from mlaface.datasets.formats.record_writer import RecordWriter
from mlaface.datasets.formats.recordio import MAGIC_BYTES, RecordReader

PIECES = st.lists(st.one_of(st.binary(max_size=9), st.just(MAGIC_BYTES)), max_size=8).map(b''.join)


def write(folder, payloads):
    with RecordWriter(folder / 'a.rec', folder / 'a.idx') as writer:
        return [writer.write(payload) for payload in payloads]


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=6))
def test_any_bytes_come_back_and_the_file_parses_at_every_record(tmp_path_factory, payloads):
    folder = tmp_path_factory.mktemp('records')
    offsets = write(folder, payloads)
    reader = RecordReader(folder / 'a.rec')
    assert list(reader) == list(zip(offsets, payloads))
    assert rebuild_index(reader)[0].tolist() == offsets
    for after, offset in zip([0, *(o + 4 for o in offsets)], offsets):
        assert reader.resync(after) == offset


def test_a_record_that_is_too_long_for_the_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(record_writer, 'MAX_LENGTH', 9)
    with pytest.raises(FormatError, match='10 bytes'):
        write(tmp_path, [bytes(9), bytes(10)])
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(KeyError), RecordWriter(tmp_path / 'a.rec', tmp_path / 'a.idx') as writer:
        writer.write(b'x')
        raise KeyError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('text', ['1\t0\n0\t12\n7\t24\n', '0\t12\r\n1\t0\r\n7\t24\r\n\r\n', '7 24\n\n0 12\n1 0'])
def test_an_index_may_be_shuffled_have_gaps_and_blank_lines(tmp_path, text):
    (tmp_path / 'a.idx').write_bytes(text.encode())
    keys, offsets = record_index.read_index(tmp_path / 'a.idx')
    assert keys.tolist() == [0, 1, 7] and offsets.tolist() == [12, 0, 24]


@pytest.mark.parametrize('text', ['0\t0\nx\t12\n', '0\t0\n1\n', '0\t0\n0\t12\n', '0\t-4\n', '<html>'])
def test_a_bad_index_is_named(tmp_path, text):
    (tmp_path / 'a.idx').write_text(text)
    with pytest.raises(FormatError, match='a.idx.*[Rr]emove'):
        record_index.read_index(tmp_path / 'a.idx')


@pytest.mark.parametrize('offset', [12, 28, 2**63 - 4, 10**30])
def test_an_index_that_points_past_the_end_is_named(tmp_path, offset):
    write(tmp_path, [b'abcd'])
    (tmp_path / 'a.idx').write_text(f'0\t0\n8\t{offset}\n')
    with pytest.raises(FormatError, match='a.idx: key 8 points to byte'):
        IndexedRecords(tmp_path / 'a.rec')


def test_an_index_that_points_elsewhere_gives_no_label(tmp_path):
    write(tmp_path, [pack(0, bytes(64)), pack(1, b'image')])
    (tmp_path / 'a.idx').write_text('0\t0\n1\t16\n')
    with pytest.raises(FormatError, match='key 1'):
        read_table(IndexedRecords(tmp_path / 'a.rec'))
    (tmp_path / 'a.idx').write_text('')
    with pytest.raises(FormatError, match='a.idx names none'):
        read_table(IndexedRecords(tmp_path / 'a.rec'))


def test_a_missing_index_is_rebuilt(tmp_path):
    offsets = write(tmp_path, [b'abcd' + MAGIC_BYTES, b'', b'xyz'])
    (tmp_path / 'a.idx').unlink()
    with pytest.warns(UserWarning, match='scan'):
        records = IndexedRecords(tmp_path / 'a.rec')
    assert records.offsets.tolist() == offsets and records.read_key(2) == b'xyz'


def test_truncated_records_and_wrong_magic_name_key_and_byte(tmp_path):
    offsets = write(tmp_path, [b'first' * 9, b'second' * 9, b'third' * 9])
    whole = (tmp_path / 'a.rec').read_bytes()
    (tmp_path / 'a.rec').write_bytes(whole[:-10])
    with pytest.raises(FormatError, match='key 2.*cut off'):
        IndexedRecords(tmp_path / 'a.rec').read_key(2)
    (tmp_path / 'a.rec').write_bytes(whole[:offsets[2]])
    with pytest.raises(FormatError, match=f'key 2 points to byte {offsets[2]}'):
        IndexedRecords(tmp_path / 'a.rec')
    (tmp_path / 'a.rec').write_bytes(whole[:offsets[1]] + b'\0\0\0\0' + whole[offsets[1] + 4:])
    with pytest.raises(FormatError, match=f'key 1.*byte {offsets[1]}'):
        IndexedRecords(tmp_path / 'a.rec').read_key(1)
    found, faults = rebuild_index(RecordReader(tmp_path / 'a.rec'), on_fault='skip')
    assert found.tolist() == [offsets[0], offsets[2]] and len(faults) == 1


def test_an_index_may_not_point_into_a_record(tmp_path):
    write(tmp_path, [b'abcd' + MAGIC_BYTES + b'efgh'])
    (tmp_path / 'a.idx').write_text('0\t12\n')
    with pytest.raises(FormatError, match='inside a record'):
        IndexedRecords(tmp_path / 'a.rec').read_key(0)


def _read_in_child(records, queue):
    queue.put(records.read_key(1))


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork on this platform')
def test_readers_survive_fork_and_pickle(tmp_path):
    write(tmp_path, [b'a', b'b'])
    records = IndexedRecords(tmp_path / 'a.rec')
    assert records.read_key(0) == b'a'
    context = multiprocessing.get_context('fork')
    queue = context.SimpleQueue()
    child = context.Process(target=_read_in_child, args=(records, queue))
    child.start()
    assert queue.get() == b'b'
    child.join()
    assert pickle.loads(pickle.dumps(records)).read_key(1) == b'b'


def test_image_records():
    assert unpack(pack(3, b'x', 5, 6))[2:] == (5, 6, b'x')
    assert unpack(pack([1.5, 2], b'x')).labels.tolist() == [1.5, 2]
    assert unpack(pack((1 << 24) - 1)).labels[0] == (1 << 24) - 1
    for label in (1 << 24, (1 << 24) + 1, [(1 << 24) + 1, 0]):
        with pytest.raises(FormatError, match='float32'):
            pack(label)
    for payload in (b'short', pack([1, 2])[:-4]):
        with pytest.raises(FormatError):
            unpack(payload)


def training_set(folder, labels=(0, 0, 1, 2, 2, 2)):
    return write_training_set(folder, ((label, b'image%d' % key) for key, label in enumerate(labels)))


def test_training_sets_with_and_without_a_header(tmp_path):
    assert training_set(tmp_path) == (6, 3)
    records = open_training_set(tmp_path)
    table = read_table(records)
    assert records.keys[table.places].tolist() == [1, 2, 3, 4, 5, 6] and table.labels.tolist() == [0, 0, 1, 2, 2, 2]
    with RecordWriter(tmp_path / 'plain.rec', tmp_path / 'plain.idx') as writer:
        for key, label in ((5, 1), (3, [2, 9])):
            writer.write(pack(label, b'image'), key)
    assert read_table(open_training_set(tmp_path / 'plain.rec')).labels.tolist() == [2, 1]


def with_header(labels, ranges, end=None):
    """Payloads of a set: header record, an image a label, identity records."""
    end = end or len(labels) + 1
    header = struct.pack('<IfQQ2f', 2, 0, 0, 0, end, end + len(ranges))
    return [header, *(pack(label, b'image') for label in labels), *(pack(pair) for pair in ranges)]


def table_of(folder, payloads, keys=None):
    with RecordWriter(folder / 'train.rec', folder / 'train.idx') as writer:
        for key, payload in zip(keys or range(len(payloads)), payloads):
            writer.write(payload, key)
    records = open_training_set(folder)
    table = read_table(records)
    return records.keys[table.places].tolist(), table.labels.tolist()


@pytest.mark.parametrize('labels, ranges, end', [
    ([0, 1, 1, 1], [(1, 3), (3, 5)], 5),  # a boundary
    ([0, 1, 0, 1], [(1, 4), (4, 5)], 5),  # an image in the middle of an identity
    ([0, 0, 1, 1], [(1, 3), (3, 5)], 4),  # the header counts an image too few,
    ([0, 0, 1, 1], [(1, 3), (3, 5)], 6),  # and one too many
    ([0, 0, 1, 1], [], 5), ([0, 0, 1, 1], [(1, 3)], 5), ([0, 0, 1, 1], [(1, 3), (3, float('nan'))], 5),
    ([0, 0, 1, 1], [(1, 3), (3, 5)], float('nan')), ([0, 0, 1, 1], [(1, 3), (3, 5)], float('inf'))])
def test_labels_are_believed_over_identity_records(tmp_path, labels, ranges, end):
    with pytest.warns(UserWarning, match='believed'):
        assert table_of(tmp_path, with_header(labels, ranges, end)) == ([1, 2, 3, 4], labels)


@pytest.mark.parametrize('labels, ranges', [
    ([1, 1, 2, 2], [(1, 3), (3, 5)]), ([0, 0, 2, 2], [(1, 3), (3, 3), (3, 5)]), ([5, 5, 0, 0], [(1, 3), (3, 5)]),
    ([[0, 9], [0, 8], [1, 7], [1, 6]], [(1, 3), (3, 5)])])
def test_odd_labels_that_agree_are_read_without_a_warning(tmp_path, recwarn, labels, ranges):
    expected = [label[0] if isinstance(label, list) else label for label in labels]
    assert table_of(tmp_path, with_header(labels, ranges)) == ([1, 2, 3, 4], expected)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


def test_an_index_without_header_record_or_without_some_images(tmp_path):
    header, *rest = with_header([0, 0, 1, 1], [(1, 3), (3, 5)])
    with pytest.warns(UserWarning, match='key 5.*left out'):
        assert table_of(tmp_path, rest, range(1, 7)) == ([1, 2, 3, 4], [0, 0, 1, 1])
    assert table_of(tmp_path, [header, rest[0], *rest[2:]], [0, 1, 3, 4, 5, 6]) == ([1, 3, 4], [0, 1, 1])
    with pytest.warns(UserWarning, match='believed'):
        assert table_of(tmp_path, [header, *rest[1:]]) == ([1, 2, 3], [0, 1, 1])
    with pytest.raises(FormatError, match='train.rec.*no image'), pytest.warns(UserWarning):
        table_of(tmp_path, [header, rest[-1]], [0, 6])


def test_more_images_than_identity_records_can_count_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(insightface_writer, 'EXACT', 10)
    training_set(tmp_path, [0, 0, 0, 0, 0, 1])
    with pytest.raises(FormatError, match='7 images'):
        training_set(tmp_path, [0, 0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize('text', [b'', b'3,112', b'a,b,c', b'-3,112,112', b'9' * 20 + b',112,112', b'3,1,1\n4,1,1',
                                  b'\xff\xfe3\0'])
def test_a_bad_property_is_named(tmp_path, text):
    (tmp_path / 'property').write_bytes(text)
    with pytest.raises(FormatError, match='property.*remove'):
        read_property(tmp_path / 'property')


def test_a_magic_word_inside_the_header_is_read(tmp_path):
    magic = int.from_bytes(MAGIC_BYTES, 'little')
    with RecordWriter(tmp_path / 'a.rec', tmp_path / 'a.idx') as writer:
        writer.write(pack(4, b'image', id=magic))
    assert read_labels(IndexedRecords(tmp_path / 'a.rec'), np.array([0])).tolist() == [4]


@pytest.mark.parametrize('label', [-1, 0.5, float('nan'), float('inf'), 1 << 24])
def test_labels_that_are_no_class_are_named(tmp_path, label):
    write(tmp_path, [struct.pack('<IfQQ', 0, label, 0, 0) + b'image'])
    with pytest.raises(FormatError, match='key 0'):
        read_table(IndexedRecords(tmp_path / 'a.rec'))


@pytest.fixture(scope='module')
def whole_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp('damaged')
    training_set(folder)
    return folder, {name: (folder / name).read_bytes() for name in ('train.rec', 'train.idx')}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(['train.rec', 'train.idx']), st.integers(0, 500), st.integers(0, 8),
       st.one_of(st.binary(max_size=8), st.just(MAGIC_BYTES)))
def test_a_training_set_with_any_damage_is_read_or_named(whole_set, name, place, removed, added):
    folder, whole = whole_set
    for file, data in whole.items():
        (folder / file).write_bytes(data[:place] + added + data[place + removed:] if file == name else data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            records = open_training_set(folder)
            places, labels = read_table(records)
        assert len(places) == len(labels) and all(records.read_position(place) for place in places)
    except FormatError as error:
        assert str(folder) in str(error)


@pytest.mark.parametrize('text', [
    '0\t0\n9\t8\n10\t12\n99\t100\n100\t104\n', '0\t0\n', '5\t12\n3\t4\n', '1\t4\r\n2\t8\r\n', '1\t4\n\n2\t8\n',
    '1 4\n2 8\n', '1\t4\n2\t8', '10\t4\n2\t800\n', '12\t3\n1\t23\n',
    ''.join(f'{key}\t{key * key * 4}\n' for key in range(2000))])
@pytest.mark.parametrize('block', [4, 64, 1 << 20])
def test_an_index_is_read_as_its_numbers_stand_there(monkeypatch, tmp_path, text, block):
    monkeypatch.setattr(record_index, 'BLOCK', block)
    (tmp_path / 'a.idx').write_bytes(text.encode())
    rows = sorted(tuple(map(int, line.split())) for line in text.splitlines() if line.strip())
    assert list(zip(*map(np.ndarray.tolist, record_index.read_index(tmp_path / 'a.idx')))) == rows


@pytest.mark.parametrize('text', ['1\t\n', '\t4\n', '1\n', 'a\t4\n', '1\t4\n1\t8\n'])
def test_an_index_that_is_none_is_refused(tmp_path, text):
    (tmp_path / 'a.idx').write_bytes(text.encode())
    with pytest.raises(FormatError, match='a.idx'):
        record_index.read_index(tmp_path / 'a.idx')
