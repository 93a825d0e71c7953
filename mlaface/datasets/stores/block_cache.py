"""Blocks of remote files on the local disk: bounded, shared by processes, each whole or absent.

A block is a file of its bytes and their CRC-32. It is renamed into place when it is complete, so that a kill leaves
nothing under its name, and checked when a process first uses it. A block that was used is touched; those that were
touched longest ago leave when there is no room. ``total`` counts the bytes of all, and is counted anew whenever room is
made: what a kill left counted or lying is forgotten then.
"""
import contextlib
import os
import struct
import time
import warnings
from pathlib import Path

from filelock import FileLock, Timeout

from mlaface.utils.cache import cache_folder
from mlaface.utils.checksums import crc32
from mlaface.utils.errors import FULL

SUM = struct.Struct('<I')
TOTAL = struct.Struct('<q')
FILLED = 0.9  # of the limit, after room was made
LOCKS = 256
STALE = 3600.0  # seconds after which a part is nobody's


class BlockCache:
    """The blocks of all files and processes.

    Args:
        limit (int): Most bytes.
        folder (Path, optional): Default: ``stores/blocks`` of the cache.
    """

    def __init__(self, limit, folder=None):
        self.limit, self.folder = limit, Path(folder or cache_folder('stores', 'blocks'))
        (self.folder / 'locks').mkdir(parents=True, exist_ok=True)
        self.known, self.pid = set(), os.getpid()

    def has(self, name):
        """Whether a block (str, ``FILE/NUMBER``) is there (bool)."""
        return os.path.exists(self.folder / name)

    def read(self, name, size, start, count):
        """A part of a block.

        Args:
            name (str): ``FILE/NUMBER``.
            size (int): Bytes of the whole block.
            start (int): First byte.
            count (int): Bytes.

        Returns:
            bytes or None: None if the block is not there, or was damaged and is removed.
        """
        if self.pid != os.getpid():
            self.known, self.pid = set(), os.getpid()
        path = self.folder / name
        try:
            with open(path, 'rb', buffering=0) as file:
                if name in self.known:
                    file.seek(start)
                    data = file.read(count)
                else:
                    whole = file.read()
                    if len(whole) != size + SUM.size or crc32(whole[:size]) != SUM.unpack(whole[size:])[0]:
                        path.unlink(missing_ok=True)
                        return None
                    if count < size:  # one that is read as a whole is checked each time
                        self.known.add(name)
                    data = whole[start:start + count]
            os.utime(path)
        except FileNotFoundError:
            self.known.discard(name)
            return None
        return data if len(data) == count else None

    def put(self, name, data):
        """Keep a block (bytes); on a disk that takes no more it is not kept."""
        path = self.folder / name
        part = path.with_name(f'.{path.name}.{os.getpid()}.{time.monotonic_ns()}.part')
        try:
            self._make_room(len(data) + SUM.size)
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, 'wb', buffering=0) as file:
                file.write(data)
                file.write(SUM.pack(crc32(data)))
                if file.tell() != len(data) + SUM.size:
                    raise OSError(FULL[0], os.strerror(FULL[0]))
            os.replace(part, path)
        except OSError as error:
            if error.errno not in FULL:
                raise
            warnings.warn(f'{self.folder}: the disk is full: what is read from the store is not kept', stacklevel=2)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def fetching(self, name, patience):
        """Hold the right to fetch a block, so that one process does; after ``patience`` seconds (float) several do."""
        lock = FileLock(self.folder / 'locks' / str(crc32(name.encode()) % LOCKS), poll_interval=0.01)
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            lock = None
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _make_room(self, size):
        with FileLock(self.folder / 'locks' / 'total', poll_interval=0.005):
            total = self.folder / 'total'
            try:
                count = TOTAL.unpack(total.read_bytes())[0] + size
            except (FileNotFoundError, struct.error):
                count = self.limit + 1
            if count > self.limit:
                count = self._leave(size)
            total.write_bytes(TOTAL.pack(count))

    def _leave(self, size):
        """Remove the blocks that were used longest ago until there is room for ``size`` bytes; what then is there."""
        found, now = [], time.time()
        for folder in os.scandir(self.folder):
            if folder.name != 'locks' and folder.is_dir():
                for entry in os.scandir(folder.path):
                    with contextlib.suppress(FileNotFoundError):
                        state = entry.stat()
                        part = entry.name.endswith('.part')
                        old = part and now - state.st_mtime > STALE
                        found.append((0 if old else now if part else state.st_mtime, state.st_size, entry.path))
        found.sort()
        count = sum(entry[1] for entry in found) + size
        aim = self.limit if count <= self.limit else int(FILLED * self.limit)
        for used, bytes_, path in found:
            if count <= aim and used:
                break
            if path.endswith('.part') and used:
                continue
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            count -= bytes_
        return count
