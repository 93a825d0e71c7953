"""A file of a store as an open file, for those who read such."""
import io

from mlaface.datasets.stores.files import at_once


class RangedReader(io.RawIOBase):
    """A file of a store as an open one is read.

    Args:
        file (StoreFile): The file.
        cached (bool): Whether what is read goes through the cache, by blocks; else as it is asked for.
    """

    def __init__(self, file, cached):
        self.file, self.cached, self.at, self.parts = file, cached, 0, {}

    def readable(self):
        """Yes."""
        return True

    def seekable(self):
        """Yes."""
        return True

    def tell(self):
        """The next byte that is read (int)."""
        return self.at

    def seek(self, offset, whence=io.SEEK_SET):
        """Go to a byte; where that is (int)."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.file.size}[whence]
        return self.at

    def read(self, size=-1):
        """The next bytes; all that follow if ``size`` is below 0."""
        left = max(self.file.size - self.at, 0)
        extent = self.at, left if size is None or size < 0 else min(size, left)
        self.at += extent[1]
        if self.cached:
            self.file.expect([extent])
            return self.file.read(*extent)
        return self.parts.pop(extent, None) or self.file.direct(*extent)

    def readinto(self, buffer):
        """The next bytes into memory; how many these are (int)."""
        data = self.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    def ahead(self, extents):
        """Read pairs of offset and size that are asked for next, several at once."""
        self.parts = dict(zip(extents, at_once(lambda extent: self.file.direct(*extent), extents)))
