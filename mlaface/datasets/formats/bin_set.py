"""Verification sets ``NAME.bin``: a pickle of encoded images and of which pairs show one person.

Read by an unpickler that knows lists, numbers, bytes and flat arrays and refuses everything else by name, so that a
file from elsewhere cannot run code.
"""
import io
import pickle
from typing import NamedTuple

import numpy as np

from mlaface.datasets.formats.errors import FormatError
from mlaface.utils.files import atomic_path


class BinSet(NamedTuple):
    """Images as encoded bytes, an object for each distinct one, and bool (P,): pair i is images 2i and 2i + 1."""
    images: list
    issame: np.ndarray


def _encode(text, encoding='latin1'):
    """Stand-in of ``_codecs.encode``, through which protocol 2 spells bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise pickle.UnpicklingError(f'bytes spelled in {encoding!r}')
    return text.encode('latin1')


def _reconstruct(kind, shape, typecode):
    """Stand-in of numpy's: an empty array, which its state fills."""
    return np.ndarray.__new__(np.ndarray, (0,), 'b')


ALLOWED = {
    ('numpy.core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy._core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): _encode,
}


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickles containers, strings, bytes, numbers and numpy arrays; refuses all else by name."""

    def find_class(self, module, name):
        """The stand-in of an allowed name.

        Raises:
            FormatError: If the name is not allowed.
        """
        found = ALLOWED.get((module, name))
        if found is None:
            raise FormatError(f'it asks for {module}.{name}, which no verification set needs and which may run code; '
                              'refused, nothing was run')
        return found


def _unpickle(data, path):
    try:
        return RestrictedUnpickler(io.BytesIO(data), encoding='bytes').load()
    except FormatError as error:
        raise FormatError(f'{path}: {error}') from error
    except Exception as error:
        raise FormatError(f'{path} is not a verification set: it cannot be unpickled ({type(error).__name__}: {error}).'
                          ' A .bin holds a pickled pair (encoded images, issame); fetch it again') from error


def _as_bytes(image, slot, path):
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 1:
        return image.tobytes()
    if isinstance(image, (bytes, bytearray)):
        return bytes(image)
    raise FormatError(f'{path}: image {slot} is a {type(image).__name__}, not bytes or a flat uint8 array')


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
    with open(path, 'rb') as file:
        content = _unpickle(file.read(), path)
    if not isinstance(content, (tuple, list)) or len(content) != 2:
        raise FormatError(f'{path} holds a {type(content).__name__}, not a pair (encoded images, issame)')
    images, issame = content
    if not isinstance(images, (list, tuple, np.ndarray)) or not isinstance(issame, (list, tuple, np.ndarray)):
        raise FormatError(f'{path}: images and issame must be lists, they are {type(images).__name__} and '
                          f'{type(issame).__name__}')
    issame = [int(same) if same in (0, 1) else None for same in issame]
    if len(images) != 2 * len(issame) or not len(issame) or None in issame:
        raise FormatError(f'{path}: {len(images)} images and {len(issame)} truth values do not make pairs; there must '
                          'be two images a pair, and issame true or false')
    distinct = {}
    encoded = (_as_bytes(image, slot, path) for slot, image in enumerate(images))
    return BinSet([distinct.setdefault(image, image) for image in encoded], np.asarray(issame, bool))


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
