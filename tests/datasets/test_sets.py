"""Data sets, collation and transforms."""
import os
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mlaface.datasets.collate import collate_images
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import pack
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import decode, encode
from mlaface.datasets.formats.record_writer import RecordWriter
from mlaface.registry import DATASETS, TRANSFORMS
from mlaface.utils.errors import UserError

LABELS = (0, 0, 1, 2, 2, 2)

OURS = [name for name in TRANSFORMS.names() if not name.endswith('.*')]  # others are families of other libraries


def jpeg(number, size=(112, 112)):
    return encode(np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8))


def build(kind='RecordFaces', **arguments):
    return DATASETS.build(dict(type=kind, **arguments))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    write_training_set(tmp_path / 'set', ((label, jpeg(key)) for key, label in enumerate(LABELS)),
                       names=['Ann', 'Bea', 'Cy'])
    return tmp_path


def test_samples_classes_and_batches(root):
    dataset = build(data_root='set', num_classes=3)
    assert dataset.metainfo == dict(num_classes=3, classes=('Ann', 'Bea', 'Cy'))
    for index, label in enumerate(LABELS):
        sample = dataset[index + 2 * len(dataset)]
        assert sample['labels'] == label
        np.testing.assert_array_equal(sample['images'], decode(jpeg(index)).transpose(2, 0, 1))
    batch = collate_images(dataset.__getitems__([4, 0]))
    assert batch['images'].shape == (2, 3, 112, 112) and batch['labels'].dtype == torch.int64
    single = collate_images([dataset[4], dataset[0]])
    assert all(torch.equal(batch[key], single[key]) for key in batch)


def test_iteration_ends_after_one_epoch(root):
    assert [sample['labels'] for sample in build(data_root='set')] == list(LABELS)


@pytest.mark.parametrize('text, names', [
    (b'\xef\xbb\xbfAnn\r\nBea\r\nCy\r\n', ('Ann', 'Bea', 'Cy')),
    ('Ann\u2028A\nBea\nCy'.encode(), ('Ann\u2028A', 'Bea', 'Cy')),
    (b'Ann\nBea\n', 'names 2 classes'), (b'Ann\nB\xff\nCy\n', 'not UTF-8')])
def test_class_names_are_lines_of_utf8(root, text, names):
    (root / 'set' / 'classes.txt').write_bytes(text)
    if isinstance(names, tuple):
        assert build(data_root='set').metainfo['classes'] == names
        return
    with pytest.raises(UserError, match=f'classes.txt.*{names}'):
        build(data_root='set')


def test_augmentation_is_a_function_of_seed_epoch_and_index(root):
    transforms = [dict(type=name, prob=0.7) for name in OURS]
    dataset = build(data_root='set', transforms=transforms, seed=5)
    batch = dataset.__getitems__(range(12))['images']
    for workers in (0, 2):
        loaded = next(iter(DataLoader(dataset, batch_size=12, sampler=range(11, -1, -1), num_workers=workers,
                                      collate_fn=collate_images)))['images'].numpy()[::-1]
        np.testing.assert_array_equal(loaded, batch)
    assert (batch[:6] != batch[6:]).any()
    other = build(data_root='set', transforms=transforms, seed=6)
    assert (other.__getitems__(range(12))['images'] != batch).any()


