"""Sets in every layout: packed, converted, trained on, and left out of."""
import json
import multiprocessing
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mlaface.datasets.archives.convert import LAYOUTS
from mlaface.datasets.archives.examine import Rules
from mlaface.datasets.collate import collate_images
from mlaface.datasets.formats.bin_set import read_bin, write_bin
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.formats.tar_member import member
from mlaface.datasets.key_lists import write_keys
from mlaface.datasets.prepare.inspect import open_set
from mlaface.utils.errors import InputError
from mlaface.utils.executors.local import LocalExecutor
from tests.datasets.archive_sets import PEOPLE, content, converted, face, people

TRAINED = ('records', 'tar', 'lmdb', 'parquet', 'im2rec', 'folder')


@pytest.fixture(scope='module', autouse=True)
def _packages():
    pytest.importorskip('lmdb')
    pytest.importorskip('pyarrow')


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    return people(tmp_path_factory.mktemp('archives') / 'people')


@pytest.fixture(scope='module')
def sets(source):
    """The same set in every layout that can be trained on."""
    for layout in TRAINED:
        converted(source, source.parent / layout, layout)
    return {layout: open_set(source.parent / layout) for layout in TRAINED}


def content_of(dataset):
    """Classes, labels and images, in the order of the classes' names."""
    names = dataset.metainfo['classes']
    return sorted((names[dataset.labels[index]], dataset.encoded(index)[1]) for index in range(len(dataset)))


@pytest.mark.parametrize('layout', TRAINED)
def test_every_layout_holds_the_same(source, sets, layout):
    assert content_of(sets[layout]) == content_of(open_set(source))
    assert sets[layout].metainfo['classes'] == tuple(sorted(PEOPLE)) and sets[layout].num_classes == 4


@pytest.mark.parametrize('first', TRAINED)
@pytest.mark.parametrize('second', TRAINED)
def test_any_layout_comes_of_any_other(tmp_path, sets, first, second):
    converted(sets[first].root, tmp_path / 'set', second)
    assert content_of(open_set(tmp_path / 'set')) == content_of(sets[second])


@pytest.mark.parametrize('layout', ['tar', 'lmdb'])
def test_names_of_files_come_back(tmp_path, source, sets, layout):
    converted(sets[layout].root, tmp_path / 'again', 'folder')
    found = content(tmp_path / 'again')
    assert found.pop('summary.json') and found == content(source)


@pytest.fixture(scope='module')
def long_named(tmp_path_factory):
    """Names as long as a file system takes, so that identity and image are more than a key of LMDB holds."""
    folder = tmp_path_factory.mktemp('long') / 'people'
    for number, name in enumerate(['名' * 83, '名' * 82 + '字', 'Ann']):
        (folder / name).mkdir(parents=True)
        for image in range(2):
            (folder / name / f'{"面" * 83}{image}.jpg').write_bytes(face(2 * number + image))
    return folder


@pytest.mark.parametrize('layout', ['tar', 'lmdb', 'im2rec'])
def test_long_names_come_back(tmp_path, long_named, layout):
    converted(long_named, tmp_path / 'set', layout)
    dataset = open_set(tmp_path / 'set')
    assert content_of(dataset) == content_of(open_set(long_named))
    if layout != 'im2rec':  # records have no names
        converted(tmp_path / 'set', tmp_path / 'again', 'folder')
        found = content(tmp_path / 'again')
        assert found.pop('summary.json') and found == content(long_named)
        write_keys(tmp_path / 'list', [dataset.key(4), dataset.key(1)])
        assert len(open_set(tmp_path / 'set', exclude=str(tmp_path / 'list'))) == 4


def test_lmdb_with_long_keys_is_read_as_before(tmp_path, long_named):
    import lmdb
    converted(long_named, tmp_path / 'set', 'lmdb')
    with lmdb.open(str(tmp_path / 'set'), readonly=True, lock=False) as environment, environment.begin() as transaction:
        keys = list(transaction.cursor().iternext(values=False))
    assert max(map(len, keys)) <= 511 and keys[-1] == b'__names__'
    identities = [key.decode().split('/')[1] for key in keys[:6]]
    assert len(set(identities)) == 3 and identities[0].startswith('Ann') and all(len(key) > 200 for key in keys[2:6])


