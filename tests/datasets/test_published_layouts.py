"""Sets in the form in which they were given out, generated: each is opened, packed and comes back."""
import io
import json
import tarfile

import numpy as np
import pytest

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import pack
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.record_writer import RecordWriter
from mlaface.datasets.prepare.inspect import open_set
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.executors.local import LocalExecutor
from tests.datasets.archive_sets import content, converted, face, people, table_row


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def found(path):
    """Class, key and image of each sample."""
    dataset = open_set(path)
    names = dataset.metainfo['classes']
    return [(names[dataset.labels[index]], dataset.key(index), dataset.encoded(index)[1])
            for index in range(len(dataset))]


def packed(tmp_path, path):
    """The images by class of a set after it went through records and folders."""
    converted(path, tmp_path / 'packed', 'records', shuffle=0)
    converted(tmp_path / 'packed', tmp_path / 'unpacked', 'folder')
    files = content(tmp_path / 'unpacked')
    files.pop('summary.json')
    return sorted((name.partition('/')[0], data) for name, data in files.items())


def images_of(samples):
    return sorted((person, data) for person, _, data in samples)


def test_ms_celeb_1m(tmp_path):
    table = tmp_path / 'FaceImageCroppedWithAlignment.tsv'
    table.write_text(table_row('m.0107_f', 1, 0, face(1)) + table_row('m.01', 5, 0, face(2, (97, 104)))
                     + table_row('m.0107_f', 1, 1, face(3)))
    samples = found(table)
    assert samples == [('m.0107_f', 'm.0107_f/1-FaceId-0', face(1)), ('m.01', 'm.01/5-FaceId-0', face(2, (97, 104))),
                       ('m.0107_f', 'm.0107_f/1-FaceId-1', face(3))]
    assert packed(tmp_path, table) == images_of(samples)
    whole = tmp_path / 'MsCelebV1-ImageThumbnails.tsv'
    whole.write_text(table_row('m.01', 5, 0, face(2), name='Ann'))
    assert found(whole) == [('m.01', 'm.01/5', face(2))]


@pytest.mark.parametrize('text, message', [
    ('m.01\t1\turl\n', 'line 1: 3 columns'), ('', 'holds no line'),
    (table_row('m.01', 1, 0, face(1))[:-20] + '!' + '\n', 'image 0: its last column is not base64')])
def test_a_table_that_is_none_is_named(tmp_path, text, message):
    (tmp_path / 'a.tsv').write_text(text)
    with pytest.raises(FormatError, match=message):
        found(tmp_path / 'a.tsv')


def test_vggface2(tmp_path):
    for part in ('train', 'test'):
        for name in ('n000002/0001_01.jpg', 'n000002/0002_01.jpg', 'n000003/0001_01.jpg'):
            put(tmp_path / 'vgg2' / part / name, face(len(part + name), (60, 50)))
    put(tmp_path / 'vgg2' / 'identity_meta.csv', b'Class_ID, Name\n')
    put(tmp_path / 'vgg2' / 'train_list.txt', b'n000002/0001_01.jpg\n')
    put(tmp_path / 'vgg2' / 'meta/identity_meta.csv', b'Class_ID, Name\n')  # beside the parts in some copies
    put(tmp_path / 'vgg2' / 'bb_landmark/loose_bb_train.csv', b'NAME_ID,X,Y,W,H\n')
    samples = found(tmp_path / 'vgg2')
    assert [key for _, key, _ in samples] == ['n000002/0001_01.jpg', 'n000002/0002_01.jpg', 'n000003/0001_01.jpg']
    assert packed(tmp_path, tmp_path / 'vgg2') == images_of(samples)


def test_casia_webface(tmp_path):
    for number, name in enumerate(('0000045/001.jpg', '0000045/002.jpg', '0000099/001.jpg')):
        put(tmp_path / 'CASIA-WebFace' / name, face(number, (250, 250)))
    samples = found(tmp_path / 'CASIA-WebFace')
    assert [person for person, _, _ in samples] == ['0000045', '0000045', '0000099']
    assert packed(tmp_path, tmp_path / 'CASIA-WebFace') == images_of(samples)


