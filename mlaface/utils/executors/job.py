"""Pieces of one work: independent, deterministic, each a file that is there and whole, or is made again."""
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from mlaface.utils.ahead import map_ahead
from mlaface.utils.checksums import crc32, damaged
from mlaface.utils.errors import FullDiskError, InputError
from mlaface.utils.files import atomic_path
from mlaface.version import __version__

DESCRIPTION, LOCK = 'job.json', 'lock'


class Fault(NamedTuple):
    """What went wrong with a piece: ``disk`` (bool), whether the disk is full; ``message`` names the node."""
    disk: bool
    message: str

    def error(self):
        """The exception to raise."""
        return (FullDiskError if self.disk else InputError)(self.message)


def ranges(count, size, multiple=1):
    """Cut ``range(count)`` into pieces.

    Args:
        count (int): Of items.
        size (int): Items of a piece; rounded up to a multiple.
        multiple (int): What a piece's size must be divisible by, such as the rows of a block.

    Returns:
        list[list[int]]: Start and stop of each.
    """
    size = -(-size // multiple) * multiple
    return [[start, min(start + size, count)] for start in range(0, count, size)]


class Job:
    """A list of pieces, and the folder that their files lie in.

    A piece is done when its file is there and its manifest, which is written last, has this job's fingerprint, the
    piece, and the file's size; its CRC-32 is compared when it is read.

    Args:
        folder (str | Path): On a file system that all nodes see, under the same path.
        task (str): ``'module:function'``. The function is called once in a process, with the settings; it opens what
            all pieces need, such as a model, and gives ``make(piece, file)``, which writes a piece's bytes.
        settings (dict): Arguments of that function, plain values.
        pieces (list): Plain values, one a piece, in the order of the result.
        inputs (dict): Plain values that tell what the pieces are made of, and how: with others no piece is used again.
            What changes no byte, such as threads, is not among them.
    """

    def __init__(self, folder, task, settings, pieces, inputs):
        self.folder, self.pieces = Path(folder).absolute(), pieces
        told = json.dumps([task, inputs, __version__], sort_keys=True, default=str)
        self.fingerprint = hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()
        self.description = dict(task=task, settings=settings, fingerprint=self.fingerprint, pieces=pieces,
                                mlaface=__version__)

    def file(self, number):
        """Where a piece lies (Path); its manifest has the ending ``.json``."""
        return self.folder / f'{number:06d}.piece'

    def manifest(self, number):
        """What stands of a piece (dict), or None while it is not done."""
        try:
            found = json.loads(self.file(number).with_suffix('.json').read_bytes())
            size = os.stat(self.file(number)).st_size
        except (OSError, ValueError):
            return None
        told = found.get('job'), found.get('piece'), found.get('size')
        return found if told == (self.fingerprint, self.pieces[number], size) else None

    def missing(self):
        """Numbers of the pieces that are not done (list[int])."""
        return [number for number in range(len(self.pieces)) if self.manifest(number) is None]

    def run(self, executor, advance=lambda count: None):
        """Have the missing pieces made.

        Args:
            executor (Executor): Where.
            advance (callable): Told how many pieces are done in addition, those of earlier calls first.

        Raises:
            InputError: If a piece cannot be made, or another process is at this job.
            FullDiskError: If the disk takes no more; what is done stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(self.folder / LOCK, timeout=0).acquire()
        except Timeout as error:
            raise InputError(f'{self.folder} is being made by another process: wait for it, or give another place'
                             ) from error
        with lock:
            missing = self.missing()
            advance(len(self.pieces) - len(missing))
            if missing:
                with atomic_path(self.folder / DESCRIPTION) as temporary:
                    temporary.write_text(json.dumps(self.description))
                self._run(executor, missing, advance)

    def _run(self, executor, missing, advance):
        outcomes = executor.run(self, missing)
        try:
            for _, fault in outcomes:
                if fault is not None:
                    raise fault.error()
                advance(1)
        finally:
            outcomes.close()
        if left := self.missing():
            raise InputError(f'{len(left)} of {len(self.pieces)} pieces are not in {self.folder} though they were said '
                             'to be done: it must be one folder for all nodes, on a shared file system')

    def content(self, number):
        """A piece's bytes.

        Raises:
            DamagedFileError: If they are not as they were written; the next call makes the piece anew.
        """
        told, path = self.manifest(number), self.file(number)
        data = path.read_bytes() if told else b''
        if told is None or len(data) != told['size'] or f'{crc32(data):08x}' != told['crc32']:
            path.with_suffix('.json').unlink(missing_ok=True)
            raise damaged(path, 'its bytes are not those that were written. The same command makes it anew')
        return data

    def contents(self, first=0):
        """The bytes of all pieces from a number on, in order, the next read in the meantime."""
        return map_ahead(self.content, range(first, len(self.pieces)))

    def remove(self):
        """Remove all pieces."""
        shutil.rmtree(self.folder, ignore_errors=True)
