"""How a picture is to be turned to stand upright: the orientation that cameras write into JPEG, PNG and WebP files.

Source: Exif 2.32, tag 274 (Orientation); TIFF 6.0; the eXIf chunk of PNG 3; the EXIF chunk of WebP.
"""
import numpy as np

from mlaface.datasets.formats.jpeg_segments import APP1, APPLICATIONS, SOI, segments
from mlaface.datasets.formats.png import SIGNATURE, chunks, is_whole

ORIENTATION, HEAD = 274, b'Exif\0\0'
PLAIN, TABLES = b'\xff\xd8\xff\xe0\0\x10', b'\xff\xdb'  # JFIF's segment of 16 bytes, the tables right behind it
SIZES = {1: 1, 3: 2, 4: 4}  # bytes of a TIFF number by its type; the standard's is 3, some write others
# orientation: whether rows and columns are swapped, and then whether rows, columns are reversed
TURNS = {2: (False, 1, -1), 3: (False, -1, -1), 4: (False, -1, 1), 5: (True, 1, 1), 6: (True, 1, -1),
         7: (True, -1, -1), 8: (True, -1, 1)}


def orientation(data):
    """The orientation that a file states of its picture.

    Args:
        data (bytes): An encoded image.

    Returns:
        int: 1 (upright) to 8; 1 where nothing legible is stated.
    """
    if data[:6] == PLAIN and data[20:22] == TABLES:
        return 1  # as libraries write JPEG, a walk would cost a fiftieth of decoding a face
    if data[:2] == SOI:
        return _of_tiff(_in_jpeg(data))
    if data[:8] == SIGNATURE:
        return _of_tiff(_in_png(data))
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        return _of_tiff(_in_webp(data).removeprefix(HEAD))
    return 1


def upright(image, stated):
    """Turn a picture as its orientation says.

    Args:
        image (ndarray): (H, W, 3), as it is stored.
        stated (int): What ``orientation`` gives.

    Returns:
        ndarray: The same array for 1; else a copy, (W, H, 3) for 5 to 8.
    """
    if stated == 1:
        return image
    swapped, rows, columns = TURNS[stated]
    image = image.swapaxes(0, 1) if swapped else image
    return np.ascontiguousarray(image[::rows, ::columns])


def _in_jpeg(data):
    """The first Exif among the segments that applications write, which stand before all others."""
    for marker, start, stop in segments(data):
        if marker == APP1 and data[start + 4:start + 10] == HEAD:
            return data[start + 10:stop]
        if marker not in APPLICATIONS:
            break
    return b''


def _in_png(data):
    return next((data[start:stop] for kind, start, stop in chunks(data)
                 if kind == b'eXIf' and is_whole(data, start, stop)), b'')


def _in_webp(data):
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4:place + 8], 'little')
        if data[place:place + 4] == b'EXIF':
            return data[place + 8:place + 8 + size]
        place += 8 + size + size % 2
    return b''


def _of_tiff(body):
    """The orientation among the first entries of a TIFF header, 12 bytes each: tag, type, count, value."""
    order = {b'II*\0': 'little', b'MM\0*': 'big'}.get(body[:4])
    if order is None:
        return 1

    def number(place, size):
        return int.from_bytes(body[place:place + size], order)
    first = number(4, 4)
    for place in range(first + 2, min(first + 2 + 12 * number(first, 2), len(body) - 11), 12):
        if number(place, 2) == ORIENTATION:
            stated = number(place + 8, SIZES.get(number(place + 2, 2), 2))
            return stated if stated in TURNS else 1
    return 1
