"""Encoded images to RGB arrays and back: one place for data sets, protocols and whoever reads a picture.

JPEG goes through simplejpeg (libjpeg-turbo): the fastest of the libraries measured in docs/performance.md, bit-equal
to OpenCV and Pillow, and the only one that reports a torn image instead of filling it with grey. What is no JPEG goes
through OpenCV. Neither writes anything of its own to the terminal: what they say is in the error.
"""
import threading
from contextlib import suppress
from functools import partial

import cv2
import numpy as np
import simplejpeg

from mlaface.datasets.formats import png
from mlaface.datasets.formats.errors import DecodeError
from mlaface.datasets.formats.exif import orientation, upright
from mlaface.datasets.formats.jpeg_segments import EOI, SCAN, SOI, pixels_alone

HARMLESS = 'extraneous bytes'  # behind the pixels: many cameras write them, and no pixel is lost
DAMAGED = 'Corrupt JPEG data'  # pixels are lost, and libjpeg goes on
PIXELS = 1 << 26  # as many as a photograph of 64 megapixels; more may fill the memory
LARGE = 1 << 16  # a JPEG of so many pixels has more bytes: a bit a block; to parse a head takes a tenth of decoding


class _SilentOpenCV:
    """OpenCV's log is off while any thread decodes: it names no file, and the error does."""

    def __init__(self):
        self._lock, self._inside, self._level = threading.Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if not self._inside:
                self._level = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._inside += 1

    def __exit__(self, *_):
        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.utils.logging.setLogLevel(self._level)


_silent_opencv = _SilentOpenCV()


def decode(data, out=None, on_damage=None):
    """Decode an image, upright: where its file states an orientation (Exif), it is turned as every viewer turns it.

    Args:
        data (bytes): JPEG, or any format that OpenCV reads.
        out (ndarray, optional): uint8 (H, W, 3) to decode a JPEG into, at least as many numbers as the image has.
        on_damage (callable, optional): Is told (str) what is lost of a JPEG that is whole to its end, and its other
            pixels are taken, as OpenCV does; by default that is an error.

    Returns:
        ndarray: RGB, uint8 (H, W, 3); over the memory of ``out`` where that was used.

    Raises:
        DecodeError: If the bytes are no image, or a torn one.
    """
    image = _decode_jpeg(data, out, on_damage) if data[:2] == SOI else _decode_other(data)
    return upright(image, orientation(data))


def _decode_jpeg(data, out, on_damage):
    try:
        return simplejpeg.decode_jpeg(data, 'RGB', buffer=out)
    except ValueError:
        known = pixels_alone(data)
    try:
        return simplejpeg.decode_jpeg(known, 'RGB', buffer=out)
    except ValueError as error:
        fault = str(error)
    if data.rfind(EOI) > data.rfind(SCAN) and (HARMLESS in fault or DAMAGED in fault and on_damage):
        if HARMLESS not in fault:
            on_damage(fault)
        with suppress(ValueError):
            return simplejpeg.decode_jpeg(known, 'RGB', strict=False)
    raise DecodeError(f'JPEG of {len(data)} bytes cannot be decoded ({fault})')


