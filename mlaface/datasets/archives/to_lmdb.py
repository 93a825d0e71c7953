"""LMDB, in transactions of as many images each."""
import json
import mmap

import numpy as np

from mlaface.datasets.archives.target import STATE, Target, further_table
from mlaface.datasets.formats.lmdb_set import FURTHER, LABELS, META, NAMES, lmdb, stored_key
from mlaface.datasets.formats.names import folder_name
from mlaface.utils.errors import FullDiskError, InputError
from mlaface.utils.files import atomic_path

BATCH = 2048  # images a transaction
ROOM = 1 << 26  # for pages that a transaction writes anew, and the tree over those of entries


def _room(key, value):
    """Bytes that an entry takes at most: whole pages for its value, and its place in the tree."""
    return -(-(len(value) + 16) // mmap.PAGESIZE) * mmap.PAGESIZE + 2 * len(key) + 128


class ToLmdb(Target):
    """``data.mdb`` and ``classes.txt``; see ``formats/lmdb_set.py``.

    The environment is opened anew for every transaction, which holds a fixed number of images: so its pages are the
    same whether or not writing was interrupted. Its size, which the file states, follows from what was put into it; the
    file itself may be longer by a transaction that was killed. A transaction cannot be taken back, so the state before
    it and the one behind it are kept together, and the number of entries tells which of them holds.
    """
    layout = 'lmdb'
    room = 0  # bytes that the entries take, at most

    def _environment(self, more=0):
        return lmdb().open(str(self.work), map_size=((self.room + more + ROOM >> 20) + 1) << 20, lock=False,
                           readahead=False)

    def _entries(self):
        if not (self.work / 'data.mdb').exists():
            return 0
        with self._environment() as environment:
            return environment.stat()['entries']

    def load(self):
        """The state that holds, or None."""
        path = self.work / STATE
        before, behind = json.loads(path.read_bytes()) if path.is_file() else (None, None)
        self.room = behind['target']['room'] if behind else 0
        self.last = behind if behind and self._entries() >= behind['written'] else before
        return self.last

    def open(self, state):
        """Begin or go on."""
        self.batch, self.room = [], state['room'] if state else 0
        self.further, self.names = self.grow('further.part', state), self.grow('names.part', state)

    def write(self, item):
        """Take an image for the next transaction."""
        whole = f'{item.number:09d}/{item.folder}/{folder_name(item.stem)}{item.ending}'
        key = stored_key(whole)
        if key.decode('utf-8', 'surrogateescape') != whole:
            self.names.write(json.dumps(whole).encode() + b'\n')
        self.batch.append((key, item.data))
        self.room += _room(key, item.data)
        if item.further:
            self.further.write(np.asarray(item.further, '<f4').tobytes())

    def due(self, seconds):
        """A transaction is full, or all images are there."""
        return len(self.batch) >= BATCH or seconds == float('inf')

    def settled(self):
        """Between transactions never."""
        return False

    def state(self, durable=True):
        """Flush; the sizes of the files, and of the entries."""
        return dict(super().state(durable), room=self.room)

    def save(self, state):
        """One transaction."""
        with atomic_path(self.work / STATE) as temporary:
            temporary.write_text(json.dumps([self.last, state]))
        self._commit(self.batch)
        self.batch, self.last = [], state

    def _commit(self, entries, more=0):
        library = lmdb()
        try:
            with self._environment(more) as environment, environment.begin(write=True) as transaction:
                for key, value in entries:
                    transaction.put(key, value, append=True)
        except library.Error as error:
            full = any(word in str(error) for word in ('No space', 'quota', 'too large', 'Input/output'))
            if full:
                raise FullDiskError(f'{self.work}: the disk takes no more, as far as LMDB can tell ({error}). Make '
                                    'room, and the same command goes on') from error
            raise InputError(f'{self.work}: {error}') from error

    def finish(self, labels):
        """Labels and meta data."""
        meta = dict(schema=1, images=len(labels), classes=len(self.classes), image_size=list(self.size))
        further = further_table(self.further.path, len(labels))
        if self._entries() == len(labels):
            names = {int(key[:9]): key for key in map(json.loads, self.names.path.read_bytes().splitlines())}
            last = [*([(FURTHER, further.astype('<f4').tobytes())] if further.size else []),
                    (LABELS, labels.astype('<i4').tobytes()), (META, json.dumps(meta).encode()),
                    *([(NAMES, json.dumps(names).encode())] if names else [])]
            self._commit(last, sum(_room(*entry) for entry in last))
        self.write_classes()
        return {}
