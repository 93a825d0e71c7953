"""The ``.idx`` beside a ``.rec``: keys and byte offsets as two arrays, whatever their number."""
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.recordio import FIRST, MAGIC, MAX_LENGTH, REMEDY, WHOLE, RecordReader

BLOCK = 1 << 20  # bytes of an index that are parsed at once
STEP = 1 << 12  # records of a scan between two places that it can go on from
AT_ONCE = 1 << 20  # bytes of a record that are read with its head, where the next one begins so far on


def rebuild_index(reader, on_fault='stop', advance=lambda offset: None, kept=None):
    """Find where records start by one scan.

    Args:
        reader (RecordReader): The file.
        on_fault (str): ``'stop'``, or ``'skip'`` to go on at the next place where a record may start.
        advance (callable): Told the byte that the scan has reached.
        kept (KeptSteps, optional): Goes on from there, and keeps how far it is.

    Returns:
        tuple[ndarray, list[str]]: Offsets, int64 (R,), and what was wrong.

    Raises:
        FormatError: At the first fault, if ``on_fault`` is ``'stop'``.
    """
    parts, faults, offset = [np.zeros(0, np.int64)], [], kept.reached if kept else 0
    for distances, told in kept.found() if kept else ():
        parts.append(np.cumsum(distances, dtype=np.int64))
        faults += told
    while offset is not None and offset < reader.size:
        offsets, told = [], []
        while offset is not None and offset < reader.size and len(offsets) + len(told) < STEP:
            advance(offset)
            try:
                _, after = reader.read_next(offset)
                offsets.append(offset)
                offset = after
            except FormatError as error:
                if on_fault == 'stop':
                    raise
                told.append(str(error))
                offset = reader.resync(offset + 4)
        parts.append(np.array(offsets, np.int64))
        faults += told
        if kept:  # distances are short numbers
            kept.add(reader.size if offset is None else offset, [np.diff(parts[-1], prepend=0).tolist(), told])
    return np.concatenate(parts), faults


def _first_bad_line(path):
    """Number and text of the first line that is not two integers."""
    with open(path, errors='replace') as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            if words and (len(words) != 2 or not all(word.isascii() and word.isdecimal() for word in words)):
                return f'line {number}: {line.strip()[:60]!r}'
    return 'its last line'


def _decimals(columns):
    """Numbers of digits that stand in columns, uint8 (R, D), as int64 (R,)."""
    out = np.zeros(len(columns), np.int64)
    for column in columns.T:
        out *= 10
        out += column
        out -= ord('0')
    return out


def _parse_lines(data):
    """Numbers of whole lines, uint8 (B,), as int64 (2, R); None if they are not all ``digits TAB digits``.

    Keys and offsets rise, so that lines of one length stand together and their digits in columns.
    """
    tabs, ends = np.flatnonzero(data == ord('\t')), np.flatnonzero(data == ord('\n'))
    digits = np.count_nonzero(data - np.uint8(ord('0')) < 10)
    if not len(ends) or len(tabs) != len(ends) or digits + 2 * len(ends) != len(data) or ends[-1] != len(data) - 1:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    left, right = tabs - starts, ends - tabs - 1
    runs = np.flatnonzero((left[1:] != left[:-1]) | (right[1:] != right[:-1])) + 1
    if len(runs) > 99 or min(left.min(), right.min()) < 1 or max(left.max(), right.max()) > 18:
        return None
    numbers = np.empty((2, len(ends)), np.int64)
    for first, last in zip([0, *runs], [*runs, len(ends)]):
        lines = data[starts[first]:ends[last - 1] + 1].reshape(last - first, -1)
        numbers[0, first:last] = _decimals(lines[:, :left[first]])
        numbers[1, first:last] = _decimals(lines[:, left[first] + 1:-1])
    return numbers


def _read_ascending(path):
    """Numbers of an index as writers leave it, int64 (2, R), by blocks that fit a cache; None for any other."""
    found, rest = [], b''
    with open(path, 'rb') as file:
        while block := file.read(BLOCK):
            whole, end, rest = (rest + block).rpartition(b'\n')
            numbers = _parse_lines(np.frombuffer(whole + end, np.uint8))
            if numbers is None:
                return None
            found.append(numbers)
    return None if rest or not found else np.concatenate(found, axis=1)