def test_records_are_those_of_insightface(tmp_path, source, sets):
    faces = open_set(source)
    write_training_set(tmp_path / 'set', ((int(faces.labels[index]), faces.encoded(index)[1]) for index in range(11)),
                       names=faces.metainfo['classes'])
    found = content(sets['records'].root if sets['records'].root.is_dir() else sets['records'].root.parent)
    assert json.loads(found.pop('summary.json'))['header'] and found == content(tmp_path / 'set')


def test_a_shuffled_set_is_in_the_order_of_its_seed(tmp_path, source):
    orders = []
    for name, seed in (('a', 1), ('b', 1), ('c', 2)):
        assert not converted(source, tmp_path / name, 'records', shuffle=seed)['header']
        orders.append(open_set(tmp_path / name).labels.tolist())
    assert content(tmp_path / 'a') == content(tmp_path / 'b') and orders[0] != orders[2] != sorted(orders[2])
    expected = open_set(source).labels[np.random.default_rng(1).permutation(11)]
    for layout in ('tar', 'lmdb', 'im2rec', 'parquet'):
        converted(source, tmp_path / layout, layout, shuffle=1)
        assert open_set(tmp_path / layout).labels.tolist() == expected.tolist() == orders[0]


def test_webdataset_reads_the_shards(sets):
    """By what its documentation says of a shard: members of one key stand together, and dots end a key."""
    with tarfile.open(sets['tar'].archive.shards[0]) as file:
        names = file.getnames()
        labels = [int(file.extractfile(name).read()) for name in names if name.endswith('.cls')]
    assert names[:2] == ['0_0_0000001/0%2Ea.jpg', '0_0_0000001/0%2Ea.cls'] and labels == sets['tar'].labels.tolist()
    assert [sets['tar'].key(index) for index in range(2)] == ['0_0_0000001/0%2Ea', '0_0_0000001/1%2Ea']


@pytest.mark.parametrize('name', ['a/b.jpg', 'n' * 100, 'n' * 101, 'a/' * 80 + 'x.cls', 'Ärger 名/ß.jpg', '%2E', 'a b'])
@pytest.mark.parametrize('size', [0, 1, 511, 512, 513])
def test_members_are_those_of_python(name, size):
    head = tarfile.TarInfo(name)
    head.size = size
    begin = head.tobuf(tarfile.PAX_FORMAT, 'utf-8', 'surrogateescape')
    assert member(name, b'x' * size) == (begin + b'x' * size + bytes(-size % 512), len(begin))


def test_shards_end_at_their_size(tmp_path, source):
    assert converted(source, tmp_path / 'set', 'tar', options=dict(shard_size=5000))['shards'] > 2
    dataset = open_set(tmp_path / 'set')
    assert content_of(dataset) == content_of(open_set(source))
    assert dataset.archive.shard_of(10).name > dataset.archive.shard_of(0).name


@pytest.mark.parametrize('layout', TRAINED)
def test_draws_workers_and_pickles_give_the_same(sets, layout):
    dataset = sets[layout]
    batch = dataset.__getitems__([14, 0, 5])
    np.testing.assert_array_equal(batch['images'][0], decode(dataset.encoded(3)[1]).transpose(2, 0, 1))
    assert pickle.loads(pickle.dumps(dataset))[5]['labels'] == dataset.labels[5]
    check_loader(dataset, batch, 'fork')


@pytest.mark.parametrize('layout', TRAINED)
def test_workers_of_one_of_two_sets_over_one_file(sets, layout):
    dataset, other = sets[layout], open_set(sets[layout].root)
    assert other.encoded(0)[1] == dataset.encoded(0)[1]
    check_loader(dataset, dataset.__getitems__([14, 0, 5]), 'fork')
    assert other.encoded(1)[1] == dataset.encoded(1)[1]


def check_loader(dataset, batch, context):
    loader = DataLoader(dataset, 3, sampler=[14, 0, 5, 3, 0, 5], num_workers=2, collate_fn=collate_images,
                        multiprocessing_context=multiprocessing.get_context(context))
    assert all(torch.equal(found['images'], torch.as_tensor(batch['images'])) for found in loader)


@pytest.mark.slow
@pytest.mark.parametrize('layout', TRAINED)
def test_spawned_workers_give_the_same(sets, layout):
    check_loader(sets[layout], sets[layout].__getitems__([14, 0, 5]), 'spawn')


