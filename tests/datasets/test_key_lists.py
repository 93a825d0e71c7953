"""Lists of images to leave out, and the sets that take them."""
import numpy as np
import pytest

from mlaface.cli.data import main
from mlaface.datasets.archives.examine import Rules
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.key_lists import read_keys, stamped, write_keys
from mlaface.datasets.prepare.inspect import open_set
from mlaface.utils.errors import InputError, MissingDataError
from tests.datasets.archive_sets import converted, face, people
from tests.datasets.test_sets import build, jpeg, put, root  # noqa: F401, a fixture
from tests.zoo.server import Faults, serve


def test_any_key_is_read_as_it_was_written(tmp_path):
    keys = ['ann/1.jpg', '#1/a\nb.jpg', 'a\\n.jpg', 'tab\t/\r.jpg', 'Ärger 名/ß 1.JPG', '12', ' two  spaces ']
    write_keys(tmp_path / 'list', [*keys[:-1], (keys[-1], 'outlier\n0.31')], 'written by a test\nin two lines')
    assert read_keys(tmp_path / 'list') == keys
    assert (tmp_path / 'list').read_text().splitlines()[:2] == ['# written by a test', '# in two lines']
    assert ' two  spaces \t# outlier 0.31' in (tmp_path / 'list').read_text()


def test_lists_of_editors_are_read(tmp_path):
    (tmp_path / 'list').write_bytes(b'\xef\xbb\xbf# remark\r\n\r\n7\r\n7\n12\t# why')
    assert read_keys(tmp_path / 'list') == ['7', '12']
    (tmp_path / 'list').write_bytes(b'caf\xe9')
    with pytest.raises(FormatError, match='list is not UTF-8'):
        read_keys(tmp_path / 'list')


def test_records_are_left_out_and_keep_keys_and_classes(root):  # noqa: F811
    whole = build(data_root='set')
    assert [whole.key(index) for index in range(6)] == ['1', '2', '3', '4', '5', '6']
    write_keys(root / 'a', ['3', '5'])
    write_keys(root / 'b', ['6'])
    with pytest.warns(UserWarning, match='1 of 3 classes have no image'):
        some = build(data_root='set', num_classes=3, exclude=['a', root / 'b'])
    assert [some.key(index) for index in range(len(some))] == ['1', '2', '4'] and some.num_classes == 3
    np.testing.assert_array_equal(some[2]['images'], whole[3]['images'])
    remapped = build(data_root='set', remap_labels=True, exclude='a')
    assert remapped.metainfo == dict(num_classes=2, classes=('Ann', 'Cy')) and remapped[2]['labels'] == 1


def test_files_are_left_out_by_their_path_below_the_root(root):  # noqa: F811
    for name in ('ann/1.jpg', 'ann/2\n.jpg', 'bob/1.jpg'):
        put(root / 'people' / name, jpeg(0))
    write_keys(root / 'list', ['ann/2\n.jpg'])
    some = build('FolderFaces', data_root='people', exclude='list')
    assert [some.key(index) for index in range(2)] == ['ann/1.jpg', 'bob/1.jpg']


def test_a_list_of_files_that_a_folder_passes_over_is_its_own(root, recwarn):  # noqa: F811
    for name in ('ann/1.jpg', 'ann/2.heic', 'ann/3\n.heic', 'bob/1.jpg'):
        put(root / 'people' / name, jpeg(0))
    converted(root / 'people', root / 'packed', 'records')
    left_out = root / 'packed' / 'left_out.txt'
    assert read_keys(left_out) == ['ann/2.heic', 'ann/3\n.heic']
    recwarn.clear()
    assert len(build('FolderFaces', data_root='people', exclude=left_out)) == 2
    assert not any('not in' in str(warning.message) for warning in recwarn)
    left_out.write_text('cy/1.heic\n')
    with pytest.raises(InputError, match="none of its 1 keys, such as 'cy/1.heic', is in"):
        build('FolderFaces', data_root='people', exclude=left_out)


def test_a_list_of_another_set_is_refused(root):  # noqa: F811
    (root / 'list').write_text('ann/1.jpg\n')
    with pytest.raises(InputError, match="none of its 1 keys, such as 'ann/1.jpg', is in .*train.rec"):
        build(data_root='set', exclude='list')
    write_keys(root / 'list', ['1', '99'])
    with pytest.warns(UserWarning, match='1 of its 2 keys are not in'):
        build(data_root='set', exclude='list')
    write_keys(root / 'list', map(str, range(1, 7)))
    with pytest.raises(InputError, match='leave out all 6'):
        build(data_root='set', exclude='list')
    with pytest.raises(MissingDataError, match='no list of images to leave out at .*none.txt'):
        build(data_root='set', exclude='none.txt')


