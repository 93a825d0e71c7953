"""What one image is, in numbers: size, sharpness, light, colour, and what its copies are found by."""
import hashlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.exif import orientation
from mlaface.datasets.formats.jpeg import check_pixels, decode
from mlaface.datasets.location import absolute
from mlaface.datasets.prepare.kept_rows import CHUNK, KeptRows, fill, fill_from, set_hash
from mlaface.utils.ahead import map_ahead
from mlaface.utils.executors.job import Job, ranges

SIDE = 16  # of the thumbnail that near copies are found by
SHARPNESS_SIDE = 112
VERSION = 1
MEASURES = np.dtype([('readable', '?'), ('turned', '?'), ('height', '<i4'), ('width', '<i4'), ('bytes', '<i8'),
                     ('sharpness', '<f4'), ('brightness', '<f4'), ('contrast', '<f4'), ('colour', '<f4'),
                     ('of_bytes', '<u8'), ('of_pixels', '<u8'), ('thumbnail', 'u1', (SIDE, SIDE))])


def measure(data):
    """Measure an encoded image.

    Args:
        data (bytes): The image.

    Returns:
        tuple: A record of ``MEASURES`` (ndarray of shape ()), and what is wrong (str) or None. ``sharpness`` is the
        variance of the Laplacian of the grey image (Pech-Pacheco et al. 2000), larger ones brought to 112 pixels in
        height first; ``brightness`` and ``contrast`` mean and deviation of grey, 0 to 255; ``colour`` the mean distance
        of the largest from the smallest channel, 0 for grey images; ``of_bytes`` and ``of_pixels`` 64 bits of BLAKE2b.
    """
    found = np.zeros((), MEASURES)
    found['bytes'], found['of_bytes'] = len(data), _digest(data)
    try:
        check_pixels(data)
        image = decode(data)
    except FormatError as error:
        return found, str(error)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sharp = grey if grey.shape[0] <= SHARPNESS_SIDE else cv2.resize(
        grey, (max(1, SHARPNESS_SIDE * grey.shape[1] // grey.shape[0]), SHARPNESS_SIDE), interpolation=cv2.INTER_AREA)
    mean, deviation = cv2.meanStdDev(grey)
    thumbnail = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    red, green, blue = cv2.split(image)
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    for key, value in dict(readable=True, turned=orientation(data) != 1, height=image.shape[0], width=image.shape[1],
                           sharpness=cv2.meanStdDev(cv2.Laplacian(sharp, cv2.CV_32F))[1].item() ** 2,
                           brightness=mean.item(), contrast=deviation.item(), colour=cv2.mean(spread)[0],
                           of_pixels=_digest(repr(image.shape).encode() + image.tobytes()),
                           thumbnail=thumbnail).items():
        found[key] = value
    return found, None


def _digest(data):
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), 'little')


def measure_set(path, dataset, workers=2, advance=lambda count: None):
    """Measure every image of a set, once: the numbers are kept in the cache, and a call that was killed is continued.

    Args:
        path (str | Path): The set.
        dataset (FaceDataset): What was opened there.
        workers (int): Threads; decoding does not hold Python's lock.
        advance (callable): Told how many images are done in addition.

    Returns:
        ndarray: Records of ``MEASURES`` (N,), read-only.
    """
    return fill(_kept(path, dataset), lambda parts: map_ahead(partial(_chunk, dataset), parts, workers), advance)


def measure_in_pieces(path, dataset, workers, folder, size, run, root=None):
    """``measure_set`` by nodes.

    Args:
        path, dataset: See there.
        workers (int): Threads of a process.
        folder (Path): That all nodes see.
        size (int): Images of a piece.
        run (callable): Has a ``Job`` done.
        root (str, optional): That a ``.lst`` was opened with.
    """
    kept = _kept(path, dataset)
    if not kept.missing():
        return kept.rows()
    job = Job(Path(folder, kept.path.stem), f'{__name__}:open_measurer',
              dict(path=absolute(path), workers=workers, root=root), ranges(len(dataset), size, CHUNK),
              dict(rows=kept.path.name))
    run(job)
    rows = fill_from(kept, job)
    job.remove()
    return rows


def open_measurer(path, workers, root=None):
    """What measures a piece, in the process of a node."""
    from mlaface.datasets.prepare.inspect import open_set
    dataset = open_set(path, root=root)

    def make(piece, file):
        parts = (range(start, min(start + CHUNK, piece[1])) for start in range(*piece, CHUNK))
        for rows in map_ahead(partial(_chunk, dataset), parts, workers):
            file.write(rows.tobytes())
    return make


def _kept(path, dataset):
    return KeptRows(f'{set_hash(path, dataset)[:32]}-measures{VERSION}.rows', MEASURES, (len(dataset),))


def _chunk(dataset, part):
    dataset.expect(list(part))
    return np.stack([_measured(dataset, index) for index in part])


def _measured(dataset, index):
    try:
        return measure(dataset.encoded(index)[1])[0]
    except FormatError:  # of the record around the image
        return np.zeros((), MEASURES)


def unusable(measures, size):
    """Which images training would stop at.

    Args:
        measures (array (N,)): Records of ``MEASURES``.
        size (tuple[int, int]): Height and width that an image must have.

    Returns:
        tuple[ndarray, ndarray]: bool (N,): those that cannot be read; those that can, and have another size.
    """
    readable = measures['readable']
    return ~readable, readable & ((measures['height'] != size[0]) | (measures['width'] != size[1]))


def fault_of(dataset, index):
    """What is wrong with an image that cannot be used (str)."""
    try:
        return f'{dataset.where(index)}: {measure(dataset.encoded(index)[1])[1]}'
    except FormatError as error:
        return str(error)