def webface_part(path, part, people):
    """A part of WebFace as a tar file: PART/PART_GROUP_PERSON/PART_IMAGE.jpg, folders included."""
    with tarfile.open(path, 'w', format=tarfile.GNU_FORMAT) as file:
        for person in range(people):
            folder = tarfile.TarInfo(f'{part}/{part}_0_{person:07d}')
            folder.type = tarfile.DIRTYPE
            file.addfile(folder)
            for image in range(2):
                data = face(100 * part + 10 * person + image)
                member = tarfile.TarInfo(f'{folder.name}/{part}_{2 * person + image}.jpg')
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))


def test_webface_tar_parts(tmp_path):
    (tmp_path / 'parts').mkdir()
    for part in range(3):
        webface_part(tmp_path / 'parts' / f'{part}.tar', part, 2)
    with pytest.warns(UserWarning, match='has no index.npy'):
        samples = found(tmp_path / 'parts')
    assert len(samples) == 12 and samples[4] == ('1_0_0000000', '1/1_0_0000000/1_0', face(100))
    with pytest.warns(UserWarning, match='has no index.npy'):
        assert len(found(tmp_path / 'parts' / '0.tar')) == 4
        assert packed(tmp_path, tmp_path / 'parts') == images_of(samples)
    unpacked = tmp_path / 'WebFace12M'
    for part in range(3):
        with tarfile.open(tmp_path / 'parts' / f'{part}.tar') as file:
            file.extractall(unpacked, filter='data')
    with pytest.raises(FormatError, match='deeper level'):
        found(unpacked)


@pytest.mark.parametrize('begin', [b'\x1f\x8b\x08', b'BZh9'])
def test_a_compressed_tar_file_is_to_be_unpacked(tmp_path, begin):
    (tmp_path / 'a.tar').write_bytes(begin + bytes(100))
    with pytest.raises(FormatError, match='it is compressed'):
        found(tmp_path / 'a.tar')


def test_glint360k_and_ms1mv3_and_ms1mv2(tmp_path):
    """Header and identity records, ``property``; labels of two numbers in some of them."""
    write_training_set(tmp_path / 'a', [(0, face(0)), (0, face(1)), (1, face(2))])
    samples = found(tmp_path / 'a')
    assert [(person, key) for person, key, _ in samples] == [('0', '1'), ('0', '2'), ('1', '3')]
    assert packed(tmp_path, tmp_path / 'a') == images_of(samples)


def im2rec(folder, labels):
    """``train.lst``, ``train.rec`` and ``train.idx`` as mxnet's tool writes them, with as many labels as there are."""
    folder.mkdir()
    with RecordWriter(folder / 'train.rec', folder / 'train.idx') as writer, open(folder / 'train.lst', 'w') as file:
        for number, row in enumerate(labels):
            put(folder / f'images/{row[0]}/{number}.jpg', face(number))
            words = [str(number), *(f'{label:f}' for label in row), f'images/{row[0]}/{number}.jpg']
            file.write('\t'.join(words) + '\n')
            writer.write(pack(row if len(row) > 1 else row[0], face(number), id=number))


def test_im2rec_with_a_list_and_several_labels(tmp_path):
    im2rec(tmp_path / 'set', [(1, 0.5, 7), (0, -1, 8), (1, 3, 1 / 3)])
    (tmp_path / 'rec').mkdir()
    for name in ('train.rec', 'train.idx'):
        (tmp_path / 'set' / name).rename(tmp_path / 'rec' / name)
    for source in (tmp_path / 'set' / 'train.lst', tmp_path / 'rec'):
        dataset = open_set(source)
        further = [dataset.further_labels(index).tolist() for index in range(3)]
        assert dataset.labels.tolist() == [1, 0, 1] and dataset.metainfo['classes'] == ('0', '1')
        assert further[:2] == [[0.5, 7], [-1, 8]] and further[2][1] == pytest.approx(1 / 3, abs=1e-6)
    chain = ['im2rec', 'tar', 'lmdb', 'parquet', 'records', 'im2rec']
    for number, layout in enumerate(chain):
        converted(tmp_path / 'rec', tmp_path / f'{number}', layout)
        (tmp_path / 'rec').rename(tmp_path / f'old{number}')
        (tmp_path / f'{number}').rename(tmp_path / 'rec')
    dataset = open_set(tmp_path / 'rec')
    order = np.argsort([dataset.encoded(index)[1] != face(1) for index in range(3)], kind='stable')
    assert [dataset.further_labels(index).tolist() for index in order] == [[-1, 8], [0.5, 7], further[2]]
    lines = (tmp_path / 'rec' / 'train.lst').read_text().splitlines()
    assert lines[0].split('\t')[:4] == ['0', '0.000000', '-1.000000', '8.000000']


