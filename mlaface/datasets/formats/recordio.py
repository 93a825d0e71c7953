"""RecordIO of dmlc: records in parts, each behind a magic word, all integers little-endian.

A part is ``uint32 magic``, ``uint32 lrec`` (upper 3 bits a flag, lower 29 the length), the bytes, and zeros up to a
multiple of 4. Where the magic word stands in a payload at a multiple of 4, the record is split there and the word
left out, so that an aligned magic word in a file is always the head of a part.
"""
import mmap
import os
import struct

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.positioned import read_at

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack('<I', MAGIC)
MAX_LENGTH = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEAD = struct.Struct('<II')
REMEDY = 'Fetch the file again, or keep what is whole by mlaface data verify FILE.rec --write-index'


class RecordReader:
    """Read records by byte offset; it can be forked, since no read moves the file's place for another, and pickled.

    Args:
        path (str | Path): The ``.rec`` file.

    Raises:
        FileNotFoundError: If it is not there.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.size = os.stat(self.path).st_size
        self._file = None

    def __getstate__(self):
        return dict(self.__dict__, _file=None)

    def _read(self, offset, size):
        if self._file is None:
            self._file = open(self.path, 'rb', buffering=0)  # noqa: SIM115
        return read_at(self._file, size, offset)

    def read_part(self, offset, expected=8):
        """One part: its flag, its bytes, and the offset of what follows.

        Args:
            offset (int): Where it begins.
            expected (int): Bytes that are read at once, head and all; the rest follows. Default: the head.

        Raises:
            FormatError: If there is no part here, or the file ends inside it.
        """
        read = self._read(offset, expected)
        if len(read) < 8:
            raise FormatError(f'{self.path}: the part at byte {offset} is cut off: the file ends at byte {self.size}. '
                              f'{REMEDY}')
        magic, lrec = HEAD.unpack_from(read)
        if magic != MAGIC:
            raise FormatError(f'{self.path}: no record starts at byte {offset} (found {magic:#010x}, a record starts '
                              f'with {MAGIC:#010x}): the .idx belongs to another .rec, or the file is damaged. Remove '
                              'the .idx to have it rebuilt')
        length = lrec & MAX_LENGTH
        data = read[8:8 + length]
        if len(data) < length:  # a damaged length reserves nothing
            data += self._read(offset + len(read), max(min(length, self.size - offset - 8) - len(data), 0))
        if len(data) < length:
            raise FormatError(f'{self.path}: the record at byte {offset} is cut off: it needs {length} bytes, the file '
                              f'ends after {len(data)} of them. {REMEDY}')
        return lrec >> 29, data, offset + 8 + length + -length % 4

    def read_next(self, offset, expected=8):
        """One record, and the offset of the next.

        Args:
            offset (int): Byte offset of its first part.
            expected (int): Bytes that it seems to take; a wrong number costs time only.

        Returns:
            tuple[bytes, int]: The payload, and where the next record starts.

        Raises:
            FormatError: If no whole record starts here; names file and byte.
        """
        flag, data, after = self.read_part(offset, expected)
        if flag == WHOLE:
            return data, after
        if flag != FIRST:
            raise FormatError(f'{self.path}: byte {offset} is inside a record (part flag {flag}), not at its start: '
                              'the .idx is wrong. Remove it to have it rebuilt')
        parts = [data]
        while flag != LAST:
            here = after
            flag, data, after = self.read_part(here)
            if flag not in (MIDDLE, LAST):
                raise FormatError(f'{self.path}: the record at byte {offset} lacks its last part: another record '
                                  f'starts at byte {here}. {REMEDY}')
            parts.append(data)
        return MAGIC_BYTES.join(parts), after

    def read(self, offset, expected=8):
        """The payload (bytes) of the record that starts at a byte offset; ``expected`` as in ``read_next``."""
        read = self._read(offset, expected)
        if len(read) >= 8:
            magic, length = HEAD.unpack_from(read)
            if magic == MAGIC and length <= len(read) - 8:  # of one part, WHOLE being 0, as nearly all are
                return read[8:8 + length]
        return self.read_next(offset, expected)[0]

    def __iter__(self):
        """All records in file order, as pairs of offset and payload."""
        offset = 0
        while offset < self.size:
            payload, after = self.read_next(offset)
            yield offset, payload
            offset = after

    def resync(self, offset):
        """The next byte offset at or after ``offset`` where a record may start, or None: for damaged files."""
        if not self.size:
            return None
        with open(self.path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            found = view.find(MAGIC_BYTES, offset)
            while found >= 0:
                if found % 4 == 0 and found + 8 <= self.size and view[found + 7] >> 5 in (WHOLE, FIRST):
                    return found
                found = view.find(MAGIC_BYTES, found + 1)
        return None
