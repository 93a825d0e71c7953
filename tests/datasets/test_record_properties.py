"""Records and indexes of any content: every cut and flipped byte is found, or what is read is what was written."""
import os
import random
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlaface.datasets.formats.errors import DecodeError, FormatError
from mlaface.datasets.formats.image_record import EXACT, label_and_image, pack, unpack
from mlaface.datasets.formats.insightface import open_training_set, read_property, read_table
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import decode, decode_face, encode
from mlaface.datasets.formats.record_index import IndexedRecords, read_index, rebuild_index
from mlaface.datasets.formats.record_writer import RecordWriter, encode_record, split_payload
from mlaface.datasets.formats.recordio import MAGIC_BYTES, RecordReader
from tests.damage import damaged_copies

# pieces of three bytes put the magic word at every place that is no multiple of four as well
PIECES = st.lists(st.one_of(st.binary(max_size=9), st.just(MAGIC_BYTES), st.just(b'abc'), st.just(MAGIC_BYTES[:3])),
                  max_size=9).map(b''.join)
LABELS = st.one_of(st.integers(0, EXACT - 1), st.lists(st.integers(0, EXACT - 1), min_size=1, max_size=40))


@settings(max_examples=150)
@given(PIECES)
def test_a_record_has_no_magic_word_at_an_aligned_place_but_heads(payload):
    parts, record = split_payload(payload), encode_record(payload)
    assert MAGIC_BYTES.join(parts) == payload and len(record) % 4 == 0
    words = [payload[place:place + 4] for place in range(0, len(payload), 4)]
    assert len(parts) == 1 + words.count(MAGIC_BYTES), 'dmlc splits there, and nowhere else'
    aligned = [place for place in range(0, len(record), 4) if record[place:place + 4] == MAGIC_BYTES]
    assert len(aligned) == len(parts), 'resync finds heads, and nothing else'


def rewritten(path, data):
    path.write_bytes(data)
    return RecordReader(path)


@settings(max_examples=25)
@given(st.lists(PIECES, min_size=1, max_size=3))
def test_a_file_that_is_cut_anywhere_gives_the_records_before_the_cut(tmp_path_factory, payloads):
    path = tmp_path_factory.getbasetemp() / 'cut.rec'
    whole = b''.join(map(encode_record, payloads))
    ends = np.cumsum([len(encode_record(payload)) for payload in payloads])
    for cut in range(0, len(whole), 1 if len(whole) < 80 else 7):
        reader = rewritten(path, whole[:cut])
        before = int((ends <= cut).sum())
        offsets, faults = rebuild_index(reader, on_fault='skip')
        assert [reader.read(int(offset)) for offset in offsets][:before] == payloads[:before]
        padding = len(offsets) > before  # the cut took nothing but zeros behind the last record
        assert len(offsets) <= before + 1 and (not padding or reader.read(int(offsets[-1])) == payloads[before])
        assert bool(faults) == (cut > ([0, *ends][before]) and not padding)


def read_or_fault(reader, *how):
    try:
        return reader.read_next(*how)
    except FormatError as error:
        return str(error)


@settings(max_examples=60)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(0, 60), st.integers(8, 99))
def test_how_many_bytes_are_read_at_once_changes_nothing(tmp_path_factory, payloads, cut, expected):
    path = tmp_path_factory.getbasetemp() / 'expected.rec'
    whole = b''.join(map(encode_record, payloads))
    reader = rewritten(path, whole[:max(len(whole) - cut, 0)])
    for offset in range(0, len(whole), 4):
        assert read_or_fault(reader, offset, expected) == read_or_fault(reader, offset)


@settings(max_examples=15)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(0, 10**6))
def test_one_broken_record_costs_no_other(tmp_path_factory, payloads, seed):
    """A flipped bit in a head breaks that record; the others are found again behind it."""
    path, draw = tmp_path_factory.getbasetemp() / 'broken.rec', random.Random(seed)
    payloads = [b'', *payloads]  # the shortest record there is
    records = list(map(encode_record, payloads))
    starts = np.cumsum([0, *map(len, records)])[:-1]
    for broken, record in enumerate(records):
        damaged = bytearray(record)
        damaged[draw.randrange(4)] ^= 1 << draw.randrange(8)  # the magic word
        reader = rewritten(path, b''.join([*records[:broken], damaged, *records[broken + 1:]]))
        offsets, faults = rebuild_index(reader, on_fault='skip')
        assert set(np.delete(starts, broken)) <= set(offsets.tolist()) and faults
        for number in np.delete(np.arange(len(records)), broken):
            assert reader.read(int(starts[number])) == payloads[number]


