"""One image, however it is given, as upright RGB; what is too large or no image is refused before it is decoded."""
import io
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.exif import upright
from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.formats.names import image_kind
from mlaface.utils.errors import InputError

MAX_PIXELS = 120_000_000
ORIENTATION = 0x0112


def read_image(source, max_pixels=MAX_PIXELS):
    """Any image as an array.

    Args:
        source (str | Path | bytes | BytesIO | ndarray | PIL.Image.Image): A file, its bytes, or a stream of them
            that is open, from its begin if it has one; of any format that OpenCV reads, of an animated one the first
            picture; an array RGB, RGBA or grey, uint8 or uint16.
        max_pixels (int): A larger image is refused, before it is decoded. Default 120 million.

    Returns:
        ndarray uint8 (H, W, 3): RGB, upright, in memory row by row; transparency is dropped.

    Raises:
        InputError: If it is no image, torn, or too large.
        OSError: If the file cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source, max_pixels)
    if is_stream(source):
        source = _content(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode_upright(bytes(source), max_pixels)
    if isinstance(source, (str, Path)):
        try:
            return decode_upright(Path(source).read_bytes(), max_pixels)
        except ValueError as error:
            raise InputError(f'{source}: {error}') from error
    if hasattr(source, 'getexif') and hasattr(source, 'convert'):
        _check_size(*source.size, max_pixels)
        stated = source.getexif().get(ORIENTATION)
        return upright(_of_array(_pixels_of(source), max_pixels), stated if stated in range(1, 9) else 1)
    raise InputError(f'a {type(source).__name__} is no image: give a file, bytes, an array or a PIL image')


def is_stream(source):
    """Whether bytes are read from it as from a file that is open (bool)."""
    return isinstance(source, io.IOBase) or hasattr(source, 'read') and hasattr(source, 'seekable')


def _content(stream):
    """The bytes of an open file, from its begin if it has one."""
    if stream.seekable():
        stream.seek(0)
    data = stream.read()
    if not isinstance(data, bytes):
        raise InputError(f"a {type(stream).__name__} gives {type(data).__name__} and no bytes: open the file by 'rb'")
    return data


def decode_upright(data, max_pixels=MAX_PIXELS):
    """An encoded image as an array, turned as its Exif data say.

    Args:
        data (bytes): The file.
        max_pixels (int): See ``read_image``.

    Returns:
        ndarray uint8 (H, W, 3): RGB.

    Raises:
        InputError: If it is no image, torn, or too large.
    """
    header = _header(data)
    if header is not None:
        _check_size(*header.size, max_pixels)
    return decode(data)


def _header(data):
    """What Pillow reads of a file without decoding it; None where it does not know the format, and OpenCV may."""
    from PIL import Image, UnidentifiedImageError
    warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)  # the limit is ours, and lower or asked
    try:
        return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise InputError(f'the image is too large to be decoded safely ({error})') from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        if image_kind(data) == '.heic':
            raise InputError('a HEIC image, which is not read here: save it as JPEG or PNG, or give it as an array or '
                             'PIL image (package pillow-heif)') from None
        return None


def _check_size(width, height, max_pixels):
    if width * height > max_pixels:
        raise InputError(f'{width} x {height} pixels are more than {max_pixels:,}: scale the image down, or allow more '
                         'by max_pixels')


def _pixels_of(image):
    """An array of a PIL image, of the kinds that ``_of_array`` takes."""
    image.seek(0)
    return np.asarray(image if image.mode in ('RGB', 'L', 'I;16') else image.convert('RGB'))


def _of_array(array, max_pixels):
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else None
    if channels not in (1, 3, 4) or not array.size:
        raise InputError(f'an array of shape {array.shape} is no image: (H, W), (H, W, 3) and (H, W, 4) are')
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(f'an image of {array.dtype} would have to be guessed at: give uint8 (0 to 255) or uint16')
    _check_size(array.shape[1], array.shape[0], max_pixels)
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    array = array.reshape(*array.shape[:2], -1)[..., :3]
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))
