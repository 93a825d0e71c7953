"""What lies below a folder of a store: a bucket is listed, a web server cannot be and states it in ``images.lst``."""
import time
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from mlaface.datasets.formats.image_list import IMAGE_LIST, read_list
from mlaface.datasets.stores.files import Patience, digest, local_folder
from mlaface.datasets.stores.store import RefusedError, list_page
from mlaface.utils.cache import cache_folder
from mlaface.utils.errors import MissingDataError
from mlaface.utils.files import atomic_path

BELIEVED = 100  # times as long as it took is a listing taken for what is there
OLD = 60  # seconds after which that is said


class Listing(NamedTuple):
    """Files below a folder, in order of their names.

    Args:
        names (ndarray): Paths below the folder, UTF-8 bytes (N,).
        sizes (ndarray): Their bytes, int64 (N,); -1 where a list does not say.
        tags (ndarray): What tells their versions apart, bytes (N,); empty where a list does not say.
        version (str): Stands for all of these.
        kept (Path, optional): The file of the cache that holds a listing.
    """
    names: np.ndarray
    sizes: np.ndarray
    tags: np.ndarray
    version: str
    kept: object = None


def list_folder(folder):
    """List what is below a folder of S3, however deep, or read the ``images.lst`` of another store.

    A bucket is listed by pages of 1000, which takes minutes where it holds millions: what was found is kept in the
    cache, for all processes, and believed for a hundred times as long as it took.

    Args:
        folder (StoreAddress): The folder.

    Returns:
        Listing: Its files.

    Raises:
        MissingDataError: If there is none.
        InputError: If it cannot be listed, and has no ``images.lst``.
        FormatError: If that is no such list.
        StoreError: If the store fails.
    """
    if folder.scheme != 's3':
        return _stated(folder)
    kept = cache_folder('stores', 'indexes', digest(folder, *folder.settings.options)) / 'listing.npz'
    with FileLock(kept.with_name('listing.lock')):
        found = _believed(folder, kept)
        if found is None:
            begun = time.monotonic()
            found = _listed(folder)
            with atomic_path(kept) as temporary, open(temporary, 'wb') as file:
                np.savez(file, *found, seconds=time.monotonic() - begun)
    names, sizes, tags = found
    if not len(names):
        raise MissingDataError(f'no file at {folder}')
    return Listing(names, sizes, tags, digest(folder, *(sha256(array.tobytes()).hexdigest() for array in found)), kept)


def listed_file(folder, name):
    """The address of a file that a listing names.

    Args:
        folder (StoreAddress): What was listed.
        name (str): Path below it, as it stands there.

    Returns:
        StoreAddress: Where it is asked for; a web server takes what follows ``%`` for the number of a byte.

    Raises:
        InputError: If the name leads elsewhere.
    """
    return folder / (name if folder.scheme == 's3' else name.replace('%', '%25'))


def _believed(folder, kept):
    """Arrays of a listing that is not too old; or None."""
    try:
        with np.load(kept) as file:
            found, seconds = [file[f'arr_{number}'] for number in range(3)], float(file['seconds'])
        age = time.time() - kept.stat().st_mtime
    except Exception:  # numpy parses the head of its files by Python's tokens
        return None
    if not 0 <= age < BELIEVED * seconds:
        return None
    if age > OLD:
        Patience.say(f'{folder}: its {len(found[0])} files are taken as they were listed {age:.0f} seconds ago')
    return found


def _listed(folder):
    names, sizes, tags, told, token = [], [], [], Patience(), None
    while True:
        try:
            page, token = list_page(folder, token)
        except RefusedError as error:
            raise RefusedError(f'{error}. To list a folder is refused apart from reading its files: if these can be '
                               f'read, give {IMAGE_LIST} beside them to ListedFaces') from None
        for name, size, tag in filter(lambda entry: entry[0], page):  # the folder itself may have an entry
            names.append(name.encode())
            sizes.append(size)
            tags.append(tag.encode())
        if token is None:
            break
        told.tell(lambda: f'{folder}: {len(names)} files are listed so far')
    order = np.argsort(np.array(names, 'S'), kind='stable')
    return np.array(names, 'S')[order], np.array(sizes, np.int64)[order], np.array(tags, 'S')[order]


def _stated(folder):
    try:
        place = local_folder(folder, [IMAGE_LIST])
    except MissingDataError as error:
        raise MissingDataError(
            f'{error}, and a folder behind {folder.scheme} cannot be listed: put that list of its files there '
            '(mlaface data verify FOLDER --write-index makes it) or pack them (mlaface data pack FOLDER OUT --to tar)'
        ) from None
    names = np.sort(np.array([name.encode() for name in read_list(place / IMAGE_LIST)[1]], 'S'))
    return Listing(names, np.full(len(names), -1), np.full(len(names), b'', 'S1'), place.name)
