"""Faces on which the range of each map is measured before it is cut to 8 bits."""
from pathlib import Path

import numpy as np

from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.images.reading import DatasetImages
from mlaface.evaluation.suite import bin_suite
from mlaface.registry import DATASETS
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.image_files import ENDINGS, image_files


def calibration_faces(source, count, size, seed=0):
    """Aligned faces, drawn from what a user names.

    Args:
        source (str | Path): A verification set (``.bin``), records (``.rec``), or a folder of images.
        count (int): How many, at most.
        size (tuple[int]): Height and width that the network takes.
        seed (int): Of the draw. Default 0.

    Returns:
        ndarray: uint8 (N, 3, H, W), RGB.

    Raises:
        MissingDataError: If there is no such file or folder.
        InputError: If it holds no image, or images of another size.
    """
    images = _open(Path(source), size)
    if not len(images):
        raise InputError(f'no image in {source}')
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    faces = np.ascontiguousarray(images.read(rows))
    if faces.shape[2:] != tuple(size):
        raise InputError(f'{source}: images are {faces.shape[2]} x {faces.shape[3]}, and the network takes '
                         f'{size[0]} x {size[1]}')
    return faces


def _open(path, size):
    if not path.exists():
        raise MissingDataError(f'no faces at {path}')
    if path.suffix == '.bin':
        return bin_suite([path]).images
    if path.suffix == '.rec':
        return DatasetImages(DATASETS.build(dict(type='RecordFaces', data_root=str(path.resolve()),
                                                 image_size=tuple(size))))
    names = [str(file.relative_to(path)) for file in image_files(path, ENDINGS)]
    if not names:
        raise InputError(f'{path} is no .bin or .rec file and no folder with images')
    return ImageFiles(path, names, size=size)
