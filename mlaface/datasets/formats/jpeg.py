"""Encoded images to RGB arrays and back.

JPEG goes through simplejpeg (libjpeg-turbo): the fastest of the libraries measured in docs/performance.md, bit-equal
to OpenCV and Pillow, and the only one that reports a torn image instead of filling it with grey. What is no JPEG goes
through OpenCV.
"""
import cv2
import numpy as np
import simplejpeg

from mlaface.datasets.formats.errors import DecodeError

HARMLESS = 'extraneous bytes'  # stray bytes between segments: many cameras write them, no pixel is lost
SCAN, EOI = b'\xff\xda', b'\xff\xd9'  # the markers before and behind the pixels


def decode(data, out=None):
    """Decode an image.

    Args:
        data (bytes): JPEG, or any format that OpenCV reads.
        out (ndarray, optional): uint8 (H, W, 3) to decode a JPEG into, at least as many numbers as the image has.

    Returns:
        ndarray: RGB, uint8 (H, W, 3); over the memory of ``out`` where that was used.

    Raises:
        DecodeError: If the bytes are no image, or a torn one.
    """
    if data[:2] != b'\xff\xd8':
        return _decode_other(data)
    try:
        return simplejpeg.decode_jpeg(data, 'RGB', buffer=out)
    except ValueError as error:
        if HARMLESS in str(error) and data.rfind(EOI) > data.rfind(SCAN):
            return _decode_other(data)
        raise DecodeError(f'JPEG of {len(data)} bytes cannot be decoded ({error})') from error


def _decode_other(data):
    image = None
    if len(data):
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            raise DecodeError(f'{len(data)} bytes cannot be decoded ({error.err})') from error
    if image is None:
        raise DecodeError(f'{len(data)} bytes are no image in a known format (they begin with {bytes(data[:8])!r})')
    return np.ascontiguousarray(image[..., ::-1])


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
    try:
        image = decode(data, out)
    except DecodeError:
        if out is None:
            raise
        image = decode(data)  # a larger image than the buffer; a torn one fails again
    if image.shape[:2] != tuple(size):
        raise DecodeError(f'image of {image.shape[0]}x{image.shape[1]} pixels where {size[0]}x{size[1]} are expected: '
                          'align and crop the faces first, or state image_size')
    if out is not None and not np.may_share_memory(image, out):
        out[:] = image
    return image
