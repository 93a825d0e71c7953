"""mxnet's image record: a header with labels before the encoded image."""
import struct
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.errors import FormatError

HEADER = struct.Struct('<IfQQ')
EXACT = 1 << 24  # float32 holds every integer below it


class ImageRecord(NamedTuple):
    """One record: ``flag`` int, ``labels`` float32 (max(1, flag),), ``id`` and ``id2`` int, ``image`` bytes."""
    flag: int
    labels: np.ndarray
    id: int
    id2: int
    image: bytes


def pack(labels, image=b'', id=0, id2=0):
    """Make the payload of a record.

    Args:
        labels (int | float | Sequence[float]): A scalar is stored in the header (flag 0), a sequence after it.
        image (bytes): The encoded image.
        id (int): Normally the key.
        id2 (int): Normally 0.

    Returns:
        bytes: The payload.

    Raises:
        FormatError: If a label is not below 2**24, where float32 begins to leave out integers.
    """
    if type(labels) is int and 0 <= labels < EXACT:  # as training sets are written, without numpy's ten microseconds
        return HEADER.pack(0, labels, id, id2) + image
    values = np.asarray(labels)
    rounded = values.astype('<f4')
    unsafe = np.abs(values) >= EXACT
    if unsafe.any():
        raise FormatError(f'label {values[unsafe].flat[0]} is not safe in float32, which tells integers apart below '
                          f'{EXACT} only: number the classes from 0')
    if values.ndim == 0:
        return HEADER.pack(0, float(rounded), id, id2) + image
    return HEADER.pack(rounded.size, 0.0, id, id2) + rounded.tobytes() + image


def unpack(payload):
    """Take a payload apart.

    Args:
        payload (bytes): As ``pack`` makes it.

    Returns:
        ImageRecord: Its parts.

    Raises:
        FormatError: If it is shorter than its header says.
    """
    if len(payload) < HEADER.size:
        raise FormatError(f'a payload of {len(payload)} bytes is no image record: its header alone has {HEADER.size}')
    flag, label, id, id2 = HEADER.unpack_from(payload)
    if flag == 0:
        return ImageRecord(0, np.array([label], np.float32), id, id2, payload[HEADER.size:])
    end = HEADER.size + 4 * flag
    if end > len(payload):
        raise FormatError(f'an image record claims {flag} labels, but its payload has {len(payload)} bytes')
    labels = np.frombuffer(payload, '<f4', flag, HEADER.size)
    return ImageRecord(flag, labels, id, id2, payload[end:])


def label_and_image(payload):
    """Class and encoded image of a payload: the fast path of training.

    Args:
        payload (bytes): As ``pack`` makes it.

    Returns:
        tuple[float, bytes]: First label, and the image.

    Raises:
        FormatError: If it is shorter than its header says.
    """
    if len(payload) >= HEADER.size:
        flag, label, _, _ = HEADER.unpack_from(payload)
        if flag == 0:
            return label, payload[HEADER.size:]
    record = unpack(payload)
    return float(record.labels[0]), record.image
