"""RecordIO in a store: the index fetched once, records by ranged reads in blocks, labels without reading the images."""
import warnings

import numpy as np

from mlaface.datasets.formats.insightface import TrainingTable, labels_path, read_header, read_labels, read_table
from mlaface.datasets.formats.record_index import IndexedRecords, read_index
from mlaface.datasets.formats.recordio import FIRST, MAGIC, MAX_LENGTH, WHOLE
from mlaface.datasets.stores.files import StoreFile, at_once, local_folder
from mlaface.utils.files import atomic_path

HEADS = 1024  # headers whose blocks are fetched ahead
LOOKED = 64  # images whose own labels are compared with what the set says of them
EXPECTED = 1 << 20  # bytes of a record that are fetched ahead at most


class StoredRecords(IndexedRecords):
    """Records by key, read from a store.

    Args:
        address (StoreAddress): The ``.rec`` file; its ``.idx`` lies beside it.

    Attributes:
        folder (Path): Where the small files beside it were put.

    Raises:
        MissingDataError: If it or its index is not there.
        FormatError: If the index is none, or points past the end of the file.
        StoreError: If the store fails.
    """

    def __init__(self, address):
        self.path, self.file = str(address), StoreFile(address)
        index = address.with_suffix('.idx').name
        self.labels_name = labels_path(address.name).name
        self.folder = local_folder(address.parent, [index], ['property', 'classes.txt', self.labels_name])
        self.size, self.index_path = self.file.size, self.folder / index
        self.keys, self.offsets = read_index(self.index_path)
        self._check_offsets()
        self._file = None

    def _read(self, offset, size):
        return self.file.read(offset, size)

    def expect(self, places):
        """Fetch the blocks of records (places of ``keys``) at once."""
        places = np.asarray(places)
        after = self.offsets[np.minimum(places + 1, len(self.offsets) - 1)]
        sizes = after - self.offsets[places]
        sizes = np.where((sizes > 0) & (sizes < EXPECTED), sizes, 8)
        self.file.expect(zip(self.offsets[places].tolist(), sizes.tolist()))

    def words(self, places, count):
        """See the base class; of places far apart by small reads past the cache, of others in blocks."""
        offsets, size = self.offsets[places], 4 * count + 8
        if len(offsets) and np.ptp(offsets) > len(offsets) * self.file.block:
            heads = at_once(lambda offset: self.file.direct(offset, min(size, self.size - offset)), offsets.tolist())
        else:
            heads = []
            for start in range(0, len(offsets), HEADS):
                some = offsets[start:start + HEADS].tolist()
                self.file.expect([(offset, size) for offset in some])
                heads += [self.file.read(offset, size) for offset in some]
        table = np.frombuffer(b''.join(found.ljust(size, b'\0') for found in heads), '<u4').reshape(-1, count + 2)
        lrec = table[:, 1]
        starts = (table[:, 0] == MAGIC) & np.isin(lrec >> 29, (WHOLE, FIRST))
        return np.ascontiguousarray(table[:, 2:]), np.where(starts, lrec & MAX_LENGTH, np.int64(-1))

    def table(self):
        """Images and their classes (``TrainingTable``), found once for a version of the set.

        The identity records, or ``NAME.labels.npy``, are believed if they agree with 64 images over all of the set.
        Otherwise the whole file is read once, and what was found is kept in the cache.
        """
        kept = self.folder / f'table-{self.file.version}.npy'
        if kept.is_file():
            return TrainingTable(*np.load(kept))
        found = self._by_identities() or self._by_labels()
        if found is None:
            warnings.warn(f'{self.path}: neither identity records nor {self.labels_name} tell the classes: all of its '
                          f'{self.size / 1e9:.1f} GB are read once for them', stacklevel=2)
            found = read_table(self)
        with atomic_path(kept) as temporary, open(temporary, 'wb') as file:
            np.save(file, np.array(found))
        return TrainingTable(found.places, found.labels.astype(np.int32))

    def _agrees(self, places, labels):
        looked = np.unique(np.linspace(0, len(places) - 1, LOOKED).astype(np.int64))
        return (read_labels(self, places[looked]) == labels[looked]).all()

    def _by_identities(self):
        """The table, if the header and the identity records tile the images; or None."""
        header = read_header(self)
        if header is None:
            return None
        first, last, beyond = np.searchsorted(self.keys, [1, *header.astype(np.float64)])
        words, length = self.words(np.arange(last, beyond), 8)
        if not len(words) or (length < 32).any() or (words[:, 0] != 2).any():
            return None
        starts, stops = np.searchsorted(self.keys, words[:, 6:].view('<f4').astype(np.float64)).T
        filled = stops > starts
        if (not filled.any() or starts[filled][0] != first or stops[filled][-1] != last
                or (starts[filled][1:] != stops[filled][:-1]).any()):
            return None
        labels = np.repeat(np.flatnonzero(filled).astype(np.int32), (stops - starts)[filled])
        places = np.arange(first, last)
        return TrainingTable(places, labels) if self._agrees(places, labels) else None

    def _by_labels(self):
        """The table of a set without header, by the file of labels beside it; or None."""
        path, places = self.folder / self.labels_name, np.arange(len(self))
        if not path.is_file() or read_header(self) is not None:
            return None
        try:
            labels = np.load(path)
        except Exception:  # numpy parses the head of its files by Python's tokens
            return None
        fits = labels.dtype == np.int32 and labels.shape == (len(self),) and self._agrees(places, labels)
        return TrainingTable(places, labels) if fits else None
