"""CRC-32 at the speed of memory, and files that carry their own."""
import mmap
from pathlib import Path

from mlaface.utils.errors import UserError

try:
    from isal.isal_zlib import crc32
except ImportError:  # no build for this processor: the same numbers, more slowly
    from zlib import crc32

PIECE = 1 << 18  # bytes that stay in a core's cache from being read to being summed
MARK, DIGITS = b'mlaface-crc32:', 8
UNSEALED = MARK.decode() + '0' * DIGITS
WINDOW = 1 << 16


class DamagedFileError(UserError, ValueError):
    """A file that is not as it was written."""


def damaged(path, what):
    """The error to raise for a damaged file, with what is wrong in it."""
    return DamagedFileError(f'{path} is damaged: {what}. Copy it again from where it came, or use an older one')


def checksum(path):
    """CRC-32 of a file, read in pieces, as eight hexadecimal digits."""
    value, buffer = 0, memoryview(bytearray(PIECE))
    with open(path, 'rb', buffering=0) as stream:
        while count := stream.readinto(buffer):
            value = crc32(buffer[:count], value)
    return f'{value:08x}'


def checksum_of(*arrays):
    """CRC-32 (int) of arrays, one behind the other."""
    value = 0
    for array in arrays:
        value = crc32(array.tobytes(), value)
    return value


def _find_seal(content):
    """Place of the digits in a file's bytes; -1 without a seal, which stands in the first or the last 64 KB."""
    place = content.find(MARK, 0, WINDOW)
    place = place if place >= 0 else content.rfind(MARK, max(0, len(content) - WINDOW))
    return place if place < 0 else place + len(MARK)


def _digits(content, place):
    """CRC-32 of a file's bytes as they were with zeros for the digits at ``place``."""
    with memoryview(content) as view, view[:place] as before, view[place + DIGITS:] as behind:
        return b'%08x' % crc32(behind, crc32(b'0' * DIGITS, crc32(before)))


def seal(path):
    """Write a file's checksum into it, where the format left room for it: over the zeros of ``UNSEALED``.

    Args:
        path (str | Path): A file that holds ``UNSEALED`` once, in its first or its last 64 KB.
    """
    with open(path, 'r+b') as stream, mmap.mmap(stream.fileno(), 0) as content:
        place = _find_seal(content)
        content[place:place + DIGITS] = _digits(content, place)


def check_seal(path):
    """Refuse a file that is not as ``seal`` left it.

    Args:
        path (str | Path): The file; one without a seal, of other projects or older, is let through.

    Raises:
        DamagedFileError: If its bytes do not have the checksum that it carries.
    """
    if not Path(path).stat().st_size:
        return
    with open(path, 'rb') as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = _find_seal(content)
        if place >= 0 and content[place:place + DIGITS] != _digits(content, place):
            raise damaged(path, 'its bytes do not have the checksum that stands in it')
