"""Files of a store: large ones read in blocks through the cache, others fetched whole and once."""
import os
import shutil
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock

from mlaface.datasets.stores.address import StoreAddress
from mlaface.datasets.stores.block_cache import BlockCache
from mlaface.datasets.stores.errors import ChangedError, RefusedError
from mlaface.datasets.stores.store import head, read_range
from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import FullDiskError, InputError, MissingDataError, StoreError
from mlaface.utils.files import atomic_path

AT_ONCE = 8  # requests of one process
PIECE = 1 << 23  # bytes of a request where a whole file is fetched
SILENCE = 10.0  # seconds until it is said how far long work has come; then twice as long, and so on
_pools = {}


def at_once(function, items):
    """What a function gives for items, several at once, in their order (list)."""
    items = list(items)
    if len(items) < 2:
        return list(map(function, items))
    if os.getpid() not in _pools:
        _pools.clear()  # threads do not live on in a forked process
        _pools[os.getpid()] = ThreadPoolExecutor(AT_ONCE)
    return list(_pools[os.getpid()].map(function, items))


def digest(*words):
    """24 hexadecimal digits (str) that stand for some values."""
    return blake2b('\n'.join(map(str, words)).encode(), digest_size=12).hexdigest()


class Patience:
    """Says how far long work has come, in warnings that grow rare."""

    def __init__(self):
        self.pause, self.begun = SILENCE, time.monotonic()

    def tell(self, text):
        """Warn of a text (callable, which gives it) if it is time."""
        if time.monotonic() - self.begun > self.pause:
            self.pause *= 2
            self.say(text())

    @staticmethod
    def say(text):
        """Warn of a text (str)."""
        warnings.warn(text, stacklevel=3)


