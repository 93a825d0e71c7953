"""Images of every kind come out upright, RGB and uint8; what is no image, or too large, is refused in a line."""
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mlaface.inference.images import read_image
from mlaface.inference.sources import open_sources
from mlaface.utils.errors import InputError, MissingDataError

GREY = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8) * 2
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def twice(kind):
    return saved(Image.fromarray(RGB), kind, save_all=True, append_images=[Image.fromarray(255 - RGB)])


@pytest.mark.parametrize('data, wanted, off', [
    (saved(Image.fromarray(GREY), 'JPEG', quality=95), GREY[..., None], 3),
    (saved(Image.fromarray(RGB).convert('CMYK'), 'JPEG', quality=95), RGB, 3),
    (saved(Image.fromarray(np.dstack([RGB, GREY])), 'PNG'), RGB, 0),
    (saved(Image.fromarray(GREY.astype(np.uint16) * 257), 'PNG'), GREY[..., None], 0),
    (cv2.imencode('.png', RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), RGB, 0),
    (twice('PNG'), RGB, 0), (twice('TIFF'), RGB, 0), (twice('WEBP'), RGB, 6),
    (saved(Image.fromarray(RGB[:1, :1]), 'PNG'), RGB[:1, :1], 0),
    (RGB, RGB, 0), (GREY, GREY[..., None], 0), (np.dstack([RGB, GREY]), RGB, 0),
    (RGB.astype(np.uint16) * 257, RGB, 0),
    (Image.fromarray(RGB), RGB, 0), (Image.fromarray(GREY), GREY[..., None], 0),
    (Image.fromarray(np.dstack([RGB, GREY])), RGB, 0),
    (Image.fromarray(GREY.astype(np.uint16) * 257), GREY[..., None], 0),
], ids=['grey', 'CMYK', 'RGBA', '16 bit grey', '16 bit', 'animated PNG', 'TIFF pages', 'animated WebP', '1 x 1',
        'array', 'grey array', 'RGBA array', '16 bit array', 'PIL', 'grey PIL', 'RGBA PIL', '16 bit PIL'])
def test_every_kind_of_image(data, wanted, off):
    image = read_image(data)
    assert image.dtype == np.uint8 and image.flags.c_contiguous and image.shape == (*wanted.shape[:2], 3)
    assert np.abs(image.astype(int) - wanted).mean() <= off


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('stated', range(1, 9))
def test_images_are_turned_as_cameras_state(kind, stated):
    exif = Image.Exif()
    exif[0x0112] = stated
    data = saved(Image.fromarray(RGB), kind, exif=exif)
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert('RGB')).astype(int)
    image = read_image(data)
    assert image.shape == wanted.shape and np.abs(image - wanted).mean() < 2
    assert np.array_equal(read_image(Image.open(io.BytesIO(data))), wanted)


def bomb(side):
    """A PNG of 200 bytes that says it is side x side pixels."""
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b''))


@pytest.mark.parametrize('data, message', [
    (b'', 'it has no bytes'), (b'not an image at all', 'no image in a known format'),
    (saved(Image.fromarray(RGB), 'JPEG')[:-400], 'cannot be decoded'), (bomb(12_000), 'more than 120,000,000'),
    (bomb(60_000), 'too large'), (b'\0\0\0\x18ftypheic' + bytes(64), 'HEIC'),
    (RGB.astype(np.float32), 'float32 would have to be guessed at'), (np.zeros((3, 4, 5, 6), np.uint8), 'no image'),
    (np.zeros((0, 4, 3), np.uint8), 'no image'), (3.5, 'a float is no image')],
    ids=['empty', 'text', 'torn', 'large', 'bomb', 'HEIC', 'float', '4-D', 'no rows', 'number'])
def test_what_is_no_image_is_refused_in_a_line(data, message):
    with pytest.raises((InputError, ValueError), match=message) as error:
        read_image(data)
    assert '\n' not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'nothing')
    with pytest.raises(InputError, match='a.jpg: '):
        read_image(tmp_path / 'a.jpg')


def test_folders_lists_and_arrays_are_taken_apart_in_order(tmp_path):
    for name in ('b/2.PNG', 'b/1.jpg', 'a.jpg', '.hidden.jpg', 'notes.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(RGB).save(tmp_path / name, 'PNG')
    names = [str(tmp_path / name) for name in ('a.jpg', 'b/1.jpg', 'b/2.PNG')]
    assert [source.name for source in open_sources(tmp_path)] == names
    assert [source.name for source in open_sources([names[1], RGB, tmp_path / 'b'])] == [
        names[1], 'image 1', *names[1:]]
    assert [source.read().shape for source in open_sources(RGB)] == [RGB.shape]


def test_frames_of_a_video(tmp_path):
    path = str(tmp_path / 'clip.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48))
    for level in (20, 120, 220):
        writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))
    writer.release()
    frames = [(source.name, source.read()) for source in open_sources(path)]
    assert [name for name, _ in frames] == [f'{path}#{number}' for number in range(3)]
    blue = [image[..., 2].mean() for _, image in frames]
    assert np.abs(np.subtract(blue, (20, 120, 220))).max() < 12


@pytest.mark.parametrize('name, message', [('none.jpg', 'no image, folder or video at'), ('empty', 'no image in'),
                                           ('torn.mp4', 'cannot be opened as a video')])
def test_sources_that_are_not_there(tmp_path, name, message):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'torn.mp4').write_bytes(b'nothing')
    with pytest.raises((MissingDataError, InputError), match=message):
        list(open_sources(tmp_path / name))


def test_streams_are_images_as_their_bytes_are(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(RGB).save(stream, 'PNG')  # and stands at its end
    (tmp_path / 'a.png').write_bytes(stream.getvalue())
    with open(tmp_path / 'a.png', 'rb') as opened:
        for source in (stream, stream, opened, [stream], stream.getvalue(), [stream.getvalue()]):
            found, = open_sources(source)
            np.testing.assert_array_equal(found.read(), RGB)
    with pytest.raises(InputError, match="a StringIO gives str and no bytes: open the file by 'rb'"):
        read_image(io.StringIO('text'))
