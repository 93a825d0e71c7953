"""Training sets as folders of images, one folder an identity."""
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets.record_faces import check_classes, warn_of_empty_classes
from mlaface.registry import DATASETS

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


@DATASETS.register_module()
class FolderFaces(FaceDataset):
    """``root/IDENTITY/IMAGE``: folders in order of their names are the classes.

    Args:
        data_root (str): Folder, relative to ``MLAFACE_DATA`` (default ``data``).
        num_classes (int, optional): Checked against the data.
        suffixes (Sequence[str]): Endings of the files that are images.
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
        names = sorted(folder.name for folder in self.root.iterdir() if folder.is_dir())
        found = [(label, f'{name}/{file.name}') for label, name in enumerate(names)
                 for file in sorted((self.root / name).iterdir()) if file.suffix.lower() in suffixes]
        if not found:
            raise FormatError(f'{self.root} holds no image: expected is {self.root}/IDENTITY/IMAGE, with an ending of '
                              f'{", ".join(suffixes)}')
        self.labels = np.array([label for label, _ in found], np.int32)
        self.files = np.array([file.encode() for _, file in found])  # an array, so that workers share its memory
        self.num_classes = len(names)
        check_classes(self.num_classes, num_classes, str(self.root))
        warn_of_empty_classes(self.labels, self.num_classes, str(self.root))
        self.metainfo = dict(num_classes=self.num_classes, classes=tuple(names))

    def __len__(self):
        return len(self.files)

    def where(self, index):
        """Path of a sample (str)."""
        return str(self.root / self.files[index].decode())

    def encoded(self, index):
        """Label and encoded image of a sample."""
        return dict(labels=int(self.labels[index])), Path(self.where(index)).read_bytes()
