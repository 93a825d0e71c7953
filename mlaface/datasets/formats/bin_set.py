"""Verification sets ``NAME.bin``: a pickle of encoded images and of which pairs show one person.

Read by an unpickler that refuses everything else by name, so that a file from elsewhere cannot run code.
"""
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.pickled_array import PickledArray
from mlaface.datasets.formats.plain_pickle import load_plain
from mlaface.utils.files import atomic_path


class BinSet(NamedTuple):
    """Images as encoded bytes, an object for each distinct one, and bool (P,): pair i is images 2i and 2i + 1."""
    images: list
    issame: np.ndarray


def _listed(value, name, *kinds):
    if isinstance(value, PickledArray):
        return value.flat()
    if not isinstance(value, (list, tuple, *kinds)):
        raise FormatError(f'{name} must be a list, it is a {type(value).__name__}')
    return value


def _as_bytes(image, slot):
    if isinstance(image, PickledArray):
        return image.octets
    if isinstance(image, bytes):
        return image
    raise FormatError(f'image {slot} is a {type(image).__name__}, not bytes or a flat uint8 array')


def _checked(content):
    """Images and truth values of what was unpickled."""
    if not isinstance(content, (tuple, list)) or len(content) != 2:
        raise FormatError(f'it holds a {type(content).__name__}, not a pair (encoded images, issame)')
    images, issame = _listed(content[0], 'images'), _listed(content[1], 'issame', bytes)
    if len(images) != 2 * len(issame) or not len(issame):
        raise FormatError(f'{len(images)} images and {len(issame)} truth values do not make pairs; there must be two '
                          'images a pair')
    wrong = [pair for pair, same in enumerate(issame) if same not in (0, 1)]
    if wrong:
        raise FormatError(f'issame of pair {wrong[0]} is neither true nor false')
    distinct = {}
    encoded = (_as_bytes(image, slot) for slot, image in enumerate(images))
    return BinSet([distinct.setdefault(image, image) for image in encoded], np.fromiter(issame, bool, len(issame)))


def read_bin(path):
    """Read a verification set; equal images share one object, and nothing is decoded.

    Args:
        path (str | Path): The ``.bin`` file, of any pickle protocol.

    Returns:
        BinSet: Images, 2P, and issame, (P,).

    Raises:
        FileNotFoundError: If it is not there.
        FormatError: If it is no verification set; names the file and what is wrong.
    """
    try:
        return _checked(load_plain(Path(path).read_bytes()))
    except FormatError as error:
        raise FormatError(f'{path} is not a verification set: {error}') from error


def write_bin(path, images, issame, protocol=4):
    """Write a verification set.

    Args:
        path (str | Path): The ``.bin`` file.
        images (Sequence[bytes]): 2P encoded images; pair i is 2i and 2i + 1.
        issame (Sequence[bool]): Whether a pair shows one person, (P,).
        protocol (int): Of pickle; 2 can be read by Python 2.

    Raises:
        ValueError: If there are not two images a pair.
    """
    if len(images) != 2 * len(issame):
        raise ValueError(f'{len(images)} images do not make {len(issame)} pairs')
    with atomic_path(path) as temporary, open(temporary, 'wb') as file:
        pickle.dump(([bytes(image) for image in images], [bool(same) for same in issame]), file, protocol)
