"""Steps of a look at a set, of any size, kept while a command lasts: one that was killed goes on behind the last.

``KeptRows`` keep what other commands want too, a row an image; steps are gone when all is done. A file is a head, which
tells what the steps are of, and parts that are appended, each with its CRC-32: what counts ends before the first that
is not whole.
"""
import json
import os
import struct
import time
import zlib
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version

import cv2
from filelock import FileLock, Timeout

from mlaface.datasets.location import absolute
from mlaface.utils.cache import cache_folder
from mlaface.utils.checksums import crc32
from mlaface.utils.files import write_at
from mlaface.version import __version__

SECONDS = 2  # between two parts, as between two states of a set that is written
FRAME = struct.Struct('<II')  # bytes, CRC-32
REACHED = struct.Struct('<Q')
REFUSALS = (OSError, RuntimeError)  # of the disk; no home folder, no locks


class KeptSteps:
    """Steps of one look at one set. A disk that refuses them ends nothing: the look then goes on without.

    Nothing is written in the first seconds. Where another process keeps the same steps, this one keeps none.

    Args:
        path (str | Path): The set; its steps have one file, below the folder ``sets`` of the cache.
        look (str): What the look is called.
        bound (dict[str, object]): Plain values that the steps hold for, by what is said to have changed where they are
            others than those of an earlier call.
        total (int): What is reached in the end.
        unit (str): Of it.
        tell (callable): Told a line (str) where the look goes on, begins anew, or is not kept.

    Attributes:
        reached (int): How far the steps of an earlier call came.
    """

    def __init__(self, path, look, bound, total, unit, tell=lambda line: None):
        self.reached, self._tell, self._lock, self._path = 0, tell, None, None
        self._waiting, self._next, self._kept = [], 0, time.monotonic()
        try:
            folder = cache_folder('sets')
            name = sha256(os.fsencode(absolute(path))).hexdigest()[:32]
            self._path = folder / f'{name}-{look}.steps'
            self._head, self._end = json.dumps(bound, sort_keys=True).encode(), 0
            if self._path.is_file() and self._claim():
                self._open(total, unit)
        except REFUSALS as error:
            self._give_up(error)

    def _open(self, total, unit):
        """Find how far the file is whole and of this look."""
        size = os.stat(self._path).st_size
        with open(self._path, 'rb') as file:
            head, end = _part(file, size), file.tell()
            if head != self._head:
                self._tell(f'begins anew: {self._changed(head)}')
                return
            while (data := _part(file, size)) is not None:
                self.reached, end = REACHED.unpack_from(data)[0], file.tell()
        os.truncate(self._path, end)
        self._end = end
        if self.reached:
            self._tell(f'goes on at {self.reached} of {total} {unit}')

    def _changed(self, head):
        if head is None:
            return 'what was kept is damaged'
        known, here = json.loads(head), json.loads(self._head)
        return f'{" and ".join(key for key in here if known.get(key) != here[key])} changed'

    def found(self):
        """What the steps that are kept have found, in order, read as they are asked for."""
        if not self.reached:
            return
        with open(self._path, 'rb') as file:
            file.seek(FRAME.size + len(self._head))
            while file.tell() < self._end:
                yield from json.loads(zlib.decompress(_part(file, self._end)[REACHED.size:]))

    def add(self, reached, found):
        """A step is done.

        Args:
            reached (int): Up to where, with all before.
            found (object): What it has found, plain values.
        """
        if self._path is None:
            return
        self._waiting.append(found)
        self._next = reached
        if time.monotonic() - self._kept >= SECONDS:
            self.keep()

    def keep(self):
        """Write the steps that are not kept yet."""
        if self._path is None or not self._waiting or not self._claim():
            return
        data = REACHED.pack(self._next) + zlib.compress(json.dumps(self._waiting).encode(), 1)
        begin = b'' if self._end else _framed(self._head)
        try:
            if begin:
                self._path.unlink(missing_ok=True)  # of another look, or damaged
            write_at(self._path, self._end, begin + _framed(data))
        except REFUSALS as error:
            self._give_up(error)
            return
        self._end += len(begin) + FRAME.size + len(data)
        self.reached, self._waiting, self._kept = self._next, [], time.monotonic()

    def _claim(self):
        """Whether the file is this process's to write."""
        if self._lock is None:
            lock = FileLock(f'{self._path}.lock')
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._tell('another process is at it too: this one begins at the start, and is not kept for a kill')
                self._forget()
                return False
            except REFUSALS as error:
                self._give_up(error)
                return False
            self._lock = lock
        return True

    def _give_up(self, error):
        self._tell(f'after a kill it would begin anew, since what it finds cannot be kept: {error}')
        self._forget()

    def close(self):
        """Keep what is done, for the next call."""
        self.keep()
        self._forget()

    def _forget(self):
        self.reached, self._path, self._waiting = 0, None, []
        if self._lock:
            self._lock.release()

    def remove(self):
        """All is done: the file goes."""
        if self._path and self._lock:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        self._forget()


def tools():
    """What decides, beside the set and the options, what is found in an image (list[str])."""
    return [__version__, cv2.__version__, version('simplejpeg')]


def _framed(data):
    return FRAME.pack(len(data), crc32(data)) + data


def _part(file, size):
    """The bytes of the next part of a file of so many bytes, or None where none is whole."""
    frame = file.read(FRAME.size)
    if len(frame) < FRAME.size:
        return None
    length, expected = FRAME.unpack(frame)
    data = file.read(length) if length <= size - file.tell() else b''
    return data if len(data) == length and crc32(data) == expected else None
