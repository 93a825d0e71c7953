"""RecordIO: InsightFace's layout with header and identity records; shuffled, plain records as im2rec writes them."""
import numpy as np

from mlaface.datasets.archives.target import Target
from mlaface.datasets.formats.image_record import EXACT, pack
from mlaface.datasets.formats.insightface import labels_path
from mlaface.datasets.formats.names import folder_name
from mlaface.datasets.formats.record_writer import encode_record
from mlaface.utils.files import atomic_path


class ToRecords(Target):
    """``train.rec``, ``train.idx``, ``property``, ``classes.txt``; without header ``train.labels.npy``.

    Grouped by class the set has a header, which counts in float32: where keys go beyond 2^24, and where images are
    shuffled, it has none.

    Args:
        header (bool): Whether it may have one: the images come class by class, and there are few enough.
    """
    layout = 'records'
    grouped = True

    def __init__(self, work, classes, size=(112, 112), header=True):
        super().__init__(work, classes, size)
        self.header = header

    def open(self, state):
        """Begin with the header's place, or go on."""
        self.records, self.index = self.grow('train.rec', state), self.grow('train.idx', state)
        if self.header and not self.records.size:
            self._append(0, pack([0, 0]))

    def _append(self, key, payload):
        self.index.write(b'%d\t%d\n' % (key, self.records.size))
        self.records.write(encode_record(payload))

    def write(self, item):
        """Write a record."""
        key = item.number + self.header
        labels = [item.label, *item.further] if len(item.further) else item.label
        self._append(key, pack(labels, item.data, id=key))

    def finish(self, labels):
        """Identity records, header and property."""
        if self.header:
            end = len(labels) + 1
            starts = np.searchsorted(labels, np.arange(len(self.classes) + 1)) + 1
            for number in range(len(self.classes)):
                self._append(end + number, pack(starts[number:number + 2]))
            self.records.overwrite(0, encode_record(pack([end, end + len(self.classes)])))
        else:  # the heads of millions of records are not read in a second
            with atomic_path(labels_path(self.records.path)) as temporary, open(temporary, 'wb') as file:
                np.save(file, labels.astype(np.int32))
        (self.work / 'property').write_text(f'{len(self.classes)},{self.size[0]},{self.size[1]}\n')
        self.write_classes()
        return dict(header=self.header)


def header_fits(images, classes):
    """Whether the header of a set can count its records (bool)."""
    return images + classes + 1 < EXACT


class ToListedRecords(Target):
    """im2rec's three files, ``train.rec``, ``train.idx`` and ``train.lst``, with as many labels as there are."""
    layout = 'im2rec'

    def open(self, state):
        """Begin or go on."""
        self.records, self.index = self.grow('train.rec', state), self.grow('train.idx', state)
        self.list = self.grow('train.lst', state)

    def write(self, item):
        """Write a record and its line of the list."""
        labels = [item.label, *item.further] if len(item.further) else item.label
        self.index.write(b'%d\t%d\n' % (item.number, self.records.size))
        self.records.write(encode_record(pack(labels, item.data, id=item.number)))
        words = [item.number, *(f'{label:f}' for label in (item.label, *item.further)),
                 f'{item.folder}/{folder_name(item.stem)}{item.ending}']
        self.list.write('\t'.join(map(str, words)).encode() + b'\n')

    def finish(self, labels):
        """The names of the classes."""
        self.write_classes()
        return {}