def read_index(path):
    """Read an index: ``key TAB offset`` a line; gaps, any order, blank lines and Windows line ends are fine.

    Args:
        path (str | Path): The ``.idx`` file.

    Returns:
        tuple[ndarray, ndarray]: Keys and offsets, int64 (R,), sorted by key.

    Raises:
        FormatError: If a line is not two integers, or a key stands there twice.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            numbers = _read_ascending(path)
            if numbers is None:
                numbers = np.fromfile(path, np.int64, sep=' ')
                numbers = numbers.reshape(-1, 2).T if len(numbers) % 2 == 0 else -np.ones((1, 1))
    except (DeprecationWarning, ValueError):
        numbers = -np.ones((1, 1))
    if len(numbers) != 2 or (numbers < 0).any():
        raise FormatError(f'{path} is not an index ({_first_bad_line(path)}); a line is "key TAB byte offset". Remove '
                          'the file to have it rebuilt from the .rec')
    keys, offsets = np.ascontiguousarray(numbers)
    if len(keys) and not (keys[1:] > keys[:-1]).all():
        order = np.argsort(keys, kind='stable')
        keys, offsets = keys[order], offsets[order]
        twice = keys[1:] == keys[:-1]
        if twice.any():
            raise FormatError(f'{path}: key {keys[1:][twice][0]} stands there twice. Remove the file to have it '
                              'rebuilt from the .rec')
    return keys, offsets


class IndexedRecords(RecordReader):
    """Records by key. Memory is two int64 arrays, shared by forked workers.

    Args:
        path (str | Path): The ``.rec`` file.
        index_path (str | Path, optional): Default: the same name with ``.idx``; rebuilt by a scan if not there.

    Raises:
        FileNotFoundError: If the ``.rec`` is not there.
        FormatError: If the index is none, or points past the end of the file.
    """

    def __init__(self, path, index_path=None):
        super().__init__(path)
        self.index_path = Path(index_path) if index_path else Path(path).with_suffix('.idx')
        if self.index_path.exists():
            self.keys, self.offsets = read_index(self.index_path)
        else:
            warnings.warn(f'{self.index_path} is not there: records are numbered by a scan of {path}, now and each '
                          'time; mlaface data verify FILE.rec --write-index keeps what it finds', stacklevel=2)
            self.offsets, _ = rebuild_index(self)
            self.keys = np.arange(len(self.offsets))
        self._check_offsets()

    def _check_offsets(self):
        past = (self.offsets > self.size - 8) | (self.offsets % 4 != 0)
        if past.any():
            bad = int(np.argmax(past))
            raise FormatError(f'{self.index_path}: key {self.keys[bad]} points to byte {self.offsets[bad]} of '
                              f'{self.path}, where no record can start (the file has {self.size} bytes): one of the '
                              f'two is truncated or belongs to another set. {REMEDY}')

    def __len__(self):
        return len(self.keys)

    def position(self, key):
        """Place of a key in ``keys``.

        Raises:
            KeyError: If the index has no such key.
        """
        place = int(np.searchsorted(self.keys, key))
        if place == len(self.keys) or self.keys[place] != key:
            raise KeyError(f'{self.index_path} has no key {key}')
        return place

    def read_key(self, key):
        """The payload (bytes) of the record with a key.

        Raises:
            KeyError: If the index has no such key.
            FormatError: If the record is damaged; names file and key.
        """
        return self.read_position(self.position(key))

    def read_position(self, place):
        """The payload (bytes) of the record at a place of ``keys``."""
        offset = self.offsets.item(place)
        after = self.offsets.item(place + 1) if place + 1 < len(self.offsets) else self.size  # in files as written
        try:
            return self.read(offset, after - offset if 8 < after - offset < AT_ONCE else 8)
        except FormatError as error:
            raise FormatError(f'key {self.keys[place]}: {error}') from error

    def words(self, places, count):
        """First words of payloads without reading the rest: what a scan of millions of headers needs.

        Args:
            places (ndarray): Places of ``keys``, (M,).
            count (int): Words of 4 bytes.

        Returns:
            tuple[ndarray, ndarray]: uint32 (M, count), and the bytes of the record's first part, int64 (M,): words
            behind them are none of the record, and -1 says that no record starts there.
        """
        file = np.memmap(self.path, np.dtype('<u4'), 'r', shape=(self.size // 4,))
        start = self.offsets[places] // 4
        lrec = file[start + 1]
        starts = (file[start] == MAGIC) & np.isin(lrec >> 29, (WHOLE, FIRST))
        reach = np.minimum(start[:, None] + 2 + np.arange(count), len(file) - 1)
        return np.asarray(file[reach]), np.where(starts, lrec & MAX_LENGTH, np.int64(-1))
