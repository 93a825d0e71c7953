"""Encoded images: RGB as OpenCV decodes them, or an error; and no word of a codec on the terminal."""
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mlaface.datasets.formats import jpeg
from mlaface.datasets.formats.errors import DecodeError
from mlaface.datasets.formats.jpeg import decode, decode_face, decoded_size, encode, stated_size
from mlaface.evaluation.images.files import ImageFiles


def picture():
    y, x = np.mgrid[:112, :112]
    return np.stack([x * 2, y * 2, np.full_like(x, 30)], 2).astype(np.uint8)


FORMATS = dict(JPEG={}, PNG={}, BMP={}, lossy=dict(format='WEBP'), lossless=dict(format='WEBP', lossless=True))


def saved(image, kind):
    Image.fromarray(image).save(file := io.BytesIO(), **{'format': kind, **FORMATS[kind]})
    return file.getvalue()


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('height, width', [(112, 96), (3, 517)])
def test_the_head_of_a_file_states_its_size(kind, height, width):
    assert stated_size(saved(np.zeros((height, width, 3), np.uint8), kind)) == (height, width)


def test_a_bmp_of_os2_has_a_head_of_its_own_and_is_decoded():
    rows = picture()[::-1, :, ::-1].tobytes()  # from the bottom, blue first
    data = struct.pack('<2sIHHI', b'BM', 26 + len(rows), 0, 0, 26) + struct.pack('<IHHHH', 12, 112, 112, 1, 24) + rows
    assert stated_size(data) == (112, 112) and np.array_equal(decode_face(data), picture())


def test_the_head_of_an_extended_webp_states_its_size():
    Image.fromarray(np.zeros((112, 96, 4), np.uint8)).save(file := io.BytesIO(), format='WEBP', exif=b'Exif\0\0II*\0')
    assert file.getvalue()[12:16] == b'VP8X' and stated_size(file.getvalue()) == (112, 96)


@pytest.mark.parametrize('kind', FORMATS)
def test_a_huge_image_is_refused_before_it_is_decoded(kind, monkeypatch):
    from mlaface.datasets.prepare.measures import measure
    data = saved(np.zeros((200, 300, 3), np.uint8), kind)
    assert decoded_size(data) == (200, 300)
    monkeypatch.setattr(jpeg, 'PIXELS', 200 * 299)
    monkeypatch.setattr(jpeg, 'LARGE', 0)
    monkeypatch.setattr(jpeg, '_decode_other', None)
    message = 'image of 200x300 pixels, which is huge'
    for look in (decoded_size, decode_face, lambda data: decode_face(data, out=np.empty((112, 112, 3), np.uint8))):
        with pytest.raises(DecodeError, match=message):
            look(data)
    assert measure(data)[1] == message