@pytest.mark.parametrize('name', OURS)
def test_transforms_keep_the_kind_of_image_and_the_original(name):
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    before = image.copy()
    for seed in range(8):
        out = TRANSFORMS.build(dict(type=name, prob=1.0))(image, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.uint8 and (out != image).any()
    np.testing.assert_array_equal(image, before)
    assert TRANSFORMS.build(dict(type=name, prob=0.0))(image, np.random.default_rng(0)) is image
    with pytest.raises(ValueError, match='prob'):
        TRANSFORMS.build(dict(type=name, prob=1.5))


def test_a_stated_number_of_classes_is_checked(root):
    with pytest.raises(ValueError, match='num_classes=4.*3 classes'):
        build(data_root='set', num_classes=4)
    assert build(data_root='set', num_classes=[4, 3]).num_classes == 3
    with pytest.raises(ValueError, match=r'num_classes=\[4, 5\].*3 classes'):
        build(data_root='set', num_classes=[4, 5])


def test_missing_data_says_where_and_how(root):
    with pytest.raises(FileNotFoundError, match='ms1mv3/train.rec.*holds set.*How to get ms1mv3'):
        build(data_root='ms1mv3')
    with pytest.raises(FileNotFoundError, match='(?s)lfw.bin.*agedb_30.bin'):
        build('VerificationSets', data_root='none', sets=['lfw', 'agedb_30'])


def write_records(path, payloads):
    with RecordWriter(path / 'train.rec', path / 'train.idx') as writer:
        for payload in payloads:
            writer.write(payload)


def test_bad_images_stop_or_are_skipped_and_counted(root):
    write_records(root / 'bad', [pack(0, jpeg(0)), pack(1, jpeg(1)[:2000]), pack(1, jpeg(2))])
    with pytest.raises(FormatError, match='key 1'):
        build(data_root='bad')[1]
    dataset = build(data_root='bad', on_bad_image='skip')
    np.testing.assert_array_equal(dataset[1]['images'], dataset[2]['images'])
    assert dataset.bad_images == 1
    write_records(root / 'worse', [pack(0, b'no image'), pack(0, b'nor this')])
    with pytest.raises(FormatError):
        build(data_root='worse', on_bad_image='skip')[0]


def test_an_image_of_another_size_is_named(root):
    write_records(root / 'small', [pack(0, jpeg(0, (96, 112)))])
    with pytest.raises(FormatError, match='key 0.*96x112'):
        build(data_root='small')[0]


def test_empty_classes_warn_and_can_be_left_out(root):
    write_records(root / 'gap', [pack(1, jpeg(0)), pack(3, jpeg(1))])
    with pytest.warns(UserWarning, match='2 of 4 classes have no image'):
        assert build(data_root='gap').num_classes == 4
    dataset = build(data_root='gap', remap_labels=True)
    assert dataset.metainfo == dict(num_classes=2, classes=('1', '3')) and dataset[1]['labels'] == 1


def test_folders_of_identities(root):
    for name, count in (('bob', 2), ('ann', 1)):
        (root / 'people' / name).mkdir(parents=True)
        for number in range(count):
            (root / 'people' / name / f'{number}.jpg').write_bytes(jpeg(number))
    dataset = build('FolderFaces', data_root='people')
    assert dataset.metainfo['classes'] == ('ann', 'bob') and [dataset[i]['labels'] for i in range(3)] == [0, 1, 1]
    (root / 'people' / 'bob' / '1.jpg').write_bytes(b'')
    with pytest.raises(FormatError, match='bob/1.jpg'):
        dataset[2]


def put(path, data=b'no image'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_folders_hold_more_than_images(root):
    people = root / 'people'
    for name in ('Ärger 名/ß 1.JPG', 'ann/2.png', 'ann/1.jpg', 'ann/notes.txt', 'ann/._1.jpg', 'ann/more.jpg/3.jpg',
                 '.git/4.jpg', 'empty/readme', '5.jpg'):
        put(people / name)
    (people / 'ann' / '0.jpg').symlink_to(people / 'nowhere.jpg')
    (people / 'twin').symlink_to(people / 'ann')
    with pytest.warns(UserWarning, match=r'1 of 4 folders hold no image \(empty\)'):
        dataset = build('FolderFaces', data_root='people')
    assert dataset.metainfo['classes'] == ('ann', 'empty', 'twin', 'Ärger 名')
    assert [dataset.where(i)[len(str(people)) + 1:] for i in range(len(dataset))] == [
        'ann/0.jpg', 'ann/1.jpg', 'ann/2.png', 'twin/0.jpg', 'twin/1.jpg', 'twin/2.png', 'Ärger 名/ß 1.JPG']
    with pytest.raises(FormatError, match='ann/0.jpg cannot be read'):
        dataset[0]
    with pytest.warns(UserWarning, match='2 of 4'):
        assert len(build('FolderFaces', data_root='people', suffixes=['.PNG'])) == 2


@pytest.mark.parametrize('image, found', [
    ('1.jpg', r'no level of identities: expected is \S*/people/IDENTITY/IMAGE, found is \S*/people/IMAGE'),
    ('train/ann/1.jpg', r'deeper level: .*found is \S*/IDENTITY/FOLDER/IMAGE.*data_root to \S*/people/train if'),
    ('ann/a/b/1.jpg', 'found is .*/IDENTITY/FOLDER/FOLDER/IMAGE'), ('ann/1.txt', 'holds no image: expected')])
def test_images_on_another_level_are_told_which_was_expected_and_which_found(root, image, found):
    put(root / 'people' / 'empty' / 'readme')
    put(root / 'people' / image)
    with pytest.raises(FormatError, match=found):
        build('FolderFaces', data_root='people')


@pytest.mark.skipif(os.name == 'nt' or sys.platform == 'darwin', reason='names of files are Unicode there')
def test_folder_names_that_are_no_text_are_named(root):
    put(root / 'people' / os.fsdecode(b'caf\xe9') / '1.jpg')
    with pytest.raises(FormatError, match=r'people: none of its images.*caf\\xe9: its name is not UTF-8: rename'):
        build('FolderFaces', data_root='people')


def test_verification_sets_stand_one_behind_the_other(root):
    write_bin(root / 'a.bin', [jpeg(i) for i in range(4)], [True, False])
    write_bin(root / 'b.bin', [jpeg(i) for i in range(2)], [True])
    dataset = build('VerificationSets', sets=dict(first='a.bin', second='b.bin'))
    second = dataset.metainfo['benchmarks']['second']
    assert (second['start'], second['images'], second['issame'].tolist()) == (4, 2, [True])
    assert dataset[5]['index'] == 5
    np.testing.assert_array_equal(dataset[5]['images'], dataset[1]['images'])
    assert dataset.images[5] and dataset.where(5).endswith('b.bin, image 1')


def test_a_damaged_image_of_a_verification_set_cannot_be_left_out(root):
    write_bin(root / 'a.bin', [jpeg(0), jpeg(1)[:200]], [True])
    with pytest.raises(FormatError, match='a.bin, image 1: .*a pair cannot be left out') as caught:
        build('VerificationSets', sets=['a'])[1]
    assert 'skip' not in str(caught.value)


def test_no_verification_set_is_no_data_set(root):
    with pytest.raises(ValueError, match='sets'):
        build('VerificationSets', sets=[])


def test_real_faces_open(faces_small):
    dataset = build(data_root=str(faces_small))
    assert (len(dataset), dataset.num_classes) == (7870, 419)
    benchmarks = build('VerificationSets', data_root=str(faces_small), sets=['dev_lfw', 'dev_lowres']).metainfo
    assert [entry['issame'].sum() for entry in benchmarks['benchmarks'].values()] == [750, 500]


def test_every_nth_pair_of_a_set(faces_small):
    options = dict(data_root=str(faces_small), sets=['dev_lfw', 'dev_lowres'])
    whole, some = build('VerificationSets', **options), build('VerificationSets', every=5, **options)
    for name, entry in some.metainfo['benchmarks'].items():
        full = whole.metainfo['benchmarks'][name]
        assert entry['images'] * 5 == full['images'] and (entry['issame'] == full['issame'][::5]).all()
        for pair in (0, 7):
            for side in (0, 1):
                assert some.images[entry['start'] + 2 * pair + side] is not None
                assert some.images[entry['start'] + 2 * pair + side] == whole.images[full['start'] + 10 * pair + side]
    assert some.where(15) == f'{faces_small / "dev_lfw.bin"}, image 71'
    with pytest.raises(ValueError, match='every=0'):
        build('VerificationSets', every=0, **options)
