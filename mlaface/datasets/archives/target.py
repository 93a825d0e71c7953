"""What a layout is to who writes it: the base of ``to_records``, ``to_tar``, ``to_lmdb`` and the others."""
import json
from typing import NamedTuple

import numpy as np

from mlaface.datasets.archives.growing_file import GrowingFile
from mlaface.datasets.formats.archive import CLASSES
from mlaface.utils.files import atomic_path
from mlaface.utils.names import name_lines

STATE = 'state.json'
SECONDS = 2  # between two points from which writing can go on


class Item(NamedTuple):
    """An image to write: ``number`` of those written before, class ``label`` and ``folder`` (its name, as a folder's),
    ``stem`` of its name as it is, ``ending`` with its dot, ``further`` labels, encoded ``data``."""
    number: int
    label: int
    folder: str
    stem: str
    ending: str
    further: tuple
    data: bytes


class Target:
    """Write images in order into a work folder that is renamed at the end.

    Attributes:
        layout (str): Its name among ``convert.LAYOUTS``.
        named (bool): Whether the names of the images count, so that those of one identity must differ.
        grouped (bool): Whether images are written class by class unless they are shuffled.

    Args:
        work (Path): The work folder.
        classes (Sequence[str]): Names, in label order.
        options: What the layout takes besides; see its class.
    """
    layout = None
    named = False
    grouped = False

    def __init__(self, work, classes, size=(112, 112)):
        self.work, self.classes, self.size = work, classes, size
        self.files = {}

    def load(self):
        """The state that writing goes on from (dict), or None."""
        path = self.work / STATE
        return json.loads(path.read_bytes()) if path.is_file() else None

    def save(self, state):
        """Keep a state, of this target's and other files, from which writing can go on."""
        with atomic_path(self.work / STATE) as temporary:
            temporary.write_text(json.dumps(state))

    def grow(self, name, state):
        """A file of the work folder that grows from its size in a state (dict or None) on."""
        self.files[name] = GrowingFile(self.work / name, (state or {}).get('files', {}).get(name, 0))
        return self.files[name]

    def open(self, state):
        """Begin, or go on from a state (dict or None) that ``state`` gave."""
        raise NotImplementedError

    def write(self, item):
        """Write an image (Item)."""
        raise NotImplementedError

    def due(self, seconds):
        """Whether a state is to be kept now, so many seconds (float) after the last; inf behind all images."""
        return seconds >= SECONDS

    def state(self):
        """Flush; what ``open`` goes on from (dict)."""
        return dict(files={name: file.sync() for name, file in self.files.items()})

    def finish(self, labels):
        """Write what comes last; it may be called again after a kill. Files ``*.part`` are removed behind it.

        Args:
            labels (ndarray): Classes of all images written, int32 (N,).

        Returns:
            dict: What the summary says of the layout.
        """
        raise NotImplementedError

    def write_classes(self):
        """Write the names of the classes, a line each."""
        with atomic_path(self.work / CLASSES) as temporary:
            temporary.write_text(name_lines(self.classes), encoding='utf-8')

    def close(self):
        """Close the files."""
        for file in self.files.values():
            file.close()


def further_table(path, count):
    """Labels behind the first as they were appended to a file, float32 (N, K)."""
    values = np.fromfile(path, '<f4') if path.is_file() else np.empty(0, np.float32)
    return values.reshape(count, -1) if len(values) else np.empty((count, 0), np.float32)
