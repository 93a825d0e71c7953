"""Tar shards in a store: their index fetched once, images by ranged reads in blocks."""
from mlaface.datasets.formats.archive import CLASSES, key_hash
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.tar_shards import FURTHER, INDEX, SHARDS, TarShards
from mlaface.datasets.stores.address import StoreAddress, plain_part
from mlaface.datasets.stores.files import StoreFile, local_folder
from mlaface.utils.errors import InputError, MissingDataError, StoreError

STEP = 64  # images whose heads are looked at between two places that a check can go on from


class StoredTarShards(TarShards):
    """Tar shards with ``index.npy`` and ``shards.json`` beside them; a shard is looked up when it is first needed.

    Args:
        address (StoreAddress): The folder.

    Raises:
        MissingDataError: If the index is not there.
        FormatError: If it is none, or names a shard that does not lie beside it.
        StoreError: If the store fails.
    """

    remote = True

    def __init__(self, address):
        self.address, self.sizes, self.files = address, {}, {}
        try:
            folder = local_folder(address, [INDEX, SHARDS], [FURTHER, CLASSES])
        except MissingDataError as error:
            raise MissingDataError(f'{error}: tar shards in a store need {INDEX} and {SHARDS} beside them: make them '
                                   'by mlaface data verify --write-index on a copy, and put them there') from None
        super().__init__(folder)
        self.version = folder.name

    def _check_sizes(self, entries):
        for entry in entries:
            try:
                self.sizes[plain_part(entry['name'], self.address / SHARDS)] = entry['size']
            except InputError as error:
                raise FormatError(str(error)) from error

    def _check_whole(self, entries):
        """Nothing: a store need not be listed, and the folder of this machine holds the index alone."""

    def _file(self, name):
        if name not in self.files:
            try:
                self.files[name] = StoreFile(self.address / name, self.sizes[name])
            except MissingDataError as error:  # in the middle of a run, which then ends with a checkpoint
                raise StoreError(f'{error}, though {SHARDS} names it') from None
        return self.files[name]

    def read_at(self, path, offset, size):
        """``size`` bytes (int) of a shard from a byte on; ``FormatError`` where it ends before."""
        name = path.relative_to(self.folder).as_posix()
        data = self._file(name).read(offset, size)
        if len(data) < size:
            raise FormatError(f'{self.address}/{name} ends within the {size} bytes from byte {offset} on')
        return data

    def container_faults(self, kept=None):
        """Where the head before an image has another name than the index (list[str]); a step is some images."""
        faults = [fault for found in (kept.found() if kept else ()) for fault in found]
        for start in range(kept.reached if kept else 0, len(self.index), STEP):
            stop = min(start + STEP, len(self.index))
            found = [f'{self.address}/{self.shard_of(place).name}: image {place} is not where {INDEX} has it'
                     for place in range(start, stop) if not self._is_there(place)]
            faults += found
            if kept:
                kept.add(stop, found)
        return faults

    def _is_there(self, place):
        try:
            return key_hash(self.key(place)) == self.index['key'][place]
        except FormatError:
            return False

    def expect(self, places):
        """Fetch the blocks of images at once."""
        extents = {}
        for row in self.index[places]:
            extents.setdefault(self.shards[row['shard']], []).append((int(row['offset']), int(row['size'])))
        for shard, some in extents.items():
            self._file(shard.relative_to(self.folder).as_posix()).expect(some)


def open_shards(path):
    """Tar shards at a path or an address."""
    return StoredTarShards(path) if isinstance(path, StoreAddress) else TarShards(path)
