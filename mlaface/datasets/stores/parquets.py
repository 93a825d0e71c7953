"""Parquet in a store: what tells rows and classes by small reads past the cache, row groups by ranges in blocks."""
from mlaface.datasets.formats.parquet_set import ParquetSet, open_file, training_part
from mlaface.datasets.stores.address import StoreAddress, plain_part
from mlaface.datasets.stores.files import StoreFile, at_once, digest
from mlaface.datasets.stores.listing import list_folder, listed_file
from mlaface.datasets.stores.reader import RangedReader


class StoredParquet(ParquetSet):
    """Parquet files of a folder, or one file; behind http ``images.lst`` of the folder says which there are.

    Args:
        address (StoreAddress): Folder or file.

    Raises:
        MissingDataError: If it, or a file that the list names, is not there, or the folder cannot be listed.
        FormatError: If a file is damaged, or has no images and classes.
        StoreError: If the store fails.
    """

    remote = True

    def __init__(self, address):
        super().__init__(address)
        self.reader = None  # of the file that was looked at last

    def _find(self, path):
        if path.suffix == '.parquet':
            found = [path]
        else:
            names = [name.decode() for name in list_folder(path).names.tolist() if name.endswith(b'.parquet')]
            names.sort(key=lambda name: name.split('/'))  # as paths are: rows have the numbers of a local copy
            found = [listed_file(path, plain_part(name, path)) for name in training_part(names, path)]
        self.stored = dict(zip(found, at_once(StoreFile, found)))
        self.version = digest(*(file.version for file in self.stored.values()))
        return found

    def _to_read(self, name):
        return open_file(name, RangedReader(self.stored[name], cached=True))

    def _to_look(self, name):
        self.reader = RangedReader(self.stored[name], cached=False)
        return open_file(name, self.reader)

    def _labels(self, file, label):
        columns = [group.column(number) for group in map(file.metadata.row_group, range(file.num_row_groups))
                   for number in range(group.num_columns)]
        self.reader.ahead([(column.dictionary_page_offset or column.data_page_offset, column.total_compressed_size)
                           for column in columns if column.path_in_schema.partition('.')[0] == label])
        return [value for group in range(file.num_row_groups)
                for value in file.read_row_group(group, [label], use_threads=False)[label].to_pylist()]


def open_parquet(path):
    """Parquet files at a path or an address."""
    return StoredParquet(path) if isinstance(path, StoreAddress) else ParquetSet(path)
