"""Training sets in InsightFace's RecordIO layout."""
import warnings

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.image_record import label_and_image, unpack
from mlaface.datasets.formats.insightface import open_training_set, read_property, read_table
from mlaface.datasets.key_lists import kept_places
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.stores.address import StoreAddress
from mlaface.datasets.stores.records import StoredRecords
from mlaface.registry import DATASETS
from mlaface.utils.checksums import checksum_of
from mlaface.utils.errors import MissingDataError
from mlaface.utils.names import read_names


def check_classes(found, stated, where):
    """Compare the number of classes that a config states, one or several that a set is known by, with the data's.

    Raises:
        ValueError: If it is none of them; names both.
    """
    if stated is not None and found not in (stated if isinstance(stated, (list, tuple)) else [stated]):
        raise ValueError(f'num_classes={stated} is stated, but {where} has {found} classes. Leave num_classes out to '
                         'take the number from the data')


def warn_of_empty_classes(labels, num_classes, where):
    """Warn if classes have no image: they cost rows of the head and are never trained towards."""
    empty = np.flatnonzero(np.bincount(labels, minlength=num_classes) == 0)
    if len(empty):
        shown = ', '.join(map(str, empty[:10])) + (', ...' if len(empty) > 10 else '')
        warnings.warn(f'{where}: {len(empty)} of {num_classes} classes have no image ({shown}). They keep their rows '
                      'in the head as negatives only; remap_labels=True numbers the classes that have images',
                      stacklevel=3)


@DATASETS.register_module()
class RecordFaces(FaceDataset):
    """``train.rec``, ``train.idx``, ``property`` and, if there, ``classes.txt`` (a name a line).

    Args:
        data_root (str | dict): Folder or ``.rec`` file, relative to ``MLAFACE_DATA`` (default ``data``), or its address
            in a store, as ``s3://bucket/set``; as a dict with what ``stores/address.py: StoreSettings`` takes.
        num_classes (int | Sequence[int], optional): Checked against the data, of several one; never overrides it.
        remap_labels (bool): Number the classes that have images 0, 1, ... in order of their labels.
        exclude (str | Path | dict | Sequence): Lists of images to leave out, see ``key_lists``; a key is the record's,
            in decimal. The number of classes stays, unless ``remap_labels`` is asked for.
        transforms (Sequence[dict]): See ``FaceDataset``.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` or ``'skip'``.
        seed (int): Of the transforms.

    Raises:
        MissingDataError: If the set is not there; says where it was looked for and how to get it.
        FormatError: If a file is damaged.
        ValueError: If ``num_classes`` is not the data's.

    Source: the layout of github.com/deepinsight/insightface.
    """

    def __init__(self, data_root, num_classes=None, remap_labels=False, transforms=(), image_size=(112, 112),
                 on_bad_image='stop', seed=0, exclude=()):
        super().__init__(transforms, image_size, on_bad_image, seed)
        self.root = resolve_data(data_root)
        self.remote = isinstance(self.root, StoreAddress)
        file = self.root if self.root.suffix == '.rec' else self.root / 'train.rec'
        if self.remote:
            self.records = StoredRecords(file)
            beside, (self.places, self.labels) = self.records.folder, self.records.table()
        else:
            if not file.is_file():
                raise MissingDataError(missing_message(file, 'training set'))
            self.records = open_training_set(file)
            beside, (self.places, self.labels) = file.parent, read_table(self.records)
        self.num_classes = int(self.labels.max()) + 1
        self.total, self.of_labels = len(self.places), checksum_of(self.labels.astype('<i4'))
        if exclude:
            kept = kept_places(exclude, self._find, self.total, str(file), self.stamp)
            self.places, self.labels = self.places[kept], self.labels[kept]
        self.class_labels = None
        if remap_labels:
            self.class_labels, inverse = np.unique(self.labels, return_inverse=True)
            self.labels = inverse.astype(np.int32)
            self.num_classes = len(self.class_labels)
        self._check_property(beside / 'property')
        check_classes(self.num_classes, num_classes, str(file))
        warn_of_empty_classes(self.labels, self.num_classes, str(file))
        self.metainfo = dict(num_classes=self.num_classes, classes=self._names(beside / 'classes.txt'))

    def _check_property(self, path):
        """Read the property file; labels are believed, except that it may name more classes than have images."""
        stated = read_property(path)
        if stated is None or self.class_labels is not None:
            return
        if stated[0] > self.num_classes:
            self.num_classes = stated[0]
        elif stated[0] < self.num_classes:
            warnings.warn(f'{path} states {stated[0]} classes, the labels reach {self.num_classes - 1}: the labels are '
                          'believed', stacklevel=3)
        if stated[1:] != self.image_size:
            warnings.warn(f'{path} states images of {stated[1]}x{stated[2]}, expected are '
                          f'{self.image_size[0]}x{self.image_size[1]}', stacklevel=3)

    def _names(self, path):
        """Names in label order: of ``classes.txt``, or the labels themselves."""
        labels = range(self.num_classes) if self.class_labels is None else self.class_labels
        if not path.exists():
            return tuple(map(str, labels))
        names = read_names(path)
        if len(names) <= max(labels):
            raise FormatError(f'{path} names {len(names)} classes, the labels reach {max(labels)}')
        return tuple(names[label] for label in labels)

    @property
    def version(self):
        """What tells the set from others at its place in a store (str)."""
        return f'{self.records.file.version} {self.records.folder.name}'

    def __len__(self):
        return len(self.places)

    def stamp(self):
        """Images, and a checksum of the labels and of where all records lie (str)."""
        sums = np.uint32(self.of_labels), self.records.keys, self.records.offsets
        return f'{self.total} images, {checksum_of(*sums):08x}'

    def _find(self, keys):
        """Which images have one of these keys (list[str]), bool (N,)."""
        numbers = [int(key) for key in keys if key.isascii() and key.isdecimal() and len(key) < 19]
        return np.isin(self.records.keys[self.places], numbers)

    def key(self, index):
        """Key of a sample's record, a decimal number (str)."""
        return str(self.records.keys[self.places[index]])

    def name(self, index):
        """Key of a sample with nine digits (str)."""
        return self.key(index).zfill(9)

    def expect(self, indices):
        """Told the samples (list[int]) that are read next."""
        if self.remote:
            self.records.expect(self.places[indices])

    def where(self, index):
        """File and key of a sample."""
        return f'{self.records.path}, key {self.key(index)}'

    def encoded(self, index):
        """Label and encoded image of a sample.

        Raises:
            FormatError: If the record is damaged, or its label is out of range.
        """
        payload = self.records.read_position(self.places.item(index))
        try:
            label, image = label_and_image(payload)
        except FormatError as error:
            raise FormatError(f'{self.where(index)}: {error}') from error
        if self.class_labels is not None:
            return dict(labels=self._remapped(label, index)), image
        if not (0 <= label < self.num_classes and label == int(label)):
            raise FormatError(f'{self.where(index)}: label {label} is out of range: the set has {self.num_classes} '
                              'classes, 0 to one less. Check it with mlaface data inspect')
        return dict(labels=int(label)), image

    def further_labels(self, index):
        """Labels of a sample behind the first, float32 (K,)."""
        return unpack(self.records.read_position(self.places[index])).labels[1:]

    def _remapped(self, label, index):
        place = int(np.searchsorted(self.class_labels, label))
        if place == len(self.class_labels) or self.class_labels[place] != label:
            raise FormatError(f'{self.where(index)}: label {label} was not among the labels when the set was opened')
        return place
