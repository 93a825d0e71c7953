"""What goes into a gallery and what comes out, checked at the door."""
import json
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.rows import lengths
from mlaface.utils.errors import InputError
from mlaface.utils.texts import is_control

LONGEST_NAME, LARGEST_METADATA = 500, 64 * 1024
SAME = 1 - 1e-6  # cosine; in another batch SFace's is 1 - 5e-9, of the photograph encoded anew (quality 95) 1 - 1e-3
BLOCK = 1024  # rows that are compared at once


class NobodyError(InputError):
    """A name that nobody in the gallery has."""


class Match(NamedTuple):
    """A person who was found.

    Args:
        name (str): Of the person.
        cosine (float): Of the probe with the person's best image, or the mean over the images.
        image (int): Number of the best image.
    """
    name: str
    cosine: float
    image: int


@dataclass
class Enrolment:
    """An image of a person that is to be kept, or was.

    Args:
        name (str): Of the person.
        embedding (ndarray (D,)): Of any length but zero.
        metadata (dict or None): Of the image; what JSON can hold.
        picture (bytes or None): The image file itself, kept only if it is given.
    """
    name: str
    embedding: np.ndarray
    metadata: dict | None = None
    picture: bytes | None = None


def check_name(name):
    """A person's name as it is kept.

    Args:
        name (str): Any text of one line; it is never used as a path.

    Returns:
        str: In Unicode's form NFC, without blanks at its ends: what looks alike is alike.

    Raises:
        InputError: If it is empty, too long, or holds control characters.
    """
    if not isinstance(name, str):
        raise InputError(f'a name is text, got {type(name).__name__}')
    name = unicodedata.normalize('NFC', name).strip()
    if not name or len(name) > LONGEST_NAME:
        raise InputError(f'a name has 1 to {LONGEST_NAME} characters, got {len(name)}')
    if any(map(is_control, name)):
        raise InputError(f'name {ascii(name)} holds control characters or line ends')
    return name


def check_embeddings(embeddings, size, what='embedding'):
    """Embeddings scaled to unit length.

    Args:
        embeddings (array (N, D)): Of any length but zero.
        size (int): The D that the gallery has.
        what (str): How messages call a row.

    Returns:
        ndarray float64 (N, D): Of unit length.

    Raises:
        InputError: If they are of another shape, no numbers, not finite, or zero; names the row.
    """
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or rows.shape[1] != size or rows.dtype.kind not in 'iuf':
        raise InputError(f'{what}s must be numbers of shape (N, {size}), got {rows.dtype} {rows.shape}')
    rows = rows.astype(np.float64)
    norms = lengths(rows)
    wrong, = np.nonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(wrong):
        raise InputError(f'{what} {wrong[0]} is {"zero" if norms[wrong[0]] == 0 else "not finite"}')
    return rows / norms[:, None]


def new_images(rows, known):
    """Which images are neither known nor among those before them: the same file makes the same embedding, but for the
    last bits, which change with the batch that it was computed in.

    Args:
        rows (ndarray float64 (N, D)): Embeddings of one person, of unit length.
        known (ndarray (K, D)): Those that are kept of this person, of unit length.

    Returns:
        ndarray bool (N,): False where the cosine with an earlier one is at least ``SAME``.
    """
    before, new = np.concatenate([known, rows]), np.empty(len(rows), bool)
    for start in range(0, len(rows), BLOCK):
        places = np.arange(start, min(start + BLOCK, len(rows)))
        cosines = rows[places] @ before[:len(known) + places[-1] + 1].T
        new[places] = (cosines >= SAME).argmax(axis=1) == len(known) + places
    return new


def encode_metadata(metadata):
    """Metadata as bytes, None where there are none.

    Raises:
        InputError: If JSON cannot hold them, or they are too large.
    """
    if not metadata:
        return None
    try:
        data = json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(',', ':')).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f'metadata cannot be kept as JSON: {error}') from error
    if not isinstance(metadata, dict) or len(data) > LARGEST_METADATA:
        raise InputError(f'metadata are a dict of at most {LARGEST_METADATA:,} bytes as JSON, got '
                         f'{type(metadata).__name__} of {len(data):,}')
    return data