class StoreFile:
    """A file of a store, read by ranges; forked and pickled without its connections.

    A file that fills no block is one block, which lies among others of its kind.

    Args:
        address (StoreAddress): The file.
        size (int, optional): Bytes that it must have, if that is known.
        found (Head, optional): What ``head`` would say of it, if that is known.
        cache (BlockCache, optional): Shared with others. Default: one of its own, over the same blocks.

    Attributes:
        size (int): Its bytes. version (str): Names it and this version of it.

    Raises:
        MissingDataError: If it is not there.
        StoreError: If it has another size, or cannot be read by ranges.
    """

    def __init__(self, address, size=None, found=None, cache=None):
        found = found or head(address)
        if size is not None and found.size != size:
            raise StoreError(f'{address} has {found.size} bytes, its index says {size}: they are of two versions')
        self.address, self.size, self.block = address, found.size, address.settings.block
        self.tag, self.ranges = found.tag, found.ranges
        if not self.ranges and self.size > self.block:
            raise StoreError(f'{address}: the server knows no ranges, so that no image can be read by itself: serve '
                             'the set by another one, or copy it')
        self.version = digest(address, found.size, found.tag, self.block)
        self.cache = cache or BlockCache(address.settings.limit)

    def _name(self, number):
        version = self.version
        return f'{version}/{number}' if self.size > self.block else f'{version[:2]}/{version[2:]}'

    def _extent(self, number):
        return min(self.block, self.size - number * self.block)

    def _fetched(self, number):
        """The whole block, from the store unless another process was quicker."""
        name, size = self._name(number), self._extent(number)
        with self.cache.fetching(name, self.address.settings.timeout):
            data = self.cache.read(name, size, 0, size)
            if data is None:
                data = self.direct(number * self.block, size)
                self.cache.put(name, data)
        return data

    def _part(self, number, start, stop):
        data = self.cache.read(self._name(number), self._extent(number), start, stop - start)
        return self._fetched(number)[start:stop] if data is None else data

    def _numbers(self, offset, size):
        stop = min(offset + size, self.size)
        return range(offset // self.block, -(-stop // self.block)) if stop > offset else range(0)

    def read(self, offset, size):
        """Bytes of the file; fewer than ``size`` where it ends before."""
        stop = min(offset + size, self.size)
        return b''.join(self._part(number, max(offset - number * self.block, 0),
                                   min(stop - number * self.block, self.block))
                        for number in self._numbers(offset, size))

    def direct(self, offset, size):
        """``size`` bytes past the cache, of a server that can give a part of a file."""
        if not self.ranges and size < self.size:
            return self.read(offset, size)
        try:
            return read_range(self.address, offset, size, self.tag)
        except MissingDataError as error:
            raise ChangedError(f'{error} any more') from None

    def expect(self, extents):
        """Fetch what pairs of offset and size will need, several blocks at once; no more than the cache then holds."""
        fetch_blocks([(self, number) for extent in extents for number in self._numbers(*extent)])

    def blocks(self):
        """All of its blocks, as ``fetch_blocks`` takes them (list)."""
        return [(self, number) for number in self._numbers(0, self.size)]


def fetch_blocks(blocks):
    """Fetch blocks that are not in the cache, several at once; no more than half of what the cache holds.

    Args:
        blocks (Sequence[tuple[StoreFile, int]]): Files and numbers of their blocks, of one store.
    """
    wanted, room = [], None
    for file, number in dict.fromkeys(blocks):
        room = (file.address.settings.limit // 2 if room is None else room) - file._extent(number)
        if room < 0:
            break
        if not file.cache.has(file._name(number)):
            wanted.append((file, number))
    at_once(lambda block: block[0]._fetched(block[1]), wanted)


def local_folder(folder, needed, optional=(), bounded=False):
    """Fetch files of a set once, whole, into a folder that names their versions.

    Args:
        folder (StoreAddress): Where they lie.
        needed (Sequence[str]): Names of those that must be there.
        optional (Sequence[str]): Names of those that may be.
        bounded (bool): Of files that may be large: all that were fetched so stay within the limit of the cache.

    Returns:
        Path: A folder of the cache that holds them; others of its files are of the same versions.

    Raises:
        MissingDataError: If one that is needed is not there.
        InputError, FullDiskError: If the cache's limit or the disk has no room for them.
        StoreError: If the store fails.
    """
    def look(name):
        try:
            return head(folder / name)
        except (MissingDataError, RefusedError):  # S3 refuses what is not there to those who may not list
            if name in needed:
                raise
            return None
    names = [*needed, *optional]
    heads = {name: found for name, found in zip(names, at_once(look, names)) if found is not None}
    place = cache_folder('stores', 'copies' if bounded else 'indexes',
                         digest(folder, *(f'{name} {heads[name]}' for name in heads)))

    def missing():
        return {name: found for name, found in heads.items()
                if not (place / name).is_file() or (place / name).stat().st_size != found.size}
    if missing():
        with FileLock(place.with_name('copies.lock' if bounded else f'{place.name}.lock')):
            lacking = missing()
            if bounded and lacking:
                _check_room(folder, heads, place)
            for name, found in lacking.items():
                _fetch(folder / name, found, place / name)
    return place


def local_file(address):
    """A file of a store, fetched once into the cache; see ``local_folder``.

    Args:
        address (StoreAddress): The file.

    Returns:
        Path: Its copy.
    """
    return local_folder(address.parent, [address.name]) / address.name


def read_file(path):
    """All bytes of a small file, such as a list.

    Args:
        path (str | Path | StoreAddress): Where it is; what lies in a store is fetched once, into the cache.

    Returns:
        bytes: Its content.

    Raises:
        FileNotFoundError: If it is not there.
        StoreError: If the store fails.
    """
    return Path(local_file(path) if isinstance(path, StoreAddress) else path).read_bytes()


def _check_room(folder, heads, place):
    """Refuse files that are to be fetched whole where there is no room for them; what a kill left of them goes."""
    for part in place.glob('.*.part'):
        part.unlink()
    limit, need = folder.settings.limit, sum(found.size for found in heads.values())
    largest = folder / max(heads, key=lambda name: heads[name].size)
    others = sum(file.stat().st_size for file in place.parent.glob('*/*') if file.is_file() and file.parent != place)
    for taken, beside in ((0, ''), (others, f', of which other copies in {place.parent} take {_gb(others)} (remove '
                                            'those that are not needed any more)')):
        if taken + need > limit:
            raise InputError(f'{largest} is copied whole, and has {_gb(need)}; the cache takes {_gb(limit)}{beside}. '
                             'Raise cache_gb or MLAFACE_CACHE_GB, or have tar shards, which are read in parts: mlaface '
                             'data convert SET OUT --to tar')
    free = shutil.disk_usage(place).free
    if need > free:
        raise FullDiskError(f'{largest} is copied whole, and has {_gb(need)}; the disk of {place} has {_gb(free)} left')


def _gb(count):
    return f'{count / 1e9:.3g} GB'


def _fetch(address, found, path):
    """A whole file, several pieces at once; it appears when it is complete."""
    step, told = PIECE if found.ranges else max(found.size, 1), Patience()
    turns = range(0, found.size, AT_ONCE * step)

    def piece(start):
        return read_range(address, start, min(step, found.size - start), found.tag)
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        for turn in turns:
            for data in at_once(piece, range(turn, min(turn + AT_ONCE * step, found.size), step)):
                file.write(data)
            told.tell(lambda: f'{address}: {_gb(file.tell())} of {_gb(found.size)} are copied')
