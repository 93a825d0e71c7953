"""Files of a store: large ones read in blocks through the cache, small ones fetched once."""
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from filelock import FileLock

from mlaface.datasets.stores.block_cache import BlockCache
from mlaface.datasets.stores.store import RefusedError, head, read_range
from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import MissingDataError, StoreError
from mlaface.utils.files import atomic_path

AT_ONCE = 8  # requests of one process
PIECE = 1 << 23  # bytes of a request where a whole file is fetched
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


def _digest(*words):
    return blake2b('\n'.join(map(str, words)).encode(), digest_size=12).hexdigest()


class StoreFile:
    """A file of a store, read by ranges; forked and pickled without its connections.

    Args:
        address (StoreAddress): The file.
        size (int, optional): Bytes that it must have, if that is known.

    Attributes:
        size (int): Its bytes. version (str): Names it and this version of it.

    Raises:
        MissingDataError: If it is not there.
        StoreError: If it has another size, or cannot be read by ranges.
    """

    def __init__(self, address, size=None):
        found = head(address)
        if size is not None and found.size != size:
            raise StoreError(f'{address} has {found.size} bytes, its index says {size}: they are of two versions')
        if not found.ranges:
            raise StoreError(f'{address}: the server knows no ranges, so that no image can be read by itself: serve '
                             'the set by another one, or copy it')
        self.address, self.size, self.block = address, found.size, address.settings.block
        self.version = _digest(address, found.size, found.tag, self.block)
        self.cache = BlockCache(address.settings.limit)

    def _extent(self, number):
        return min(self.block, self.size - number * self.block)

    def _fetched(self, number):
        """The whole block, from the store unless another process was quicker."""
        name, size = f'{self.version}/{number}', self._extent(number)
        with self.cache.fetching(name, self.address.settings.timeout):
            data = self.cache.read(name, size, 0, size)
            if data is None:
                data = self.direct(number * self.block, size)
                self.cache.put(name, data)
        return data

    def _part(self, number, start, stop):
        data = self.cache.read(f'{self.version}/{number}', self._extent(number), start, stop - start)
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
        """``size`` bytes past the cache."""
        try:
            return read_range(self.address, offset, size)
        except MissingDataError as error:
            raise StoreError(f'{error} any more') from None

    def expect(self, extents):
        """Fetch what pairs of offset and size will need, several blocks at once; no more than the cache then holds."""
        numbers = list(dict.fromkeys(number for extent in extents for number in self._numbers(*extent)))
        numbers = numbers[:self.address.settings.limit // self.block // 2]
        at_once(self._fetched, [number for number in numbers if not self.cache.has(f'{self.version}/{number}')])


def local_folder(folder, needed, optional=()):
    """Fetch the small files of a set once, into a folder that names their versions.

    Args:
        folder (StoreAddress): Where they lie.
        needed (Sequence[str]): Names of those that must be there.
        optional (Sequence[str]): Names of those that may be.

    Returns:
        Path: A folder of the cache that holds them; others of its files are of the same versions.

    Raises:
        MissingDataError: If one that is needed is not there.
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
    place = cache_folder('stores', 'indexes', _digest(folder, *(f'{name} {heads[name]}' for name in heads)))
    with FileLock(place.with_name(f'{place.name}.lock')):
        for name, found in heads.items():
            path = place / name
            if not path.is_file() or path.stat().st_size != found.size:
                with atomic_path(path) as temporary, open(temporary, 'wb') as file:
                    step = PIECE if found.ranges else max(found.size, 1)
                    for start in range(0, found.size, step):
                        file.write(read_range(folder / name, start, min(step, found.size - start)))
    return place