@pytest.mark.parametrize('layout', TRAINED)
def test_lists_leave_images_out(tmp_path, sets, layout):
    dataset = sets[layout]
    write_keys(tmp_path / 'list', [dataset.key(4), dataset.key(9)])
    some = open_set(dataset.root, exclude=[tmp_path / 'list'])
    left = [index for index in range(11) if index not in (4, 9)]
    assert [some.key(index) for index in range(9)] == [dataset.key(index) for index in left]
    assert [some.encoded(index) for index in range(9)] == [dataset.encoded(index) for index in left]
    converted(dataset.root, tmp_path / 'packed', 'tar', exclude=[tmp_path / 'list'])
    assert content_of(open_set(tmp_path / 'packed')) == content_of(some)


def test_pairs_go_through_every_layout_and_back(tmp_path):
    images = [face(number) for number in (0, 1, 2, 3, 2, 4)]
    write_bin(tmp_path / 'a.bin', images, [True, False, False])
    for layout in TRAINED:
        converted(tmp_path / 'a.bin', tmp_path / layout, layout)
        converted(tmp_path / layout, tmp_path / f'{layout}.bin', 'bin')
        assert read_bin(tmp_path / f'{layout}.bin').images == images
        assert (tmp_path / f'{layout}.bin').read_bytes() == (tmp_path / 'a.bin').read_bytes()
    assert (tmp_path / 'folder' / '000001_different' / '0.jpg').read_bytes() == images[2]
    with pytest.raises(InputError, match="class '0_0_0000001' is none"):
        converted(people(tmp_path / 'people'), tmp_path / 'b.bin', 'bin')


def test_what_is_no_jpeg_becomes_one_and_what_is_stays(tmp_path, source):
    from tests.datasets.archive_sets import png
    (tmp_path / 'in' / 'ann').mkdir(parents=True)
    (tmp_path / 'in' / 'ann' / '1.png').write_bytes(png(7))
    (tmp_path / 'in' / 'ann' / '1.jpg').write_bytes(face(1))
    converted(tmp_path / 'in', tmp_path / 'out', 'tar', rules=Rules((112, 112), 95))
    dataset = open_set(tmp_path / 'out')
    assert dataset.encoded(0)[1] == face(1) and dataset.encoded(1)[1][:2] == b'\xff\xd8'
    assert abs(decode(dataset.encoded(1)[1]).astype(int) - 7).max() < 2
    assert [dataset.key(index) for index in range(2)] == ['ann/1', 'ann/1~1']


@pytest.mark.parametrize('layout, pieces', [
    ('tar', {}), ('folder', {}), ('parquet', {}), ('tar', dict(executor=LocalExecutor(processes=1), piece_size=2))])
def test_names_that_come_again_do_not_meet_another(tmp_path, layout, pieces):
    from tests.datasets.archive_sets import png
    (tmp_path / 'in' / 'ann').mkdir(parents=True)
    kept = {'1.jpg': face(1), '1.png': png(7), '1~1.jpg': face(2), '1~1~.jpg': face(3)}
    for name, data in kept.items():
        (tmp_path / 'in' / 'ann' / name).write_bytes(data)
    converted(tmp_path / 'in', tmp_path / 'out', layout, **pieces)
    dataset = open_set(tmp_path / 'out')
    assert sorted(dataset.encoded(index)[1] for index in range(len(dataset))) == sorted(kept.values())
    assert len({dataset.name(index) for index in range(len(dataset))}) == 4


@pytest.mark.parametrize('layout', LAYOUTS)
def test_a_set_that_is_there_is_not_written_over(tmp_path, source, layout):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'precious').touch()
    with pytest.raises(InputError, match='out is there already'):
        converted(source, tmp_path / 'out', layout)
    assert os.listdir(tmp_path / 'out') == ['precious']


def test_labels_beside_records_are_believed_only_if_they_fit(tmp_path, source):
    converted(source, tmp_path / 'set', 'records', shuffle=1)
    beside = tmp_path / 'set' / 'train.labels.npy'
    labels = np.load(beside)
    own = open_set(tmp_path / 'set').labels
    np.testing.assert_array_equal(labels, own)
    for wrong in (labels[::-1], labels[:5], labels.astype(np.int64)):
        np.save(beside, wrong)
        with pytest.warns(UserWarning, match='train.labels.npy does not fit'):
            np.testing.assert_array_equal(open_set(tmp_path / 'set').labels, own)
    beside.write_bytes(b'\x93NUMPY')
    with pytest.warns(UserWarning, match='train.labels.npy does not fit'):
        np.testing.assert_array_equal(open_set(tmp_path / 'set').labels, own)
