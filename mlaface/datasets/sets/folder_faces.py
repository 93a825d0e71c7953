"""Training sets as folders of images, one folder an identity."""
import os
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets.record_faces import check_classes
from mlaface.registry import DATASETS

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


@DATASETS.register_module()
class FolderFaces(FaceDataset):
    """``root/IDENTITY/IMAGE``: folders in order of their names are the classes; links are followed.

    Hidden files and folders, other files, and folders within an identity are passed over.

    Args:
        data_root (str): Folder, relative to ``MLAFACE_DATA`` (default ``data``).
        num_classes (int, optional): Checked against the data.
        suffixes (Sequence[str]): Endings of the files that are images, upper and lower case alike.
        transforms (Sequence[dict]): See ``FaceDataset``.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` or ``'skip'``.
        seed (int): Of the transforms.

    Raises:
        FileNotFoundError: If the folder is not there.
        FormatError: If it holds no image.
        ValueError: If ``num_classes`` is not the data's.
    """

    def __init__(self, data_root, num_classes=None, suffixes=SUFFIXES, transforms=(), image_size=(112, 112),
                 on_bad_image='stop', seed=0):
        super().__init__(transforms, image_size, on_bad_image, seed)
        self.root = resolve_data(data_root)
        if not self.root.is_dir():
            raise FileNotFoundError(missing_message(self.root, 'folder of identities'))
        names = _visible(self.root, folders=True)
        suffixes = tuple(suffix.lower() for suffix in suffixes)
        found = [(label, f'{name}/{file}') for label, name in enumerate(names)
                 for file in _visible(self.root / name) if file.lower().endswith(suffixes)]
        if not found:
            raise FormatError(f'{self.root} holds no image: expected is {self.root}/IDENTITY/IMAGE, with an ending of '
                              f'{", ".join(suffixes)}')
        self.labels = np.array([label for label, _ in found], np.int32)
        self.files = np.array([file.encode() for _, file in found])  # an array, so that workers share its memory
        self.num_classes = len(names)
        check_classes(self.num_classes, num_classes, str(self.root))
        empty = [names[label] for label in np.flatnonzero(np.bincount(self.labels, minlength=len(names)) == 0)]
        if empty:
            warnings.warn(f'{self.root}: {len(empty)} of {len(names)} folders hold no image ({", ".join(empty[:10])}). '
                          'They are classes all the same, which nothing is trained towards: remove them', stacklevel=2)
        self.metainfo = dict(num_classes=self.num_classes, classes=tuple(names))

    def __len__(self):
        return len(self.files)

    def where(self, index):
        """Path of a sample (str)."""
        return str(self.root / self.files[index].decode())

    def encoded(self, index):
        """Label and encoded image of a sample.

        Raises:
            FormatError: If the file cannot be read.
        """
        try:
            return dict(labels=int(self.labels[index])), Path(self.where(index)).read_bytes()
        except OSError as error:
            raise FormatError(f'{self.where(index)} cannot be read: {error.strerror}') from error


def _visible(folder, folders=False):
    """Sorted names of the folders, or of what is no folder, in a folder; without those that begin with a dot.

    Raises:
        FormatError: If a name is not UTF-8.
    """
    names = sorted(entry.name for entry in os.scandir(folder)
                   if not entry.name.startswith('.') and entry.is_dir() == folders)
    try:
        ''.join(names).encode()
    except UnicodeEncodeError as error:
        raise FormatError(f'{folder}: a name is not UTF-8 ({error.object[max(0, error.start - 20):error.end]!r}): '
                          'rename it') from error
    return names
