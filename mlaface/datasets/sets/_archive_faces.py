"""What the training sets over archives share."""
import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.key_lists import kept_places
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets.record_faces import check_classes, warn_of_empty_classes
from mlaface.utils.errors import MissingDataError


class ArchiveFaces(FaceDataset):
    """A training set over an archive (``formats/archive.py: Archive``).

    Args:
        data_root (str | dict): Folder or file, relative to ``MLAFACE_DATA`` (default ``data``), or its address in a
            store, as ``s3://bucket/set``; as a dict with what ``stores/address.py: StoreSettings`` takes.
        num_classes (int | Sequence[int], optional): Checked against the data, of several one; never overrides it.
        remap_labels (bool): Number the classes that have images 0, 1, ... in order of their labels.
        transforms (Sequence[dict]): See ``FaceDataset``.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` or ``'skip'``.
        seed (int): Of the transforms.
        exclude (str | Path | dict | Sequence): Lists of images to leave out, see ``key_lists``. The number of classes
            stays, unless ``remap_labels`` is asked for.

    Raises:
        MissingDataError: If the set is not there; says where it was looked for.
        FormatError: If a file is damaged.
        ValueError: If ``num_classes`` is not the data's.
    """

    def __init__(self, data_root, num_classes=None, remap_labels=False, transforms=(), image_size=(112, 112),
                 on_bad_image='stop', seed=0, exclude=()):
        super().__init__(transforms, image_size, on_bad_image, seed)
        self.root = resolve_data(data_root)
        try:
            self.archive = self.open(self.root)
        except MissingDataError:
            raise
        except FileNotFoundError as error:
            raise MissingDataError(missing_message(self.root, 'training set')) from error
        self.remote = self.archive.remote
        names, self.places, self.labels = self.archive.classes, None, self.archive.labels
        self.num_classes = len(names)
        check_classes(self.num_classes, num_classes, str(self.root))
        if exclude:
            self.places = kept_places(exclude, self.archive.find, len(self.archive), str(self.root),
                                      self.stamp)
            self.labels = self.labels[self.places]
        if remap_labels:
            kept, labels = np.unique(self.labels, return_inverse=True)
            self.labels, names = labels.astype(np.int32), tuple(names[label] for label in kept)
            self.num_classes = len(names)
        warn_of_empty_classes(self.labels, self.num_classes, str(self.root))
        self.metainfo = dict(num_classes=self.num_classes, classes=names)

    @staticmethod
    def open(path):
        """The archive at a path or an address."""
        raise NotImplementedError

    @property
    def version(self):
        """What tells the set from others at its place in a store (str)."""
        return self.archive.version

    def __len__(self):
        return len(self.labels)

    def expect(self, indices):
        """Told the samples (list[int]) that are read next."""
        if self.remote:
            self.archive.expect([self.place(index) for index in indices])

    def place(self, index):
        """Where in the archive a sample lies (int)."""
        return int(index if self.places is None else self.places[index])

    def key(self, index):
        """Name of a sample within the archive (str)."""
        return self.archive.key(self.place(index))

    def where(self, index):
        """Archive and key of a sample."""
        try:
            return f'{self.root}, key {self.key(index)}'
        except FormatError:
            return f'{self.root}, image {self.place(index)}'

    def further_labels(self, index):
        """Labels of a sample behind its class, float32 (K,)."""
        return self.archive.further[self.place(index)]

    def encoded(self, index):
        """Label and encoded image of a sample.

        Raises:
            FormatError: If it cannot be read.
        """
        return dict(labels=int(self.labels[index])), self.archive.read(self.place(index))
