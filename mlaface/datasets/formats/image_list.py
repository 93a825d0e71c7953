"""im2rec's ``.lst`` beside the images that it names: ``NUMBER TAB LABEL [TAB LABEL ...] TAB PATH`` a line."""
import os
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.archive import Archive, read_classes
from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.errors import MissingDataError
from mlaface.utils.files import atomic_path, sweep

IMAGE_LIST = 'images.lst'  # of a folder of identities or parquet files that cannot be listed, behind http
FIRST = 10  # images that are looked for when a list is opened


def read_list(path):
    """Read a ``.lst``.

    Args:
        path (str | Path): The file.

    Returns:
        tuple[ndarray, list[str]]: Labels, float64 (N, K), and paths.

    Raises:
        FormatError: If a line is none, or has more labels than the first.
    """
    labels, paths = [], []
    try:
        with open(path, encoding='utf-8', newline='\n') as file:
            for number, line in enumerate(file, 1):
                words = line.rstrip('\r\n').split('\t')
                if words == ['']:
                    continue
                if len(words) < 3 or labels and len(words) - 2 != len(labels[0]):
                    raise FormatError(f'{path}, line {number}: {line[:60]!r} is not NUMBER, labels and path, '
                                      f'{"as in the other lines, " if labels else ""}with tabs between them')
                labels.append([float(word) for word in words[1:-1]])
                paths.append(words[-1])
    except ValueError as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f'{path}: {error}') from error
    if not paths:
        raise FormatError(f'{path} names no image')
    return np.array(labels, np.float64), paths


def write_list(path, labels, paths):
    """Write a ``.lst``; it appears whole or not at all.

    Args:
        path (str | Path): The file.
        labels (Sequence[int]): Class of each image.
        paths (Iterable[str]): Where each lies.

    Raises:
        FormatError: If a path holds a tab or the end of a line.
    """
    paths = list(paths)
    odd = next((name for name in paths if {'\t', '\n', '\r'} & set(name)), None)
    if odd is not None:
        raise FormatError(f'{odd!r} cannot stand in {path}, whose lines have tabs: rename it')
    with atomic_path(path, renew=False) as temporary, open(temporary, 'w', encoding='utf-8', newline='\n') as file:
        file.writelines(f'{number}\t{label}\t{name}\n' for number, (label, name) in enumerate(zip(labels, paths)))
    sweep(Path(path).parent, Path(path).name)


class ListedImages(Archive):
    """Images that a ``.lst`` names; a key is the path as it stands there.

    Args:
        path (str | Path): The ``.lst``.
        root (str | Path, optional): Folder that its paths start from. Default: that of the ``.lst``.

    Raises:
        FileNotFoundError: If it is not there.
        MissingDataError: If none of the first images is where it says.
        FormatError: If it is no such list.
    """

    def __init__(self, path, root=None):
        table, self.files = read_list(path)
        self.root, beside = Path(root) if root else Path(path).parent, Path(path).parent
        labels = table[:, 0].astype(np.int32)
        if (labels != table[:, 0]).any() or labels.min() < 0:
            raise FormatError(f'{path}: image {int(np.argmax((labels != table[:, 0]) | (labels < 0)))} has a class '
                              'that is no whole number from 0 on')
        first = [self.root / file for file in self.files[:FIRST]]
        if not self.remote and not any(map(os.path.exists, first)):
            raise MissingDataError(f'{path}: its first images are not there, such as {first[0]}: its paths start from '
                                   'what was the root for im2rec. Give that folder by --root, root= of ListedFaces')
        super().__init__(path, labels, self._names(labels, beside), table[:, 1:].astype(np.float32))

    def _names(self, labels, beside):
        """The folders of the images where they and the labels are one to one, else what ``classes.txt`` says."""
        folders = dict(zip(labels.tolist(), (Path(file).parent.name for file in self.files)))
        alike = all(folders[label] == Path(file).parent.name for label, file in zip(labels.tolist(), self.files))
        if alike and len(set(folders.values()) - {''}) == len(folders) == labels.max() + 1:
            return tuple(folders[label] for label in range(len(folders)))
        return read_classes(beside, labels)

    def read(self, place):
        """The encoded image (bytes) at a place."""
        path = self.root / self.files[place]
        try:
            return path.read_bytes()
        except OSError as error:
            raise FormatError(f'{path} cannot be read: {error.strerror}') from error

    def listed(self):
        """The files of the images (iterator of Path), which lie anywhere."""
        return map(self.root.joinpath, self.files)

    def key(self, place):
        """Path as it stands in the list (str)."""
        return self.files[place]
