"""Rows of embeddings: flip fusion, unit length, and cosines that do not depend on how rows are grouped into blocks.

Every number here is made of one row (or one pair of rows) by a fixed order of additions. A matrix product promises no
such thing: its rounding changes with the shape of the block.
"""
import numpy as np

from mlaface.evaluation.functional.arrays import HOST
from mlaface.evaluation.functional.checks import check_norms

FLIPS = ('none', 'sum', 'concat')


def fuse(embeddings, flipped, flip):
    """Embeddings of images and of their mirror images as one.

    Args:
        embeddings (array (N, D)): Of the images.
        flipped (array (N, D) or None): Of the mirrored images.
        flip (str): ``'none'``, ``'sum'`` or ``'concat'``.

    Returns:
        ndarray (N, D or 2D): float64, a copy.
    """
    if flipped is None or flip == 'none':
        return embeddings.astype(np.float64)
    if flip == 'sum':
        return np.add(embeddings, flipped, dtype=np.float64)
    return np.concatenate([embeddings, flipped], axis=1, dtype=np.float64)


class FusedRows:
    """``fuse`` of any rows when they are asked for: a large table is never whole in float64.

    Args:
        embeddings (array (N, D)): Of the images.
        flipped (array (N, D) or None): Of the mirrored images.
        flip (str): ``'none'``, ``'sum'`` or ``'concat'``.
    """

    def __init__(self, embeddings, flipped, flip):
        self.embeddings, self.flipped, self.flip = embeddings, flipped, flip
        joined = flipped is not None and flip == 'concat'
        self.shape = (len(embeddings), embeddings.shape[1] * (2 if joined else 1))

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Rows float64 of a slice or an array of numbers."""
        return fuse(self.embeddings[rows], None if self.flipped is None else self.flipped[rows], self.flip)


class ChosenRows:
    """Some rows of a table, read when they are asked for.

    Args:
        table (array (N, D)): Anything whose chosen rows are arrays, ``FusedRows`` for one.
        rows (ndarray (M,)): Which, int.
    """

    def __init__(self, table, rows):
        self.table, self.rows = table, rows
        self.shape = (len(rows), table.shape[1])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        """Rows of a slice or an array of numbers."""
        return self.table[self.rows[rows]]


def lengths(rows):
    """Euclidean length of each row (N, D), as (N,)."""
    return np.sqrt(np.einsum('ij,ij->i', rows, rows))


def unit_rows(rows, names=None, start=0, what='embedding'):
    """Rows scaled to unit length.

    Args:
        rows (array (N, D)): Any float type.
        names (sequence of str or None): Names of all rows, for messages.
        start (int or ndarray (N,)): Number of the first row here among all, or of each.
        what (str): How messages call a row.

    Returns:
        ndarray (N, D): float64.

    Raises:
        ValueError: If a row is not finite or zero.
    """
    rows = np.asarray(rows, dtype=np.float64)
    norms = lengths(rows)
    check_norms(norms, names, start, what)
    return rows / norms[:, None]


def unit_blocks(rows, block, names=None, what='embedding'):
    """``unit_rows`` of a large table, block by block.

    Args:
        rows (array (N, D)): Anything whose slices are arrays.
        block (int): Rows of a block.
        names (sequence of str (N,) or None): Names of all rows, for messages.
        what (str): How messages call a row.

    Yields:
        tuple: Number of the block's first row, and its rows float64 (B, D).

    Raises:
        ValueError: As ``unit_rows``.
    """
    for start in range(0, len(rows), block):
        yield start, unit_rows(rows[start:start + block], names, start, what)


def cosines(first, first_rows, second, second_rows, arrays=HOST):
    """Dot products of chosen rows of two tables of unit vectors.

    Args:
        first (ndarray (N, D)): float64, unit rows; already where ``arrays`` computes.
        first_rows (ndarray (P,)): Rows of ``first``.
        second (ndarray (M, D)): float64, unit rows; where ``arrays`` computes.
        second_rows (ndarray (P,)): Rows of ``second``.
        arrays (HostArrays): Where the products are computed.

    Returns:
        ndarray (P,): float64, on the host; the same bits for any ``arrays``.
    """
    scores = np.empty(len(first_rows))
    for start in range(0, len(scores), arrays.pairs):
        part = slice(start, start + arrays.pairs)
        products = first[arrays.load(first_rows[part])]
        products *= second[arrays.load(second_rows[part])]
        scores[part] = arrays.host(_fold(products))
    return scores


def _fold(products):
    """Sum of each row (P, D), as (P,), by adding halves until one column is left; the rows are spoilt.

    Single additions of whole columns are rounded alike by every array library, processor and GPU; ``sum`` and a matrix
    product add in an order of their own.
    """
    width = products.shape[1]
    while width > 1:
        half = width // 2
        if width % 2:
            products[:, 0] += products[:, width - 1]
        products[:, :half] += products[:, half:2 * half]
        width = half
    return products[:, 0]