def test_an_index_of_shards_keeps_no_labels_of_the_one_before(tmp_path):
    from mlaface.datasets.formats.tar_shards import FURTHER, scan_shards, write_shard_index
    put(tmp_path / 'Ann/1.jpg', face(1))
    with tarfile.open(tmp_path / '0.tar', 'w') as file:
        file.add(tmp_path / 'Ann/1.jpg', 'Ann/1.jpg')
    index, _, _ = scan_shards([tmp_path / '0.tar'])
    write_shard_index(tmp_path, [tmp_path / '0.tar'], index, np.ones((1, 2), np.float32))
    assert (tmp_path / FURTHER).exists()
    write_shard_index(tmp_path, [tmp_path / '0.tar'], index)
    assert not (tmp_path / FURTHER).exists()


def test_im2rec_with_one_label(tmp_path):
    im2rec(tmp_path / 'set', [(0,), (1,), (1,)])
    converted(tmp_path / 'set' / 'train.lst', tmp_path / 'again', 'im2rec')
    assert (tmp_path / 'again' / 'train.rec').read_bytes() == (tmp_path / 'set' / 'train.rec').read_bytes()
    assert (tmp_path / 'again' / 'train.idx').read_bytes() == (tmp_path / 'set' / 'train.idx').read_bytes()


@pytest.mark.parametrize('pieces', [{}, pytest.param(
    dict(executor=LocalExecutor(processes=1), piece_size=2), marks=pytest.mark.slow)])
def test_im2rec_with_a_list_beside_another_root(tmp_path, pieces):
    im2rec(tmp_path / 'set', [(0,), (1,), (1,)])
    (tmp_path / 'lists').mkdir()
    path = (tmp_path / 'set' / 'train.lst').rename(tmp_path / 'lists' / 'train.lst')
    (tmp_path / 'lists' / 'classes.txt').write_text('Ann\nbob\n')
    with pytest.raises(MissingDataError, match=r'train.lst: its first images are not there, such as .*/0.jpg.*--root'):
        open_set(path)
    converted(path, tmp_path / 'again', 'im2rec', root=tmp_path / 'set', **pieces)
    assert (tmp_path / 'again' / 'train.rec').read_bytes() == (tmp_path / 'set' / 'train.rec').read_bytes()
    with pytest.raises(InputError, match='both in stores or both'):
        open_set(path, root='s3://faces/set')


@pytest.mark.parametrize('line', ['0\t1\n', '0\tx\ta.jpg\n', '0\t-1\ta.jpg\n', '0\t1.5\ta.jpg\n', '',
                                  '0\t1\ta.jpg\n1\t1\t2\tb.jpg\n'])
def test_a_list_that_is_none_is_named(tmp_path, line):
    (tmp_path / 'a.lst').write_text(line)
    with pytest.raises(FormatError, match='a.lst'):
        open_set(tmp_path / 'a.lst')


