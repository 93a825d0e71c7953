"""RecordIO of dmlc: records in parts, each behind a magic word, all integers little-endian.

A part is ``uint32 magic``, ``uint32 lrec`` (upper 3 bits a flag, lower 29 the length), the bytes, and zeros up to a
multiple of 4. Where the magic word stands in a payload at a multiple of 4, the record is split there and the word
left out, so that an aligned magic word in a file is always the head of a part.
"""
import mmap
import os
import struct
from contextlib import ExitStack

from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.files import atomic_path

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack('<I', MAGIC)
MAX_LENGTH = (1 << 29) - 1
WHOLE, FIRST, MIDDLE, LAST = range(4)
HEAD = struct.Struct('<II')
REMEDY = 'Fetch the file again, or keep what is whole by tools/datasets/verify_records.py --write-index'


def split_payload(payload):
    """Split a payload at every aligned magic word.

    Args:
        payload (bytes): The record.

    Returns:
        list[bytes]: The parts; joining them with the magic word gives the payload again.
    """
    parts, start, found = [], 0, payload.find(MAGIC_BYTES)
    while found >= 0:
        if found % 4 == 0:
            parts.append(payload[start:found])
            start = found + 4
            found = payload.find(MAGIC_BYTES, start)
        else:
            found = payload.find(MAGIC_BYTES, found + 1)
    return [*parts, payload[start:]]


def encode_record(payload):
    """The bytes of a record as they stand in a file.

    Args:
        payload (bytes): Shorter than 2**29 bytes.

    Returns:
        bytes: Its parts with heads and padding.

    Raises:
        FormatError: If the payload is too long for the format's 29-bit length.
    """
    payload = bytes(payload)
    if len(payload) > MAX_LENGTH:
        raise FormatError(f'a record of {len(payload)} bytes: RecordIO holds at most {MAX_LENGTH}')
    parts = split_payload(payload)
    flags = [WHOLE] if len(parts) == 1 else [FIRST, *[MIDDLE] * (len(parts) - 2), LAST]
    return b''.join(HEAD.pack(MAGIC, flag << 29 | len(part)) + part + bytes(-len(part) % 4)
                    for flag, part in zip(flags, parts))


class RecordWriter:
    """Write records and their index; both files appear whole at the end, or not at all.

    Args:
        path (str | Path): The ``.rec`` file.
        index_path (str | Path, optional): The ``.idx`` file; default: none is written.

    Example:
        >>> with RecordWriter('train.rec', 'train.idx') as writer:
        ...     writer.write(b'payload', key=0)
    """

    def __init__(self, path, index_path=None):
        self.path, self.index_path = path, index_path
        self.offset = self.count = 0

    def __enter__(self):
        with ExitStack() as stack:
            self._file = stack.enter_context(open(stack.enter_context(atomic_path(self.path)), 'wb'))
            self._index = None
            if self.index_path is not None:
                self._index = stack.enter_context(open(stack.enter_context(atomic_path(self.index_path)), 'w',
                                                       newline='\n'))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def write(self, payload, key=None):
        """Append a record.

        Args:
            payload (bytes): The record.
            key (int, optional): Its key in the index; default: its number.

        Returns:
            int: Byte offset of its first part.
        """
        offset, record = self.offset, encode_record(payload)
        self._file.write(record)
        if self._index is not None:
            self._index.write(f'{self.count if key is None else key}\t{offset}\n')
        self.offset += len(record)
        self.count += 1
        return offset

    def overwrite(self, offset, payload):
        """Replace a record written before by one that takes as many bytes.

        Raises:
            ValueError: If it reaches past the end of the file.
        """
        record = encode_record(payload)
        if offset + len(record) > self.offset:
            raise ValueError(f'{self.path}: a record of {len(record)} bytes does not fit at byte {offset}')
        self._file.seek(offset)
        self._file.write(record)
        self._file.seek(self.offset)


class RecordReader:
    """Read records by byte offset; the file is opened once a process, so it can be forked and pickled.

    Args:
        path (str | Path): The ``.rec`` file.

    Raises:
        FileNotFoundError: If it is not there.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.size = os.stat(self.path).st_size
        self._file = self._pid = None

    def __getstate__(self):
        return dict(self.__dict__, _file=None, _pid=None)

    def _read(self, offset, size):
        if self._pid != os.getpid():
            self._file, self._pid = open(self.path, 'rb', buffering=0), os.getpid()  # noqa: SIM115
        if hasattr(os, 'pread'):
            return os.pread(self._file.fileno(), size, offset)
        self._file.seek(offset)
        return self._file.read(size)

    def read_part(self, offset):
        """One part: its flag, its bytes, and the offset of what follows.

        Raises:
            FormatError: If there is no part here, or the file ends inside it.
        """
        head = self._read(offset, 8)
        if len(head) < 8:
            raise FormatError(f'{self.path}: the part at byte {offset} is cut off: the file ends at byte {self.size}. '
                              f'{REMEDY}')
        magic, lrec = HEAD.unpack(head)
        if magic != MAGIC:
            raise FormatError(f'{self.path}: no record starts at byte {offset} (found {magic:#010x}, a record starts '
                              f'with {MAGIC:#010x}): the .idx belongs to another .rec, or the file is damaged. Remove '
                              'the .idx to have it rebuilt')
        length = lrec & MAX_LENGTH
        data = self._read(offset + 8, min(length, max(self.size - offset - 8, 0)))  # a damaged length reserves nothing
        if len(data) < length:
            raise FormatError(f'{self.path}: the record at byte {offset} is cut off: it needs {length} bytes, the file '
                              f'ends after {len(data)} of them. {REMEDY}')
        return lrec >> 29, data, offset + 8 + length + -length % 4

    def read_next(self, offset):
        """One record, and the offset of the next.

        Args:
            offset (int): Byte offset of its first part.

        Returns:
            tuple[bytes, int]: The payload, and where the next record starts.

        Raises:
            FormatError: If no whole record starts here; names file and byte.
        """
        flag, data, after = self.read_part(offset)
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

    def read(self, offset):
        """The payload (bytes) of the record that starts at a byte offset."""
        return self.read_next(offset)[0]

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