def test_images_are_rgb_and_as_opencv_decodes_them():
    data = encode(picture(), 95)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(decode(data), expected)
    assert np.abs(decode(data).astype(int) - picture()).mean() < 3
    png = cv2.imencode('.png', picture()[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(decode(png), picture())


@pytest.mark.parametrize('data', [b'', b'abc', b'\xff\xd8', encode(picture())[:900]])
def test_undecodable_images_are_named(data):
    with pytest.raises(DecodeError):
        decode_face(data, out=np.empty((112, 112, 3), np.uint8))


def test_stray_bytes_between_segments_are_passed_over_and_a_torn_image_is_not():
    data = encode(picture())
    place = data.index(b'\xff\xdb')
    stray = data[:place] + bytes(3) + data[place:]
    np.testing.assert_array_equal(decode(stray), decode(data))
    with pytest.raises(DecodeError):
        decode(stray[:1500])


def test_an_image_of_another_size_is_named():
    with pytest.raises(DecodeError, match='100x112'):
        decode_face(encode(picture()[:100]), out=np.empty((112, 112, 3), np.uint8))


def written(kind, mode='RGB', **options):
    stream = io.BytesIO()
    Image.fromarray(picture()).convert('L' if ';' in mode else 'RGB').convert(mode).save(stream, kind, **options)
    return stream.getvalue()


WAYS = {'plain': {}, 'grey': dict(mode='L'), 'CMYK': dict(mode='CMYK'), 'progressive': dict(progressive=True),
        'restarts': dict(restart_marker_blocks=4), 'every colour': dict(subsampling=0), 'PNG': dict(kind='PNG'),
        'lying': dict(exif=b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0')}


def shape_or_fault(function, data):
    try:
        return tuple(function(data))
    except DecodeError as error:
        return str(error)


@pytest.mark.parametrize('way', WAYS)
def test_the_size_of_a_whole_image_is_that_of_its_pixels_and_what_is_torn_fails_alike(way):
    options = dict(WAYS[way])
    stream = io.BytesIO()
    image = Image.fromarray(picture()[:80]).convert(options.pop('mode', 'RGB'))
    image.save(stream, options.pop('kind', 'JPEG'), **options)
    whole, rng = stream.getvalue(), np.random.default_rng(0)
    if way == 'lying':
        assert decoded_size(whole) == (112, 80)
    faults = 0
    for number in range(300):
        data = bytearray(whole)
        place, length = int(rng.integers(2, len(data))), int(rng.integers(1, 40))
        if number:
            data[place:place + length] = [b'', rng.bytes(1), rng.bytes(length), data[place:place]][number % 4]
        if number % 10 == 1:
            del data[place:]
        expected = shape_or_fault(lambda data: decode(data).shape[:2], bytes(data))
        found = shape_or_fault(decoded_size, bytes(data))
        assert found == expected or isinstance(expected, str) and 'which is huge' in found
        faults += isinstance(expected, str)
    assert 20 < faults < 300


def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


JPEG, PNG = encode(picture()), written('PNG')
SCAN = JPEG.index(b'\xff\xda') + 14
PROFILE = b'\xff\xe2\0\x14ICC_PROFILE\0\5\1junk'
# files whose pixels are whole, and of which a codec has something to say
GRUMBLES = dict(
    between=JPEG[:20] + bytes(3) + JPEG[20:], behind=JPEG[:-2] + bytes(69) + JPEG[-2:],
    both=JPEG[:20] + bytes(3) + JPEG[20:-2] + bytes(69) + JPEG[-2:],
    version=JPEG[:11] + b'\0\0' + JPEG[13:], profile=JPEG[:20] + PROFILE + JPEG[20:],
    png_profile=PNG[:33] + chunk(b'iCCP', b'x\0\0' + zlib.compress(b'junk')) + PNG[33:],
    png_text=PNG[:33] + chunk(b'tEXt', b'a\0b')[:-1] + b'x' + PNG[33:])


@pytest.mark.parametrize('name', GRUMBLES)
def test_what_a_codec_grumbles_about_is_decoded_without_a_word(name, capfd):
    np.testing.assert_array_equal(decode(GRUMBLES[name]), decode(PNG if name.startswith('png') else JPEG))
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('kind, mode', [('JPEG', 'L'), ('JPEG', 'CMYK'), ('PNG', 'L'), ('PNG', 'LA'), ('PNG', 'P'),
                                        ('PNG', '1'), ('PNG', 'I;16'), ('PNG', 'RGBA'), ('WEBP', 'RGBA'), ('BMP', 'L')])
def test_images_of_every_mode_are_as_opencv_decodes_them(kind, mode):
    data = written(kind, mode)
    np.testing.assert_array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), 1)[..., ::-1])


LOST = JPEG[:SCAN + 40] + b'\xfe' * 20 + JPEG[SCAN + 60:]  # its end is there, and some of its pixels are not


def test_a_protocol_takes_what_opencv_would_take_and_names_the_file(tmp_path, capfd):
    (tmp_path / '1.jpg').write_bytes(LOST)
    with pytest.raises(DecodeError, match='Corrupt JPEG data'):
        decode(LOST)
    with pytest.warns(UserWarning, match='1.jpg: Corrupt JPEG data'):
        face, = ImageFiles(tmp_path, ['1']).read([0])
    assert capfd.readouterr() == ('', '')
    np.testing.assert_array_equal(face, cv2.imdecode(np.frombuffer(LOST, np.uint8), 1)[..., ::-1].transpose(2, 0, 1))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([JPEG, PNG, LOST, written('WEBP'), written('BMP'), written('JPEG', progressive=True)]),
       st.integers(0, 10**6), st.integers(0, 900), st.binary(max_size=5))
def test_an_image_with_any_damage_is_decoded_or_an_error_without_a_word(capfd, data, place, removed, added):
    place %= len(data)
    try:
        assert decode(data[:place] + added + data[place + removed:]).dtype == np.uint8
    except DecodeError as error:
        assert '\n' not in str(error)
    assert capfd.readouterr() == ('', '')


def test_the_log_of_opencv_is_as_it_was(capfd):
    level = cv2.utils.logging.getLogLevel()
    with pytest.raises(DecodeError):
        decode(written('BMP')[:900])
    assert cv2.utils.logging.getLogLevel() == level and capfd.readouterr() == ('', '')
