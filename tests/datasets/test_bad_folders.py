"""Everything that lies in a user's folder: what can be packed is, what cannot is named with its reason."""
import io
import os
import shutil
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from mlaface.datasets.archives.examine import LeftOutError, Rules, examine
from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.key_lists import read_keys
from mlaface.datasets.prepare.inspect import open_set
from mlaface.utils.errors import InputError, UserError
from tests.datasets.archive_sets import converted, face, people, png

HEIC = b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(64)
RULES = Rules((112, 112), 95)


def saved(mode, kind='JPEG', size=(112, 112), **options):
    out = io.BytesIO()
    Image.new('RGB', size, (200, 90, 30)).convert(mode).save(out, kind, **options)
    return out.getvalue()


def bomb():
    """A PNG that says it has 60,000 x 60,000 pixels, in 60 bytes."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    head = struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


DEEP = cv2.imencode('.png', np.full((112, 112, 3), 51_400, np.uint16))[1].tobytes()
TURNED = Image.Exif()
TURNED[274] = 6
GOOD = {'plain.jpg': face(1), 'grey.jpg': saved('L'), 'cmyk.jpg': saved('CMYK'), 'sixteen.png': DEEP,
        'palette.png': saved('P', 'PNG'), 'alpha.png': saved('RGBA', 'PNG'), 'wrong.png': face(2), 'wrong.jpg': png(9),
        'progressive.JPG': saved('RGB', progressive=True), 'turned.jpg': saved('RGB', exif=TURNED),
        'new\nline.jpg': face(3), '名 ß\t%2F.jpg': face(4), '-rf.jpg': face(5), 'webp.webp': saved('RGB', 'WEBP')}
BAD = {'empty.jpg': (b'', 'empty'), 'text.jpg': (b'<html>not found</html>', 'damaged'),
       'torn.jpg': (face(6)[:-90], 'damaged'),
       'phone.jpg': (HEIC, 'format: HEIC'), 'small.jpg': (face(7, (60, 60)), 'size: image of 60x60'),
       'bomb.png': (bomb(), 'huge: image of 60000x60000'), 'half.png': (png(1)[:60], 'damaged'),
       'moved.gif.jpg': (b'GIF89a' + bytes(20), 'format: GIF')}


@pytest.mark.parametrize('name', GOOD)
def test_images_that_can_be_used_are(name):
    data, ending = examine(GOOD[name], RULES)
    assert decode(data).shape == (112, 112, 3) and ending == '.jpg'
    assert (data is GOOD[name]) == (GOOD[name][:2] == b'\xff\xd8')


@pytest.mark.parametrize('name', BAD)
def test_images_that_cannot_be_used_are_named(name):
    with pytest.raises(LeftOutError) as caught:
        examine(BAD[name][0], RULES)
    assert ': '.join(caught.value.args).startswith(BAD[name][1])


@pytest.mark.parametrize('layout', ['records', 'tar', 'lmdb', 'folder'])
def test_a_folder_of_everything(tmp_path, layout):
    pytest.importorskip('lmdb')
    folder = tmp_path / 'people'
    for person in ('Zoë\nX', 'ann', 'ANN', 'only bad'):
        (folder / person).mkdir(parents=True)
    for name, data in {**GOOD, **{name: data for name, (data, _) in BAD.items()}}.items():
        (folder / 'ann' / name).write_bytes(data)
    (folder / 'ANN' / 'one.jpg').write_bytes(face(20))
    (folder / 'Zoë\nX' / 'one.jpg').write_bytes(face(21))
    (folder / 'only bad' / 'one.jpg').write_bytes(b'')
    (folder / 'ann' / 'nowhere.jpg').symlink_to(folder / 'none.jpg')
    (folder / 'ann' / 'circle.jpg').symlink_to('circle.jpg')
    (folder / 'ann' / 'up').symlink_to('..')
    (folder / 'ann' / 'notes.txt').write_text('')
    (folder / 'circle').symlink_to('circle')
    summary = converted(folder, tmp_path / 'set', layout, rules=RULES)
    assert summary['images'] == len(GOOD) + 2 and summary['classes'] == 4 and summary['empty_classes'] == 1
    assert summary['left_out'] == dict(damaged=3, empty=2, format=2, huge=1, size=1, unreadable=2)
    left_out = read_keys(tmp_path / 'set' / 'left_out.txt')
    assert set(left_out) == {'only bad/one.jpg', *(f'ann/{name}' for name in (*BAD, 'nowhere.jpg', 'circle.jpg'))}
    with pytest.warns(UserWarning, match='1 of 4'):
        some = open_set(folder, exclude=[tmp_path / 'set' / 'left_out.txt'])
        packed = open_set(tmp_path / 'set')
    assert len(some) == len(packed) == summary['images']
    expected = {'ANN': 1, 'Zoë\nX': 1, 'ann': len(GOOD), 'only bad': 0}
    counts = np.bincount(packed.labels, minlength=4)
    assert {name: int(counts[label]) for label, name in enumerate(packed.metainfo['classes'])} == expected


@pytest.mark.parametrize('chain', [('records', 'folder', 'records'), ('folder', 'tar', 'folder', 'lmdb', 'folder'),
                                   ('parquet', 'folder', 'tar', 'records')])
def test_names_are_the_same_however_often_they_are_written(tmp_path, chain):
    pytest.importorskip('lmdb')
    pytest.importorskip('pyarrow')
    counts = {'50%25': 1, 'new\nline': 2, ' blank ': 1, '.hid%2Eden'.removeprefix('.'): 1, '100%': 1}
    folder = people(tmp_path / 'people', counts)
    (folder / '100%' / '0.a.jpg').rename(folder / '100%' / 'a%2Fb.c.jpg')
    source = open_set(folder)
    assert set(source.metainfo['classes']) == set(counts)  # a user's folder is called what it is called
    for number, layout in enumerate(chain):
        converted(source.root if number == 0 else tmp_path / str(number - 1), tmp_path / str(number), layout)
        found = open_set(tmp_path / str(number))
        assert found.metainfo['classes'] == source.metainfo['classes']
        if 'records' not in chain:
            assert [found.name(i) for i in range(6)] == [source.name(i) for i in range(6)]


def test_what_looks_like_an_image_and_is_not_read_is_named(tmp_path):
    folder = people(tmp_path / 'people')
    (folder / 'bob' / 'phone.HEIC').write_bytes(HEIC)
    (folder / 'bob' / 'moves.gif').write_bytes(b'GIF89a')
    (folder / 'loose.png').write_bytes(png(1))
    os.mkfifo(folder / 'bob' / 'pipe.jpg')
    with pytest.warns(UserWarning, match='4 images are passed over, such as loose.png: it lies in no folder'):
        summary = converted(folder, tmp_path / 'set', 'tar')
    assert summary['images'] == 11 and summary['left_out'] == dict(format=2, place=1, unreadable=1)
    assert sorted(read_keys(tmp_path / 'set' / 'left_out.txt')) == ['bob/moves.gif', 'bob/phone.HEIC', 'bob/pipe.jpg',
                                                                    'loose.png']


def test_names_that_are_not_utf8_are_named_and_the_rest_goes_on(tmp_path):
    folder = people(tmp_path / 'people')
    before = open_set(folder)
    image, *others = sorted((folder / 'Ann').iterdir())
    os.rename(image, os.fsencode(folder) + b'/Ann/y\xe9.jpg')
    os.mkdir(os.fsencode(folder) + b'/x\xe9')
    shutil.copy(others[0], os.fsencode(folder) + b'/x\xe9/1.jpg')
    with pytest.warns(UserWarning, match=r'2 images are passed over, such as x\\xe9: its name is not UTF-8: rename it'):
        summary = converted(folder, tmp_path / 'set', 'tar')
    assert summary['left_out'] == dict(name=2) and summary['images'] == len(before) - 1
    assert sorted(read_keys(tmp_path / 'set' / 'left_out.txt')) == [r'Ann/y\xe9.jpg', r'x\xe9']


@pytest.mark.parametrize('out', ['packed', 'bob/packed', '.', 'link/packed'])
def test_a_place_within_the_folder_of_identities_is_refused(tmp_path, out):
    folder = people(tmp_path / 'people')
    (tmp_path / 'link').symlink_to(folder)
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(InputError, match='is the set itself' if out == '.' else 'would be read as one of its identi'):
        converted(folder, tmp_path / out if out.startswith('link') else folder / out, 'records')
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize('source, options', [('none', {}), ('people', dict(exclude=['none.txt'])),
                                             ('empty', {}), ('people', dict(shuffle=-1))])
def test_a_refused_call_leaves_nothing(tmp_path, source, options):
    people(tmp_path / 'people')
    (tmp_path / 'empty').mkdir()
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises((UserError, ValueError)):
        converted(tmp_path / source, tmp_path / 'set', 'records', **options)
    assert sorted(tmp_path.rglob('*')) == before


def test_a_set_without_one_good_image_says_why(tmp_path):
    (tmp_path / 'people' / 'ann').mkdir(parents=True)
    (tmp_path / 'people' / 'ann' / '1.jpg').write_bytes(b'')
    with pytest.raises(InputError, match='none of its 1 images can be used; .*left_out.txt says why'):
        converted(tmp_path / 'people', tmp_path / 'set', 'tar')
    assert not (tmp_path / 'set').exists()


@pytest.mark.skipif(not hasattr(os, 'geteuid') or os.geteuid() == 0, reason='root reads everything')
def test_a_file_that_may_not_be_read(tmp_path):
    folder = people(tmp_path / 'people')
    (folder / 'bob' / '0.a.jpg').chmod(0)
    assert converted(folder, tmp_path / 'set', 'tar')['left_out'] == dict(unreadable=1)


@pytest.mark.slow
def test_an_identity_of_very_many_images(tmp_path):
    folder = people(tmp_path / 'people', {'one': 1})
    (folder / 'many').mkdir()
    for start in range(0, 100_000, 10_000):  # links of a few files, as a file system has a limit of links
        first = folder / 'many' / f'{start}.jpg'
        first.write_bytes(face(start))
        for number in range(start + 1, start + 10_000):
            os.link(first, folder / 'many' / f'{number}.jpg')
    assert converted(folder, tmp_path / 'set', 'records')['images'] == 100_001
    assert np.bincount(open_set(tmp_path / 'set').labels).tolist() == [100_000, 1]
