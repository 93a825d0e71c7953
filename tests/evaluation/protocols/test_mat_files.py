"""MATLAB lists: scipy reads what is whole; a damaged one, which ends its process, never comes to it."""
import struct
import subprocess
import sys

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mlaface.datasets.formats.errors import FormatError
from mlaface.evaluation.protocols import agedb, lists, mat_file, tinyface
from mlaface.evaluation.protocols.mat_file import check_mat
from tests.damage import check_refusals, damaged_copies


def cells(*values):
    column = np.empty((len(values), 1), object)
    column[:, 0] = values
    return column


def fold(pairs, labels):
    sides = np.empty((2, pairs), object)
    sides[:] = 'x'
    return dict(images=sides, labels=np.int8(labels))


FILES = dict(agedb=(dict(splits=cells(fold(2, [1, -1]), fold(2, [1, 0]))), agedb.read_splits),
             tinyface=(dict(probe_set=cells('a.jpg', 'b.jpg', 'ä.jpg'), probe_ids=np.array([[1.], [2], [3]])),
                       lambda path: tinyface.read_list(path, 'probe')))


def written(path, content, **options):
    savemat(path, content, **options)
    return path.read_bytes()


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('kind', FILES)
def test_a_damaged_list_is_named_and_the_process_lives(kind, compressed, tmp_path):
    content, read = FILES[kind]
    data = written(tmp_path / 'list.mat', content, do_compression=compressed)
    whole = read(tmp_path / 'list.mat')
    assert whole[0][0] in ('x', 'a.jpg')
    copies = damaged_copies(data, 250, cuts=60)
    assert check_refusals(tmp_path / 'list.mat', copies, read) < len(copies) / 2


LETHAL = """
import sys
from scipy.io import loadmat
try:
    loadmat(sys.argv[1])
except Exception:
    pass
"""


def test_scipy_alone_does_not_live(tmp_path):
    """Why the structure is looked at first: one byte, the type of an element, ends the process that reads it."""
    data = bytearray(written(tmp_path / 'list.mat', FILES['tinyface'][0]))
    data[305] ^= 4
    (tmp_path / 'list.mat').write_bytes(data)
    with pytest.raises(ValueError, match=r'list.mat cannot be read as a MATLAB file of version 5: .*byte'):
        lists.read_mat(tmp_path / 'list.mat', ('probe_set',))
    done = subprocess.run([sys.executable, '-c', LETHAL, tmp_path / 'list.mat'], timeout=60, check=False)
    if done.returncode >= 0:
        pytest.skip('this version of scipy survives it')


CONTENTS = dict(
    text='Zoë', texts=np.array(['ab', 'cd']), empty_text='', number=3, row=np.arange(5),
    bytes=np.uint8([[1, 2], [3, 4]]),
    many=np.zeros((2, 3, 4), np.int16), truth=np.array([True, False]), half=np.float32(1.5), complex=np.array([2j]),
    nothing=np.empty((0, 0)), no_cells=np.empty((0, 3), object), cells=cells('a', 1, cells('b', np.empty((0, 0)))),
    record=dict(a=1, b='x', c=cells('y')), records=np.array([(1, 'a'), (2, 'b')], [('n', object), ('t', object)]),
    small=np.int8([[1, 2, 3, 4]]), five=np.int8([[1, 2, 3, 4, 5]]), long=np.uint64([1 << 63]))


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('oned_as', ['row', 'column'])
def test_all_that_scipy_writes_of_plain_values_passes(tmp_path, compressed, oned_as):
    for name, value in CONTENTS.items():
        check_mat(written(tmp_path / 'a.mat', {name: value}, do_compression=compressed, oned_as=oned_as))
    check_mat(written(tmp_path / 'a.mat', CONTENTS, do_compression=compressed))
    found = lists.read_mat(tmp_path / 'a.mat', ('text', 'row'))
    assert found[0].item() == 'Zoë' and found[1].ravel().tolist() == [0, 1, 2, 3, 4]


def big_endian(values):
    """A file of another machine, by hand: one array of doubles ``v``."""
    def element(kind, body):
        return struct.pack('>II', kind, len(body)) + body + bytes(-len(body) % 8)
    array = element(6, struct.pack('>II', 6, 0)) + element(5, struct.pack('>ii', 1, len(values)))
    array += element(1, b'v') + element(9, struct.pack(f'>{len(values)}d', *values))
    return b'MATLAB 5.0'.ljust(124) + struct.pack('>HH', 0x0100, 0x4D49) + element(14, array)


def test_files_of_either_byte_order_pass(tmp_path):
    (tmp_path / 'a.mat').write_bytes(big_endian([1.5, -2]))
    assert lists.read_mat(tmp_path / 'a.mat', ('v',))[0].tolist() == [[1.5, -2]]
    wrong = big_endian([1.5, -2, 3]).replace(struct.pack('>ii', 1, 3), struct.pack('>ii', 1, 2))
    with pytest.raises(FormatError, match='24 bytes where 2 numbers of 8'):
        check_mat(wrong)


@pytest.mark.parametrize('number', [2.5, float('nan'), float('inf'), 1e300])
def test_an_identity_that_is_no_whole_number_is_refused(tmp_path, number):
    savemat(tmp_path / 'a.mat', dict(probe_set=cells('a.jpg', 'b.jpg'), probe_ids=np.array([[1.], [number]])))
    with pytest.raises(ValueError, match=r'a.mat is not a list .*no whole number'):
        tinyface.read_list(tmp_path / 'a.mat', 'probe')


@pytest.mark.parametrize('content, words', [
    (b'', 'does not begin'), (b'PK\3\4' * 100, 'does not begin'), (b'\x89HDF\r\n\x1a\n'.ljust(200), 'does not begin')])
def test_what_is_no_such_file_is_said(content, words):
    with pytest.raises(FormatError, match=words):
        check_mat(content)


def test_a_part_that_unpacks_to_more_than_any_list_is_refused(tmp_path, monkeypatch):
    data = written(tmp_path / 'a.mat', dict(a=np.zeros(10 ** 6)), do_compression=True)
    assert len(data) < 10 ** 4
    check_mat(data)
    monkeypatch.setattr(mat_file, 'LARGEST', 10 ** 5)
    with pytest.raises(FormatError, match='cut off, or larger than 100,000 bytes'):
        check_mat(data)


def test_arrays_within_arrays_have_an_end(tmp_path):
    value = 'x'
    for _ in range(mat_file.DEEPEST + 2):
        value = cells(value)
    with pytest.raises(FormatError, match='within each other'):
        check_mat(written(tmp_path / 'a.mat', dict(a=value)))


def test_sparse_arrays_and_functions_are_no_lists(tmp_path):
    from scipy.sparse import eye_array
    data = written(tmp_path / 'a.mat', dict(a=eye_array(3).tocsc()))
    assert loadmat(tmp_path / 'a.mat')['a'].shape == (3, 3)
    with pytest.raises(FormatError, match='class 5'):
        check_mat(data)
