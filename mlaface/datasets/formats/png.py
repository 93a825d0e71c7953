"""PNG files: chunks that are whole, and the file without what libpng would complain of on its own."""
import struct
import zlib

from mlaface.datasets.formats.errors import DecodeError

SIGNATURE = b'\x89PNG\r\n\x1a\n'
PIXELS = frozenset([b'IHDR', b'PLTE', b'tRNS', b'IDAT', b'IEND'])
HEAD = struct.Struct('>I4s')


def chunks(data):
    """Walk over the chunks of a PNG; their checksums are not looked at.

    Args:
        data (bytes): The file.

    Yields:
        tuple[bytes, int, int]: Kind, and where its content begins and ends; 8 bytes lie before it, 4 behind it.

    Raises:
        DecodeError: If the file is cut off.
    """
    place, kind = len(SIGNATURE), None
    while kind != b'IEND':
        length, kind = HEAD.unpack_from(data, place) if len(data) >= place + 12 else (len(data), b'')
        if len(data) < place + 12 + length:
            raise DecodeError(f'PNG of {len(data)} bytes is cut off')
        yield kind, place + 8, place + 8 + length
        place += 12 + length


def is_whole(data, start, stop):
    """Whether the checksum of a chunk, whose content begins and ends there, is that of what it holds (bool)."""
    return zlib.crc32(data[start - 4:stop]) == int.from_bytes(data[stop:stop + 4], 'big')


def pixels_alone(data):
    """A PNG without the chunks that say nothing of its pixels, such as colour profiles, of which libpng complains.

    Args:
        data (bytes): The file.

    Returns:
        bytes: A file of the same pixels.

    Raises:
        DecodeError: If it is cut off, or a chunk of pixels is damaged.
    """
    kept = [(kind, start, stop) for kind, start, stop in chunks(data) if kind in PIXELS]
    for kind, start, stop in kept:
        if not is_whole(data, start, stop):
            raise DecodeError(f'PNG of {len(data)} bytes is damaged: its chunk {kind.decode()} at byte {start - 8} has '
                              'another checksum')
    return SIGNATURE + b''.join(data[start - 8:stop + 4] for _, start, stop in kept)
