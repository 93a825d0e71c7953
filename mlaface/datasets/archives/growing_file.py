"""A file that only grows, and is cut back to what was known to be whole when its writing goes on."""
import os

BUFFER = 1 << 20  # with Python's 8 KB each image or two is a call of the system


class GrowingFile:
    """Append to a file from a size on; what lies behind that is cut off.

    Args:
        path (Path): The file; its folder is made.
        size (int): Bytes of it that are kept.

    Raises:
        ValueError: If the file has fewer.
    """

    def __init__(self, path, size=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.size = path, size
        self._file = open(path, 'r+b' if path.exists() else 'w+b', BUFFER)  # noqa: SIM115
        if self._file.seek(0, os.SEEK_END) < size:
            self._file.close()
            raise ValueError(f'{path} has {path.stat().st_size} bytes, {size} were written: it was changed meanwhile')
        self._file.truncate(size)
        self._file.seek(size)

    def write(self, data):
        """Append bytes."""
        self._file.write(data)
        self.size += len(data)

    def overwrite(self, offset, data):
        """Replace bytes that were written before."""
        self._file.seek(offset)
        self._file.write(data)
        self._file.seek(self.size)

    def sync(self, durable=True):
        """Flush, and ``durable`` to the disk; the size (int) from which writing can go on."""
        self._file.flush()
        if durable:
            os.fsync(self._file.fileno())
        return self.size

    def close(self):
        """Close without flushing to the disk; what a full disk does not take was not counted."""
        try:
            self._file.close()
        except OSError:
            self._file = None
