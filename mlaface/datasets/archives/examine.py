"""One image on its way from a set to another: whether it can be used, and as which bytes it goes on."""
from typing import NamedTuple

from mlaface.datasets.formats.errors import DecodeError, FormatError
from mlaface.datasets.formats.jpeg import decode, decoded_size, encode, huge_size
from mlaface.datasets.formats.names import image_kind

FOREIGN = {'.heic': 'HEIC', '.avif': 'AVIF', '.gif': 'GIF'}


class LeftOutError(FormatError):
    """An image that cannot go on: its kind of fault (a few words), and what exactly is wrong."""


class Rules(NamedTuple):
    """What an image must be.

    Args:
        size (tuple[int, int] | None): Height and width; None for any.
        quality (int | None): At which what is no JPEG is encoded as one; None: it stays as it is.
        decode (bool): Whether each image is decoded.
    """
    size: tuple = None
    quality: int = None
    decode: bool = True


def examine(data, rules):
    """Check an image.

    Args:
        data (bytes): Encoded.
        rules (Rules): What it must be.

    Returns:
        tuple[bytes, str]: The image as it goes on, the same object if it is a JPEG, and its ending.

    Raises:
        LeftOutError: If it cannot.
    """
    if not data:
        raise LeftOutError('empty', 'it has no bytes')
    kind = image_kind(data)
    if size := huge_size(data):
        raise LeftOutError('huge', f'image of {size[0]}x{size[1]} pixels')
    kept = kind == '.jpg' or rules.quality is None
    if kept and not rules.decode:
        return data, kind
    try:
        image = None if kept else decode(data)
        found = decoded_size(data) if kept else image.shape[:2]
    except DecodeError as error:
        if kind in FOREIGN:
            raise LeftOutError('format', f'{FOREIGN[kind]} is not read: convert it to JPEG') from error
        raise LeftOutError('damaged', str(error)) from error
    if rules.size and found != tuple(rules.size):
        raise LeftOutError('size', f'image of {found[0]}x{found[1]} pixels, not {rules.size[0]}x{rules.size[1]}')
    return (data, kind) if kept else (encode(image, rules.quality, '444'), '.jpg')
