"""Training sets as folders of images, one folder an identity."""
import os
import warnings
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.key_lists import kept_places
from mlaface.datasets.location import missing_message, resolve_data
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.sets.record_faces import check_classes
from mlaface.registry import DATASETS
from mlaface.utils.errors import MissingDataError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')


@DATASETS.register_module()
class FolderFaces(FaceDataset):
    """``root/IDENTITY/IMAGE``: folders in order of their names are the classes; links are followed.

    Hidden files and folders, other files, and folders within an identity are passed over.

    Args:
        data_root (str): Folder, relative to ``MLAFACE_DATA`` (default ``data``).
        num_classes (int, optional): Checked against the data.
        exclude (str | Path | Sequence): Lists of images to leave out, see ``key_lists``; a key is the path below the
            root, ``IDENTITY/IMAGE.jpg``. Classes stay as they are.
        suffixes (Sequence[str]): Endings of the files that are images, upper and lower case alike.
        transforms (Sequence[dict]): See ``FaceDataset``.
        image_size (tuple[int, int]): Height and width.
        on_bad_image (str): ``'stop'`` or ``'skip'``.
        seed (int): Of the transforms.

    Raises:
        MissingDataError: If the folder is not there.
        FormatError: If it holds no image where images are expected; says where there are some.
        ValueError: If ``num_classes`` is not the data's.
    """

    def __init__(self, data_root, num_classes=None, suffixes=SUFFIXES, transforms=(), image_size=(112, 112),
                 on_bad_image='stop', seed=0, exclude=()):
        super().__init__(transforms, image_size, on_bad_image, seed)
        self.root = resolve_data(data_root)
        if not self.root.is_dir():
            raise MissingDataError(missing_message(self.root, 'folder of identities'))
        names = _visible(self.root, folders=True)
        suffixes = tuple(suffix.lower() for suffix in suffixes)
        found = [(label, f'{name}/{file}') for label, name in enumerate(names)
                 for file in _visible(self.root / name) if file.lower().endswith(suffixes)]
        if not found:
            raise FormatError(_no_images(self.root, suffixes))
        self.labels = np.array([label for label, _ in found], np.int32)
        self.files = np.array([file.encode() for _, file in found])  # an array, so that workers share its memory
        self.num_classes = len(names)
        check_classes(self.num_classes, num_classes, str(self.root))
        if exclude:
            kept = kept_places(exclude, lambda keys: np.isin(self.files, [key.encode() for key in keys]),
                               len(self.files), str(self.root))
            self.labels, self.files = self.labels[kept], self.files[kept]
        empty = [names[label] for label in np.flatnonzero(np.bincount(self.labels, minlength=len(names)) == 0)]
        if empty:
            warnings.warn(f'{self.root}: {len(empty)} of {len(names)} folders hold no image ({", ".join(empty[:10])}). '
                          'They are classes all the same, which nothing is trained towards: remove them', stacklevel=2)
        self.metainfo = dict(num_classes=self.num_classes, classes=tuple(names))

    def __len__(self):
        return len(self.files)

    def key(self, index):
        """Path of a sample below the root (str)."""
        return self.files[index].decode()

    def where(self, index):
        """Path of a sample (str)."""
        return f'{self.root}/{self.key(index)}'  # joining by pathlib takes a tenth of decoding

    def encoded(self, index):
        """Label and encoded image of a sample.

        Raises:
            FormatError: If the file cannot be read.
        """
        try:
            with open(self.where(index), 'rb') as file:
                return dict(labels=int(self.labels[index])), file.read()
        except OSError as error:
            raise FormatError(f'{self.where(index)} cannot be read: {error.strerror}') from error


def _no_images(root, suffixes):
    """What to say of a folder without ``IDENTITY/IMAGE``: which level was expected, and which was found."""
    expected = f'expected is {root}/IDENTITY/IMAGE'
    found = next((Path(folder, name) for folder, _, names in os.walk(root) for name in sorted(names)
                  if name.lower().endswith(suffixes) and not name.startswith('.')), None)
    if found is None:
        return f'{root} holds no image: {expected}, with an ending of {", ".join(suffixes)}'
    parts = found.relative_to(root).parts
    if len(parts) == 1:
        return (f'{root} has no level of identities: {expected}, found is {root}/IMAGE, such as {found}. Put the '
                f'images of each person into a folder of their own, or set data_root to {root.parent} if {root.name} '
                'is one person')
    between = '/'.join(['FOLDER'] * (len(parts) - 2))
    return (f'{root} has its images on a deeper level: {expected}, found is {root}/IDENTITY/{between}/IMAGE, such as '
            f'{found}. Move the images up into the folder of their person, or set data_root to '
            f'{root.joinpath(*parts[:-2])} if its folders are the people')


def _is_folder(entry):
    """Whether an entry is a folder (bool); a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _visible(folder, folders=False):
    """Sorted names of the folders, or of what is no folder, in a folder; without those that begin with a dot.

    Raises:
        FormatError: If a name is not UTF-8.
    """
    names = sorted(entry.name for entry in os.scandir(folder)
                   if not entry.name.startswith('.') and _is_folder(entry) == folders)
    try:
        ''.join(names).encode()
    except UnicodeEncodeError as error:
        raise FormatError(f'{folder}: a name is not UTF-8 ({error.object[max(0, error.start - 20):error.end]!r}): '
                          'rename it') from error
    return names
