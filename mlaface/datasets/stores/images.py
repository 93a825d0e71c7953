"""Image files in a store, each a file of its own: read whole, as a block of the cache, or several where it is large."""
import numpy as np

from mlaface.datasets.formats.archive import CLASSES
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_list import ListedImages
from mlaface.datasets.stores.address import StoreAddress, plain_part
from mlaface.datasets.stores.block_cache import BlockCache
from mlaface.datasets.stores.errors import ChangedError
from mlaface.datasets.stores.files import StoreFile, at_once, digest, fetch_blocks, local_folder
from mlaface.datasets.stores.listing import list_folder, listed_file
from mlaface.datasets.stores.store import Head, head
from mlaface.utils.errors import InputError, MissingDataError, StoreError
from mlaface.utils.image_files import PHOTOGRAPHS, is_image

UNKNOWN = -1  # size of an image that was not asked for yet
TAG = 64  # characters of a tag that is kept as it is


class StoredImages:
    """Images by place.

    Args:
        folder (StoreAddress): Where their names start from.
        names (Sequence[str | bytes]): Their paths below it, checked by ``plain_part``.
        listing (Listing, optional): What is known of them and other files; what is not is asked for once a process,
            when an image is first read.
    """

    def __init__(self, folder, names, listing=None):
        self.folder, self.names, self.kept = folder, names, listing and listing.kept
        if self.kept is None:
            self.sizes, self.tags = np.full(len(names), UNKNOWN), np.zeros(len(names), f'S{TAG}')
        else:
            places = np.searchsorted(listing.names, names)
            self.sizes, self.tags = listing.sizes[places], listing.tags[places]
        self.cache = BlockCache(folder.settings.limit)

    def _address(self, place):
        name = self.names[place]
        return listed_file(self.folder, name.decode() if isinstance(name, bytes) else name)

    def _file(self, place):
        address = self._address(place)
        if self.sizes[place] != UNKNOWN:
            return StoreFile(address, found=Head(int(self.sizes[place]), self.tags[place].decode(), True),
                             cache=self.cache)
        try:
            found = head(address)
        except MissingDataError as error:
            raise StoreError(f'{error}, though its list names it') from None
        tag = found.tag if found.tag.isascii() and len(found.tag) <= TAG else digest(found.tag)
        file = StoreFile(address, found=found._replace(tag=tag), cache=self.cache)
        self.tags[place], self.sizes[place] = tag, file.size
        return file

    def _whole(self, place):
        file = self._file(place)
        return file.read(0, file.size)

    def read(self, place):
        """All bytes of an image.

        Raises:
            StoreError: If the store fails, or the image is not the one that was listed; the folder is then listed anew
                when it is opened next.
        """
        return self._sure(self._whole, place)

    def expect(self, places):
        """Fetch images (list of places) that are read next, several at once."""
        def fetch():
            files = at_once(self._file, dict.fromkeys(places))
            fetch_blocks([block for file in files for block in file.blocks()])
        self._sure(fetch)

    def _sure(self, work, *arguments):
        try:
            return work(*arguments)
        except ChangedError as error:
            if self.kept is None:
                raise
            self.kept.unlink(missing_ok=True)
            raise ChangedError(f'{error}: {self.folder} is listed anew when it is opened next') from None


class StoredPhotographs:
    """Photographs below a folder in a store, as ``mlaface align`` takes those of a local one.

    Args:
        folder (StoreAddress): A folder of S3; behind http one with ``images.lst``.

    Attributes:
        names (list[str]): Paths below the folder, of any depth, in the order of a local one; no hidden ones.

    Raises:
        MissingDataError: If there are none, or the folder cannot be listed.
        StoreError: If the store fails.
    """

    def __init__(self, folder):
        self.folder, listing = folder, list_folder(folder)
        names = [name for name in map(bytes.decode, listing.names.tolist())
                 if is_image(name, PHOTOGRAPHS) and '/.' not in name]
        if not names:
            raise MissingDataError(f'no images in {folder}: give the folder of the photographs')
        self.names = sorted(names, key=lambda name: name.split('/'))
        self.places = {name: place for place, name in enumerate(self.names)}
        self.images = StoredImages(folder, [name.encode() for name in self.names], listing)

    def image(self, name):
        """The bytes of an image (str).

        Raises:
            InputError: If an address cannot hold its name.
            StoreError: If the store fails, or the image is not the one that was listed.
        """
        return self.images.read(self.places[name])

    def hold(self, target):
        """Whether a local folder lies among them: never."""
        return False

    def seen_from(self, target):
        """Where they are, as seen from a local folder: their address (str)."""
        return str(self.folder)


class StoredList(ListedImages):
    """A ``.lst`` in a store, fetched once, and the images that it names.

    Args:
        address (StoreAddress): The list.
        root (StoreAddress, optional): Folder that its paths start from. Default: the list's.

    Raises:
        MissingDataError: If it is not there.
        FormatError: If it is no such list, or names an image that does not lie beside or below it.
        StoreError: If the store fails.
    """

    remote = True

    def __init__(self, address, root=None):
        folder = local_folder(address.parent, [address.name], [CLASSES])
        super().__init__(folder / address.name)
        try:
            for name in self.files:
                plain_part(name, address)
        except InputError as error:
            raise FormatError(str(error)) from error
        self.version = f'{folder.name} {root}' if root else folder.name
        self.images = StoredImages(root or address.parent, self.files)

    def read(self, place):
        """The encoded image (bytes) at a place."""
        return self.images.read(place)

    def expect(self, places):
        """Fetch images at once."""
        self.images.expect(places)


def open_list(path, root=None):
    """A ``.lst`` and its images at a path or an address; ``root`` is the folder of the images, as the list's kind."""
    stored = isinstance(path, StoreAddress)
    if root and isinstance(root, StoreAddress) != stored:
        raise InputError(f'{path} and the root of its images, {root}, lie both in stores or both on this machine')
    return StoredList(path, root) if stored else ListedImages(path, root)