def test_a_slot_of_a_benchmark_has_a_key(root):  # noqa: F811
    write_bin(root / 'a.bin', [jpeg(i) for i in range(8)], [True, False] * 2)
    dataset = build('VerificationSets', sets=dict(first='a.bin', second='a.bin'), every=2)
    assert [dataset.key(index) for index in (0, 3, 4)] == ['first/0', 'first/5', 'second/0']


@pytest.mark.parametrize('layout', ['records', 'parquet'])
def test_a_list_of_numbers_says_whose_it_is(tmp_path, layout):
    pytest.importorskip('pyarrow')
    for name, counts in (('one', dict(ann=2, bob=3)), ('other', dict(ann=3, bob=2))):
        converted(people(tmp_path / f'{name}_people', counts), tmp_path / name, layout)
    whole = open_set(tmp_path / 'one')
    for number, keys in enumerate((['2'], ['2', '3'])):
        write_keys(tmp_path / f'{number}', keys, stamped('a list', tmp_path / 'one', whole))
    some = open_set(tmp_path / 'one', exclude=str(tmp_path / '0'))
    assert len(some) == 4 and some.stamp() == whole.stamp(), 'what lists leave out changes nothing'
    line = f'# set: {whole.stamp()}, {tmp_path / "one"}'
    assert (tmp_path / '1').read_text().splitlines() == ['# a list', line, '2', '3']
    with pytest.raises(InputError, match=r'/1 is a list of .*/one \(5 images.*, and .*/other.* is another set'):
        open_set(tmp_path / 'other', exclude=str(tmp_path / '1'))
    own = f'# set: {open_set(tmp_path / "other").stamp()}, here\n2\n'
    (tmp_path / 'joined').write_text(own + (tmp_path / '1').read_text())
    with pytest.raises(InputError, match=r'/joined is a list of .*/one \(5 images'):
        open_set(tmp_path / 'other', exclude=str(tmp_path / 'joined'))
    (tmp_path / 'older').write_text('2\n')
    assert len(open_set(tmp_path / 'other', exclude=str(tmp_path / 'older'))) == 4


def test_a_list_of_names_needs_no_stamp(tmp_path):
    faces = open_set(people(tmp_path / 'people', dict(ann=1)))
    assert stamped('a list', tmp_path, faces) == 'a list'


@pytest.mark.parametrize('layout', ['records', 'parquet'])
def test_what_a_copy_left_out_is_a_list_of_the_set_wherever_it_lies(tmp_path, monkeypatch, layout):
    pytest.importorskip('aiohttp')
    pytest.importorskip('pyarrow')
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    for name, torn in (('one', ('ann/1', 'bob/0')), ('other', ('ann/0',))):
        folder = people(tmp_path / f'{name}_people', dict(ann=3, bob=2 + len(torn)))
        for image in torn:
            (folder / f'{image}.a.jpg').write_bytes(face(77)[:-200])
        converted(folder, tmp_path / name, layout, rules=Rules(decode=False))
    first, joined, bare = (tmp_path / name for name in ('left_out.txt', 'joined.txt', 'bare.txt'))
    assert converted(tmp_path / 'one', tmp_path / 'copy', 'tar')['left_out'] == {'damaged': 2}
    whole = open_set(tmp_path / 'one')
    text = (tmp_path / 'copy' / 'left_out.txt').read_bytes()
    assert text.decode().splitlines()[:2] == [f'# images of {tmp_path / "one"} that were left out',
                                              f'# set: {whole.stamp()}, {tmp_path / "one"}']
    first.write_bytes(text.replace(b'\n', b'\r\n'))
    write_keys(bare, [whole.key(0)], stamped('one more', 'elsewhere', whole))
    joined.write_bytes(first.read_bytes() + bare.read_bytes())
    (tmp_path / 'one').rename(tmp_path / 'moved')
    places = [tmp_path / 'moved']
    files = {f'/set/{file.relative_to(places[0]).as_posix()}': file.read_bytes()
             for file in places[0].rglob('*') if file.is_file()}
    with serve(files, Faults()) as address:
        places.append(f'{address}/set' + ('/data/train-00000.parquet' if layout == 'parquet' else ''))
        for place in places:
            for file, left in ((first, 5), (joined, 4)):
                some = open_set(place, exclude=[str(file)])
                assert len(some) == left and some.stamp() == whole.stamp()
        (tmp_path / 'list').write_text(f'# set: {open_set(places[1]).stamp()}, there\n{whole.key(0)}\n')
    assert len(open_set(places[0], exclude=str(tmp_path / 'list'))) == 6, 'made over the store'
    with pytest.raises(SystemExit) as end:
        main(['convert', str(tmp_path / 'other'), str(tmp_path / 'out'), '--to', 'tar', '--exclude', str(joined)])
    line = str(end.value.code)
    assert f'is a list of {tmp_path / "one"} (7 images' in line and f'{tmp_path / "other"}' in line and '\n' not in line
    assert not (tmp_path / 'out').exists()
