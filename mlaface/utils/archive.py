"""Archives of ``torch.save`` whose content is checked as it is read.

torch stores a CRC-32 beside each record and never looks at it when it reads: a flipped bit becomes another weight.
"""
import contextlib
import io
import warnings
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from pathlib import Path

from mlaface.utils.checksums import PIECE, check_seal, crc32, damaged

ZIP, HEADER = b'PK\x03\x04', 30
FOLDER = 0x10  # the attribute by which torch's reader takes a record for a folder, and reads nothing


class CheckedArchive(io.RawIOBase):
    """A zip archive as a stream for ``torch.load``, which sums the bytes while they pass through the cache.

    torch reads a record's header, then its bytes at once, and these must have the checksum of that record. Records
    that any other reading may have meant are read and compared by themselves in the end, so that another version of
    torch is slower and not wrong. What is found is raised by ``check``, not while torch's C code is at work.

    Args:
        stream (BinaryIO): Open for reading, without a buffer.
        name (str | Path): The file, for messages.
        start (int): Where the archive begins in the stream. Default 0.
        size (int, optional): Its bytes. Default: up to the end.

    Attributes:
        checkable (bool): Whether there are checksums: false of an archive written with that option of torch off.

    Raises:
        DamagedFileError: If it is no zip archive, or its end is missing.
    """

    def __init__(self, stream, name, start=0, size=None):
        self._stream, self._name, self._start = stream, name, start
        self._size = stream.seek(0, io.SEEK_END) - start if size is None else size
        self._place, self._damage, self._records, self._offsets = 0, None, [], []
        self._meant, self._proven, self._doubtful = None, set(), set()
        try:
            self._archive = zipfile.ZipFile(self)
        except Exception as error:  # of many classes, by what the bytes happen to say
            raise damaged(name, f'the directory of its records is torn or broken ({error})') from error
        records = sorted(self._archive.infolist(), key=lambda record: record.header_offset)
        self._check_directory(records)
        self.checkable = any(record.CRC for record in records)
        if self.checkable:
            self._records, self._offsets = records, [record.header_offset for record in records]
        self.seek(0)

    def _check_directory(self, records):
        """Note a directory that no writer made: what it says of sizes and places decides what torch reads."""
        offsets, names = {record.header_offset for record in records}, {record.filename for record in records}
        sound = all(record.compress_type != zipfile.ZIP_STORED or record.compress_size == record.file_size
                    for record in records) and not any(record.external_attr & FOLDER for record in records)
        if not sound or not records or min(offsets) or not len(offsets) == len(names) == len(records):
            self._damage = 'the directory of its records is broken'

    def readable(self):
        """True."""
        return True

    def seekable(self):
        """True."""
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        """Move within the archive; returns the new place."""
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self):
        """The place within the archive."""
        return self._place

    def readinto(self, buffer):
        """Fill ``buffer`` and check what was read; returns the number of bytes."""
        view, place = memoryview(buffer).cast('B'), self._place
        view = view[:max(0, self._size - place)]
        count = value = 0
        self._stream.seek(self._start + place)
        while count < len(view) and (got := self._stream.readinto(view[count:count + PIECE])):
            value = crc32(view[count:count + got], value)
            count += got
        self._check(place, count, value)
        self._place = place + count
        return count

    def _check(self, place, count, value):
        """Compare bytes of a record with the checksum of the one whose header was read before."""
        first, behind = bisect_right(self._offsets, place) - 1, bisect_left(self._offsets, place + count)
        if first < 0:
            return
        meant = self._meant
        if count == HEADER and place == self._offsets[first]:
            self._meant = self._records[first]
        elif meant and (meant.compress_type, meant.file_size, meant.CRC) == (zipfile.ZIP_STORED, count, value):
            self._proven.add(meant)
        else:
            self._doubtful.update(filter(None, [meant, *self._records[first:behind]]))

    def _prove(self, record):
        """Read a record by itself, however it is stored, and note whether it is whole."""
        offsets, self._offsets = self._offsets, []  # this reading is not to be checked itself
        try:
            with self._archive.open(record) as content:
                while content.read(PIECE):
                    pass
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError):
            self._damage = f'its record {record.filename} does not have the checksum that its directory states'
        finally:
            self._offsets = offsets

    def check_all(self):
        """Read every record by itself; see ``check``."""
        self._doubtful.update(self._records)
        self.check()

    def check(self):
        """Refuse what was read so far, if any of it is not as it was written.

        Raises:
            DamagedFileError: Names the file and the record.
        """
        for record in self._doubtful - self._proven:
            self._prove(record)
        if self._damage:
            raise damaged(self._name, self._damage)


def check_archive(path):
    """Refuse an archive of torch, such as a TorchScript file, of which any record is not as it was written.

    Args:
        path (str | Path): The file.

    Raises:
        DamagedFileError: Names the file and the record.
    """
    with open(path, 'rb', buffering=0) as stream:
        CheckedArchive(stream, path).check_all()


@contextlib.contextmanager
def checked(path):
    """What ``torch.load`` is to be given for a file, so that everything it takes from it is checked.

    Args:
        path (str | Path): The file, in torch's format of today or of old, or safetensors.

    Yields:
        CheckedArchive | str: Something to read from, for this block.

    Raises:
        DamagedFileError: At the end of the block, if what was read in it is not as it was written.
    """
    with open(path, 'rb', buffering=0) as stream:
        if stream.read(len(ZIP)) == ZIP:
            archive = CheckedArchive(stream, path)
            try:
                yield archive
            finally:
                archive.check()
            checkable = archive.checkable
        else:
            check_seal(path)
            yield str(path)
            checkable = Path(path).suffix == '.safetensors'
    if not checkable:
        warnings.warn(f'{path} carries no checksums, so damage to it would not be seen: it is in the format of torch '
                      'before 1.6, or was saved with checksums off. Loaded and saved again by torch.save it has them',
                      stacklevel=3)