@pytest.mark.parametrize('names', [['ann', 'bob', 'empty'], None])
def test_parquet_as_hugging_face_writes_it(tmp_path, names):
    pa = pytest.importorskip('pyarrow')
    import pyarrow.parquet
    rows = [dict(image=dict(bytes=face(number), path=f'{number}.jpg'), label=number % 2) for number in range(5)]
    schema = pa.schema([('image', pa.struct([('bytes', pa.binary()), ('path', pa.string())])), ('label', pa.int64())])
    if names:
        schema = schema.with_metadata({'huggingface': json.dumps(dict(info=dict(features=dict(
            image=dict(_type='Image'), label=dict(names=names, _type='ClassLabel')))))})
    for part in range(2):
        path = tmp_path / 'set' / 'data' / f'train-0000{part}-of-00002.parquet'
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows[3 * part:3 * part + 3], schema), path, row_group_size=2)
    put(tmp_path / 'set' / 'data' / 'test-00000-of-00001.parquet', b'not looked at')
    if names:
        with pytest.warns(UserWarning, match='1 of 3 classes have no image'):
            samples = found(tmp_path / 'set')
    else:
        samples = found(tmp_path / 'set')
    names = names or ['0', '1']
    assert samples == [(names[number % 2], str(number), face(number)) for number in range(5)]
    converted(tmp_path / 'set', tmp_path / 'tar', 'tar')
    assert images_of(found(tmp_path / 'tar')) == images_of(samples)


def test_lmdb_of_another_writer(tmp_path):
    lmdb = pytest.importorskip('lmdb')
    with lmdb.open(str(tmp_path / 'set')) as environment, environment.begin(write=True) as transaction:
        for number, key in enumerate((b'bob/2.jpg', b'ann/1.jpg', b'bob/1.jpg')):
            transaction.put(key, face(number))
    assert found(tmp_path / 'set') == [('ann', 'ann/1.jpg', face(1)), ('bob', 'bob/1.jpg', face(2)),
                                       ('bob', 'bob/2.jpg', face(0))]
    with lmdb.open(str(tmp_path / 'other')) as environment, environment.begin(write=True) as transaction:
        transaction.put(b'000000', face(1))
    with pytest.raises(FormatError, match='do not name identities'):
        found(tmp_path / 'other')


@pytest.mark.parametrize('label', [dict(cls=b'1\n'), dict(json=b'{"label": 1, "age": 30}'), dict(json=b'[1, 0.5]')])
def test_shards_of_another_writer(tmp_path, label):
    with tarfile.open(tmp_path / 'a.tar', 'w') as file:
        for number in range(2):
            for ending, data in dict(jpg=face(number), **label).items():
                member = tarfile.TarInfo(f'{number:08d}.{ending}')
                member.size = len(data)
                file.addfile(member, io.BytesIO(data))
    with pytest.warns(UserWarning, match='no index.npy|1 of 2 classes'):
        assert [(person, key) for person, key, _ in found(tmp_path / 'a.tar')] == [('1', '00000000'), ('1', '00000001')]


def test_some_shards_state_classes_and_others_do_not(tmp_path):
    with tarfile.open(tmp_path / 'a.tar', 'w') as file:
        for name, data in (('0.jpg', face(0)), ('0.cls', b'1'), ('1.jpg', face(1))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    with pytest.warns(UserWarning), pytest.raises(FormatError, match='1 of 2 images state their class'):
        found(tmp_path / 'a.tar')


@pytest.mark.parametrize('archive', ['backup.tar', 'data/train-00000-of-00001.parquet'])
def test_archives_beside_people_are_refused(archive, tmp_path):
    put(tmp_path / 'set' / archive, b'')
    put(tmp_path / 'set/assets/page.jpg', face(1))
    with pytest.raises(FormatError):  # the archive is the set, and none
        open_set(tmp_path / 'set')
    put(tmp_path / 'set/Ann/1.jpg', face(1))
    with pytest.raises(InputError, match=rf'set has archives \({archive}\) and folders of images \(.*only one of both'):
        open_set(tmp_path / 'set')


def test_people_of_the_same_name_up_to_case(tmp_path):
    folder = people(tmp_path / 'people', {'Ann': 2, 'ann': 1, 'ANN': 1})
    converted(folder, tmp_path / 'tar', 'tar')
    converted(tmp_path / 'tar', tmp_path / 'again', 'folder')
    assert {key: value for key, value in content(tmp_path / 'again').items() if '/' in key} == content(folder)