def _decode_other(data):
    if not len(data):
        raise DecodeError('it has no bytes')
    known = png.pixels_alone(data) if data[:8] == png.SIGNATURE else data
    try:
        with _silent_opencv:
            image = cv2.imdecode(np.frombuffer(known, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise DecodeError(f'{len(data)} bytes cannot be decoded ({error.err})') from error
    if image is None:
        raise DecodeError(f'{len(data)} bytes are no image in a known format (they begin with {bytes(data[:8])!r})')
    return np.ascontiguousarray(image[..., ::-1])


def decoded_size(data):
    """Height and width of an image that is whole: ``decode(data).shape[:2]``, for a JPEG in half of its time.

    The values of all components are read, and only the first is made into pixels: so what is torn fails all the same.

    Args:
        data (bytes): As for ``decode``.

    Returns:
        tuple[int, int]: As it is seen, turned as its file states.

    Raises:
        DecodeError: As ``decode``; or it is too large, see ``check_pixels``.
    """
    check_pixels(data)
    if data[:2] == SOI:
        with suppress(ValueError):
            return upright(simplejpeg.decode_jpeg(data, 'GRAY'), orientation(data)).shape[:2]
    return decode(data).shape[:2]


def stated_size(data):
    """Height and width that the head of a JPEG, PNG, BMP or WebP states, before it is decoded.

    Args:
        data (bytes): An encoded image.

    Returns:
        tuple[int, int] | None: As it is stored, not turned; None where nothing is known.
    """
    if data[:2] == SOI:
        try:
            return simplejpeg.decode_jpeg_header(data)[:2]
        except ValueError:
            return None
    if data[:8] == png.SIGNATURE and len(data) >= 24:
        return int.from_bytes(data[20:24], 'big'), int.from_bytes(data[16:20], 'big')
    if data[:2] == b'BM' and len(data) >= 26:
        return _stated_bmp(data)
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP' and len(data) >= 30:
        return _stated_webp(data)
    return None


def _stated_bmp(data):
    """Numbers of two bytes in the head of 12 that OS/2 wrote, else of four; a height below 0 begins at the top."""
    if int.from_bytes(data[14:18], 'little') == 12:
        return int.from_bytes(data[20:22], 'little'), int.from_bytes(data[18:20], 'little')
    return abs(int.from_bytes(data[22:26], 'little', signed=True)), int.from_bytes(data[18:22], 'little')


def _stated_webp(data):
    """Source: WebP container specification; RFC 6386, 9.1 (lossy); WebP lossless bitstream specification, 3."""
    kind, number = data[12:16], partial(int.from_bytes, byteorder='little')
    if kind == b'VP8 ':
        return number(data[28:30]) & 0x3fff, number(data[26:28]) & 0x3fff
    if kind == b'VP8L':
        bits = number(data[21:25])
        return (bits >> 14 & 0x3fff) + 1, (bits & 0x3fff) + 1
    return number(data[27:30]) + 1, number(data[24:27]) + 1


def huge_size(data):
    """Height and width, where the head states more than ``PIXELS`` in all; else None."""
    found = stated_size(data) if data[:2] != SOI or len(data) > LARGE else None
    return found if found and found[0] * found[1] > PIXELS else None


def check_pixels(data):
    """Refuse an image whose pixels may fill the memory, before it is decoded.

    Raises:
        DecodeError: If its head states more than ``PIXELS``.
    """
    if size := huge_size(data):
        raise DecodeError(f'image of {size[0]}x{size[1]} pixels, which is huge')


def encode(image, quality=95, subsampling='420'):
    """Encode an image as JPEG.

    Args:
        image (ndarray): RGB, uint8 (H, W, 3).
        quality (int): 1 to 100.
        subsampling (str): Of the colours: ``'444'``, ``'422'`` or ``'420'``.

    Returns:
        bytes: The JPEG.
    """
    return simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality, 'RGB', subsampling)


def decode_face(data, size=(112, 112), out=None):
    """Decode an aligned face and check its size.

    Args:
        data (bytes): The encoded image.
        size (tuple[int, int]): Expected height and width.
        out (ndarray, optional): Gets the image, uint8 (H, W, 3).

    Returns:
        ndarray: RGB, uint8 (H, W, 3).

    Raises:
        DecodeError: If it cannot be decoded, or has another size.
    """
    if out is None or data[:2] != SOI:
        check_pixels(data)
    try:
        image = decode(data, out)
    except DecodeError:
        if out is None:
            raise
        check_pixels(data)
        image = decode(data)  # a larger image than the buffer; a torn one fails again
    if image.shape[:2] != tuple(size):
        raise DecodeError(f'image of {image.shape[0]}x{image.shape[1]} pixels where {size[0]}x{size[1]} are expected: '
                          'align and crop the faces first, or state image_size')
    if out is not None and not np.may_share_memory(image, out):
        out[:] = image
    return image
