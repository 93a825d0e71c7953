"""Image files as a source of aligned faces."""
import warnings
from os.path import splitext
from pathlib import Path

import numpy as np

from mlaface.datasets.formats.errors import DecodeError
from mlaface.datasets.formats.jpeg import decode
from mlaface.evaluation.images.alignment import TEMPLATE, similarity
from mlaface.utils.image_files import ENDINGS, is_image


class ImageFiles:
    """Images by path, aligned by five points where these are given, scaled to size otherwise.

    A picture is turned upright, as its Exif says, before it is aligned: published points were found in what OpenCV's
    reader gives, and that turns too.

    Args:
        root (str | Path): Folder that the names start from.
        names (sequence of str): Files, in the order of the rows; see ``find_images``.
        landmarks (ndarray (N, 5, 2) or None): Points in pixels, x and y.
        size (tuple[int]): Height and width of the faces.
        crops (bool): Images that have the faces' size are aligned already; their points are those of other pictures.

    ``names`` are the files as they are called on disk. ``scaled`` names an image that had another size and no points,
    with its height and width: such images should have been aligned before. ``same_as`` int (N,) tells for each row the
    first one of the same file and points.

    Raises:
        FileNotFoundError: If files are missing; names the first ones.
    """
    scaled = None

    def __init__(self, root, names, landmarks=None, size=(112, 112), crops=False):
        self.root, self.landmarks, self.size, self.crops = Path(root), landmarks, size, crops
        self.names = find_images(self.root, names)
        keys = self.names if landmarks is None else zip(self.names, (points.tobytes() for points in landmarks))
        first = {}
        self.same_as = np.array([first.setdefault(key, row) for row, key in enumerate(keys)])

    def __len__(self):
        return len(self.names)

    def read(self, rows):
        """Faces uint8 (N, 3, H, W), RGB, of rows (sequence of int)."""
        return np.stack([self._face(int(row)) for row in rows])

    def _face(self, row):
        import cv2
        image = self._picture(self.root / self.names[row])
        height, width = self.size
        if self.landmarks is not None and not (self.crops and image.shape[:2] == (height, width)):
            matrix = similarity(self.landmarks[row], TEMPLATE * (width / 112, height / 112))
            image = cv2.warpAffine(image, matrix, (width, height))
        elif image.shape[:2] != (height, width):
            self.scaled, shrinks = (self.names[row], *image.shape[:2]), image.shape[0] > height
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return image.transpose(2, 0, 1)

    def _picture(self, path):
        """An image file, RGB uint8 (H, W, 3); where pixels are lost it is named, and they are as OpenCV gives them."""
        try:
            return decode(path.read_bytes(), on_damage=lambda loss: warnings.warn(f'{path}: {loss}', stacklevel=2))
        except DecodeError as error:
            raise DecodeError(f'{path}: {error}. Copy it again from the set') from error


def find_images(root, names):
    """Files of a list, each as it is called on disk: a name's suffix may be missing, or of another kind or case.

    Lists are published with the images as they were; aligned copies are often of another kind. Folders are listed once,
    so that large sets are quick.

    Args:
        root (Path): Folder that the names start from.
        names (sequence of str): Files below it.

    Returns:
        list[str]: The same, with the suffix of the file; a file of exactly the name comes first.

    Raises:
        FileNotFoundError: If files are missing; names the first five.
    """
    folders, found = {}, {}
    for name in dict.fromkeys(names):
        folder, _, file = name.rpartition('/')
        if folder not in folders:
            folders[folder] = _listed(root / folder)
        files, images = folders[folder]
        file = file if file in files else images.get(without_suffix(file))
        found[name] = file and (f'{folder}/{file}' if folder else file)
    missing = [name if is_image(name) else f'{name}.jpg' for name, file in found.items() if file is None]
    if missing:
        more = f' and {len(missing) - 5} more' if len(missing) > 5 else ''
        raise FileNotFoundError(f'{len(missing)} images of the list are not in {root}: {", ".join(missing[:5])}{more}. '
                                'Is the list of another set, or were images left out?')
    return [found[name] for name in names]


def without_suffix(name):
    """A name without the suffix of an image; what else has a dot in it stays."""
    return splitext(name)[0] if is_image(name) else name


def _listed(folder):
    """Names of a folder's files, and stem -> name of its images, the usual kinds first."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    usual = sorted(filter(is_image, names), key=lambda name: ENDINGS.index(splitext(name)[1].lower()))
    return set(names), {without_suffix(name): name for name in reversed(usual)}
