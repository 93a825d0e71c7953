"""What every archive of labelled images gives: the base of tar shards, LMDB, parquet, lists and tables."""
import json
import os
from array import array
from hashlib import blake2b
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.positioned import read_at
from mlaface.utils.names import read_names

CLASSES = 'classes.txt'


class Archive:
    """Labelled images by place; pickled and forked without its open files.

    Attributes:
        path (Path): Where it lies; of one in a store its address.
        version (str): Of one in a store, what tells it from others at its place.
        remote (bool): Whether images are read from a store, which may fail in the middle.
        labels (ndarray): Class of each image, int32 (N,).
        classes (tuple[str]): Names, in label order.
        further (ndarray): Labels behind the first, float32 (N, K); K is mostly 0.
    """

    remote, version = False, ''

    def __init__(self, path, labels, classes, further=None):
        self.path = Path(path) if isinstance(path, str) else path
        self.labels, self.classes = labels, tuple(classes)
        self.further = np.empty((len(labels), 0), np.float32) if further is None else further
        self._open, self._pid = {}, None

    def __getstate__(self):
        return dict(self.__dict__, _open={}, _pid=None)

    def __len__(self):
        return len(self.labels)

    def opened(self, name, opener):
        """What ``opener()`` gives, once a process and name; at most 256 of them stay open."""
        if self._pid != os.getpid():
            self._open, self._pid = {}, os.getpid()
        if name not in self._open:
            if len(self._open) == 256:
                self._open.pop(next(iter(self._open)))
            self._open[name] = opener()
        return self._open[name]

    def read_at(self, path, offset, size):
        """``size`` bytes (int) of a file (Path) from a byte on; ``FormatError`` where it ends before."""
        try:
            file = self.opened(path, lambda: open(path, 'rb', buffering=0))  # noqa: SIM115
            data = read_at(file, size, offset)
        except OSError as error:
            raise FormatError(f'{path} cannot be read: {error.strerror}') from error
        if len(data) < size:
            raise FormatError(f'{path} ends within the {size} bytes from byte {offset} on: it is cut off')
        return data

    def read(self, place):
        """The encoded image (bytes) at a place; ``FormatError`` if it cannot be read."""
        raise NotImplementedError

    def expect(self, places):
        """Told the places (list[int]) that are read next, of which a store can give several at once."""

    def key(self, place):
        """The name of an image within the archive (str)."""
        raise NotImplementedError

    def container_faults(self, kept=None):
        """What is wrong with the container beside its images (list[str]); ``kept``: the ``KeptSteps`` of tar shards."""
        return []

    def find(self, keys):
        """Which images have one of these keys (list[str]), bool (N,)."""
        wanted = set(keys)
        return np.fromiter((self.key(place) in wanted for place in range(len(self))), bool, len(self))


def key_hash(key):
    """64 bits (int) that stand for a key where millions of them are compared."""
    return int.from_bytes(blake2b(key.encode('utf-8', 'surrogatepass'), digest_size=8).digest(), 'little')


def read_classes(folder, labels):
    """Names of ``classes.txt`` in label order, or the labels themselves.

    Args:
        folder (Path): Where the file may lie.
        labels (ndarray): int (N,); none is beyond the names.

    Returns:
        tuple[str]: Names.

    Raises:
        InputError: If it is not UTF-8, or names fewer classes than there are.
    """
    reach = int(labels.max()) + 1 if len(labels) else 0
    file = folder / CLASSES
    if not file.is_file():
        return tuple(map(str, range(reach)))
    names = read_names(file)
    if len(names) < reach:
        raise FormatError(f'{file} names {len(names)} classes, the labels reach {reach - 1}')
    return names


def read_json(path):
    """The dict of a JSON file beside an archive; ``FormatError`` if it is none."""
    try:
        content = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise FormatError(f'{path} is not JSON: {error}') from error
    if not isinstance(content, dict):
        raise FormatError(f'{path} holds a {type(content).__name__}, not an object')
    return content


class Numbering:
    """Class numbers of identities that come one image at a time, in the order of their names."""

    def __init__(self):
        self.known, self.seen = {}, array('i')

    def add(self, name):
        """Take note of the identity (str) of the next image."""
        self.seen.append(self.known.setdefault(name, len(self.known)))

    def finish(self):
        """Class of each image, int32 (N,), and the sorted names (tuple[str])."""
        names = sorted(self.known)
        rank = np.empty(len(names), np.int32)
        rank[[self.known[name] for name in names]] = np.arange(len(names))
        return rank[np.frombuffer(self.seen, np.int32)] if names else rank, tuple(names)
