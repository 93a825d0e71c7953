"""What a layout is to who writes it: the base of ``to_records``, ``to_tar``, ``to_lmdb`` and the others."""
import json
import zlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.datasets.archives.growing_file import GrowingFile
from mlaface.datasets.formats.archive import CLASSES
from mlaface.utils.files import atomic_path, write_at
from mlaface.utils.names import name_lines

STATE, PLACE = 'state.json', 'place.part'
BOOT = Path('/proc/sys/kernel/random/boot_id')
SECONDS = 2  # between two states that are flushed to the disk


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
        state = json.loads(path.read_bytes()) if path.is_file() else None
        place = self._placed()
        if place and place['position'] > (state['position'] if state else 0):
            return place
        (self.work / PLACE).unlink(missing_ok=True)  # the files are cut to before it
        return state

    def save(self, state):
        """Keep a state, of this target's and other files, from which writing can go on."""
        with atomic_path(self.work / STATE) as temporary:
            temporary.write_text(json.dumps(state))

    def note(self, state):
        """Keep a state of files that are not flushed to the disk: it holds until the machine is started anew."""
        if boot := _boot():
            text = f'{boot} {json.dumps(state)}'.encode()
            write_at(self.work / PLACE, 0, b'%08x %b\n' % (zlib.crc32(text), text))

    def _placed(self):
        """The state that ``note`` kept (dict), or None where it does not hold."""
        with suppress(FileNotFoundError):
            checksum, _, text = (self.work / PLACE).read_bytes().partition(b'\n')[0].partition(b' ')
            boot, _, state = text.partition(b' ')
            if boot.decode() == _boot() and checksum == b'%08x' % zlib.crc32(text):
                return json.loads(state)
        return None

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

    def settled(self):
        """Whether all images taken are in the files, so that ``state`` can be asked for between those that are due."""
        return True

    def state(self, durable=True):
        """Flush, and ``durable`` to the disk; what ``open`` goes on from (dict)."""
        return dict(files={name: file.sync(durable) for name, file in self.files.items()})

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


def _boot():
    """What tells this run of the machine from others (str); empty where nothing does."""
    with suppress(OSError):
        return BOOT.read_text().strip()
    return ''


def further_table(path, count):
    """Labels behind the first as they were appended to a file, float32 (N, K)."""
    values = np.fromfile(path, '<f4') if path.is_file() else np.empty(0, np.float32)
    return values.reshape(count, -1) if len(values) else np.empty((count, 0), np.float32)
