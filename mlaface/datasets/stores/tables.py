"""MS-Celeb-1M's table in a store: all of it read once to find its lines, images by ranged reads in blocks."""
import io

from mlaface.datasets.formats.celeb_table import CelebTable
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.stores.address import StoreAddress
from mlaface.datasets.stores.files import PIECE, Patience, StoreFile
from mlaface.datasets.stores.reader import RangedReader


class StoredTable(CelebTable):
    """A ``.tsv`` in a store.

    Args:
        address (StoreAddress): The file.

    Raises:
        MissingDataError: If it is not there.
        FormatError: If a line is none of MS-Celeb-1M's.
        StoreError: If the store fails.
    """

    remote = True

    def __init__(self, address):
        self.file, told = StoreFile(address), Patience()
        self.version, whole = self.file.version, self.file.size / 1e9
        super().__init__(address, lambda offset: told.tell(
            lambda: f'{address}: its lines are looked for, {offset / 1e9:.3g} of {whole:.3g} GB so far'))

    def _whole(self):
        return io.BufferedReader(RangedReader(self.file, cached=True), PIECE)

    def read_at(self, path, offset, size):
        """``size`` bytes (int) of the table from a byte on; ``FormatError`` where it ends before."""
        data = self.file.read(offset, size)
        if len(data) < size:
            raise FormatError(f'{path} ends within the {size} bytes from byte {offset} on')
        return data

    def expect(self, places):
        """Fetch the blocks of images at once."""
        self.file.expect(self.lines[places].tolist())


def open_table(path):
    """A ``.tsv`` at a path or an address."""
    return StoredTable(path) if isinstance(path, StoreAddress) else CelebTable(path)
