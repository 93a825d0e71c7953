"""Pictures stand upright: the orientation of Exif, against Pillow and OpenCV, which did not learn it from us."""
import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mlaface.datasets.formats.exif import orientation, upright
from mlaface.datasets.formats.jpeg import decode, decode_face, encode
from mlaface.evaluation.images.files import ImageFiles
from mlaface.registry import DATASETS

STORED = cv2.resize(np.random.default_rng(0).integers(0, 256, (7, 6, 3), np.uint8), (96, 112))
FORMATS = dict(JPEG=dict(quality=95), PNG={}, WEBP=dict(lossless=True))


def written(kind, stated, order='<', image=STORED):
    """A picture with an orientation, by Pillow."""
    exif, stream = Image.Exif(), io.BytesIO()
    exif.endian = order
    exif[271], exif[274], exif[305] = 'a camera', stated, 'x' * 40
    Image.fromarray(image).save(stream, kind, exif=exif, **FORMATS[kind])
    return stream.getvalue()


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('stated', range(1, 9))
@pytest.mark.parametrize('kind', FORMATS)
def test_every_orientation_of_every_format_gives_the_upright_picture(kind, stated, order):
    data = written(kind, stated, order)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert orientation(data) == stated
    np.testing.assert_array_equal(decode(data), expected)
    assert decode(data).flags.c_contiguous
    if kind == 'JPEG':
        np.testing.assert_array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])


def test_a_turned_picture_is_written_to_the_memory_of_its_batch():
    out = np.empty((96, 112, 3), np.uint8)
    image = decode_face(written('JPEG', 6), (96, 112), out)
    np.testing.assert_array_equal(out, image)
    np.testing.assert_array_equal(out, decode(written('JPEG', 6)))


@pytest.fixture
def people(tmp_path):
    """A folder of one person, whose pictures show one thing, each stored in another orientation."""
    (tmp_path / 'ann').mkdir()
    for stated in range(1, 9):
        swaps, back = stated > 4, {6: 8, 8: 6}.get(stated, stated)
        stored = upright(STORED, back)
        assert stored.shape[:2] == ((96, 112) if swaps else (112, 96))
        (tmp_path / 'ann' / f'{stated}.png').write_bytes(written('PNG', stated, image=stored))
    return tmp_path


def test_folders_and_protocols_give_upright_pictures(people):
    folder = DATASETS.build(dict(type='FolderFaces', data_root=str(people), image_size=(112, 96)))
    files = ImageFiles(people, [f'ann/{stated}' for stated in range(1, 9)], size=(112, 96))
    for row in range(8):
        np.testing.assert_array_equal(folder[row]['images'], STORED.transpose(2, 0, 1))
        np.testing.assert_array_equal(files.read([row])[0], STORED.transpose(2, 0, 1))


def test_points_of_a_protocol_are_those_of_the_upright_picture(people):
    points = np.array([[30., 40], [60, 40], [45, 60], [33, 80], [57, 80]])
    files = ImageFiles(people, [f'ann/{stated}' for stated in range(1, 9)], np.stack([points] * 8))
    faces = files.read(range(8))
    assert len(np.unique(faces, axis=0)) == 1 and faces[0].std() > 10


def segment(marker, body):
    return b'\xff' + bytes([marker]) + struct.pack('>H', len(body) + 2) + body


def tiff(stated, kind=3, entries=1):
    return struct.pack('<4sIHHHI4s', b'II*\0', 8, entries, 274, kind, 1, stated.to_bytes(4, 'little'))


@pytest.mark.parametrize('before, stated', [
    ([segment(0xE0, b'JFIF\0' + bytes(9)), segment(0xE1, b'Exif\0\0' + tiff(6))], 6),
    ([segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0 Exif\0\0' + tiff(3)), segment(0xFE, b'a comment'),
      segment(0xED, bytes(3000)), segment(0xE1, b'Exif\0\0' + tiff(8, kind=4))], 8),
    ([b'\xff\xff' + segment(0xE1, b'Exif\0\0' + tiff(5))], 5), ([bytes(3), segment(0xE1, b'Exif\0\0' + tiff(5))], 5),
    ([segment(0xE1, b'Exif\0\0' + tiff(9))], 1), ([segment(0xE1, b'Exif\0\0' + tiff(0))], 1),
    ([segment(0xE1, b'Exif\0\0' + tiff(6, entries=0))], 1), ([segment(0xE1, b'Exif\0\0' + tiff(6)[:-6])], 1),
    ([segment(0xE1, b'Exif\0\0')], 1), ([segment(0xE1, b'Exif\0\0XX' + tiff(6))], 1),
    ([segment(0xE2, b'Exif\0\0' + tiff(6))], 1)])
def test_exif_is_found_among_the_segments_of_a_camera(before, stated):
    plain = encode(STORED)
    data = plain[:2] + b''.join(before) + plain[2:]
    assert orientation(data) == stated
    np.testing.assert_array_equal(decode(data), upright(decode(plain), stated))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 400), st.integers(0, 5), st.binary(max_size=5))
def test_exif_with_any_damage_is_read_or_passed_over(kind, place, removed, added):
    data = written(kind, 6)
    damaged = data[:place] + added + data[place + removed:]
    try:
        assert orientation(damaged) in range(1, 9)
    except ValueError:
        assert kind == 'PNG'  # whose pixels are damaged as well
