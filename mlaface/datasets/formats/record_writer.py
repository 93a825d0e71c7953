"""Writing RecordIO: payloads split into parts, and a file that appears whole with its index."""
from contextlib import ExitStack

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.recordio import FIRST, HEAD, LAST, MAGIC, MAGIC_BYTES, MAX_LENGTH, MIDDLE, WHOLE
from mlaface.utils.files import atomic_path


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
    if MAGIC_BYTES not in payload:  # as nearly always
        return b''.join((HEAD.pack(MAGIC, WHOLE << 29 | len(payload)), payload, bytes(-len(payload) % 4)))
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
