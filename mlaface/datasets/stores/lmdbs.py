"""LMDB in a store: a file that is mapped into memory cannot be read by ranges, so that it is copied whole, once."""
from mlaface.datasets.formats.archive import CLASSES
from mlaface.datasets.formats.lmdb_set import LmdbSet
from mlaface.datasets.stores.address import StoreAddress
from mlaface.datasets.stores.files import local_folder


def open_lmdb(path):
    """An LMDB folder, or an LMDB file, at a path or an address.

    Args:
        path (str | Path | StoreAddress): Where it is. What lies in a store is copied into the folder ``stores/copies``
            of the cache, if its limit allows, and read from there: the store cannot fail afterwards.

    Returns:
        LmdbSet: The archive.

    Raises:
        MissingDataError: If it is not there.
        InputError, FullDiskError: If there is no room for the copy.
        StoreError: If the store fails.
    """
    if not isinstance(path, StoreAddress):
        return LmdbSet(path)
    file = path if path.suffix == '.mdb' else path / 'data.mdb'
    folder = local_folder(file.parent, [file.name], [CLASSES], bounded=True)
    found = LmdbSet(folder / file.name)
    found.version = folder.name
    return found