@settings(max_examples=60)
@given(st.dictionaries(st.integers(0, 2**40), st.integers(0, 2**50), max_size=30), st.randoms(),
       st.sampled_from(['\n', '\r\n', '\n\n']), st.sampled_from(['\t', ' ', '  \t']))
def test_an_index_is_one_in_any_order(tmp_path_factory, entries, draw, end, between):
    path = tmp_path_factory.getbasetemp() / 'any.idx'
    lines = [f'{key}{between}{offset}' for key, offset in entries.items()]
    draw.shuffle(lines)
    path.write_bytes((end.join(lines) + end * bool(lines)).encode())
    keys, offsets = read_index(path)
    assert dict(zip(keys.tolist(), offsets.tolist())) == entries and (np.diff(keys) > 0).all()
    if entries:
        path.write_bytes((end.join([*lines, lines[0]])).encode())
        with pytest.raises(FormatError, match='any.idx: key .* twice'):
            read_index(path)


@settings(max_examples=100)
@given(LABELS, st.binary(max_size=20), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_labels_of_any_length_come_back(labels, image, key, other):
    record = unpack(pack(labels, image, key, other))
    assert record.labels.tolist() == (labels if isinstance(labels, list) else [labels])
    assert (record.image, record.id, record.id2) == (image, key, other)
    assert record.flag == (len(labels) if isinstance(labels, list) else 0)
    first, found = label_and_image(pack(labels, image))
    assert (first, found) == (record.labels[0], image)


def test_an_image_record_that_is_cut_is_named_or_loses_only_its_image():
    for labels in (3, [1, 2, 3]):
        whole = pack(labels, b'image')
        for cut in range(len(whole)):
            try:
                record = unpack(whole[:cut])
            except FormatError:
                assert cut < len(whole) - 5
            else:
                assert cut >= len(whole) - 5 and record.labels.tolist() == np.atleast_1d(labels).tolist()
    with pytest.raises(FormatError, match='claims 4294967295 labels'):
        unpack(struct.pack('<IfQQ', 2**32 - 1, 0, 0, 0))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.booleans())
def test_any_training_set_comes_back(tmp_path_factory, counts, without_index):
    folder = tmp_path_factory.mktemp('set')
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    images = [MAGIC_BYTES * (number % 3) + b'image %d' % number for number in range(len(labels))]
    assert write_training_set(folder, zip(labels, images)) == (len(labels), len(counts))
    if without_index:
        os.unlink(folder / 'train.idx')
        with pytest.warns(UserWarning, match='scan'):
            records = open_training_set(folder)
    else:
        records = open_training_set(folder)
    table = read_table(records)
    assert table.labels.tolist() == labels and read_property(folder / 'property')[0] == len(counts)
    assert [unpack(records.read_position(place)).image for place in table.places] == images


@pytest.mark.parametrize('text', ['9' * 5000 + ',112,112', '1,2', '1,2,3,4', '1,2,1e3', '٣,112,112', '1,2,\ufeff3',
                                  f'{EXACT},1,1'])
def test_a_property_that_is_none_is_named(tmp_path, text):
    (tmp_path / 'property').write_text(text, encoding='utf-8')
    with pytest.raises(FormatError, match='property: expected one line'):
        read_property(tmp_path / 'property')


def test_an_index_that_names_one_byte_too_far_is_refused(tmp_path):
    with RecordWriter(tmp_path / 'a.rec', tmp_path / 'a.idx') as writer:
        offsets = [writer.write(bytes(size)) for size in (0, 1, 4, 5)]
    size = (tmp_path / 'a.rec').stat().st_size
    for offset in range(size + 12):
        (tmp_path / 'a.idx').write_text(f'0\t{offset}\n')
        if offset in offsets:
            assert IndexedRecords(tmp_path / 'a.rec').read_key(0) == bytes((0, 1, 4, 5)[offsets.index(offset)])
        else:
            with pytest.raises(FormatError, match='key 0'):
                IndexedRecords(tmp_path / 'a.rec').read_key(0)


def test_a_damaged_jpeg_is_refused_or_is_an_image():
    image = np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    data, out = encode(image, 60), np.empty((112, 112, 3), np.uint8)
    for copy in damaged_copies(data, 250, cuts=80):
        try:
            found = decode(copy)
            assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3
        except DecodeError as error:
            assert len(str(error).splitlines()) == 1
        try:
            assert decode_face(copy, (112, 112), out).shape == (112, 112, 3)
        except DecodeError:
            continue
        np.testing.assert_array_equal(out, decode(copy))
