"""Copies of images within and across sets: the same bytes, the same pixels, and near copies.

Near copies are found by a perceptual hash that is made for aligned faces. The usual one (signs of a picture's lowest
cosine terms; Zauner 2010) finds that all aligned faces look alike, since at that size they do. Here each term is
compared with its median over all images that are searched, so that every bit is set in half of them and what is common
to all faces drops out. Pairs that agree in one of eight bands of 16 bits are compared: by Hamming distance first, then
by the correlation of their thumbnails without the mean one.
"""
from typing import NamedTuple

import numpy as np
from scipy.fft import dct

BANDS = 8
TERMS = 16 * BANDS
CORRELATION = 0.96
DISTANCE = 28  # of 128 bits: above it no pair of faces_small and of its changed copies correlates at 0.95
BUCKET = 1024  # images that agree in a band and are each compared with this many next ones in order of the whole hash
BLOCK = 1 << 16
ALL = 4096  # images of which all pairs are compared, without a hash
KINDS = ('bytes', 'pixels', 'near', 'embedding')
ONES = np.array([bin(value).count('1') for value in range(1 << 16)], np.uint8)


class Copies(NamedTuple):
    """Which images are copies of each other.

    Args:
        group (ndarray (N,)): int64; number of the group, -1 for an image without a copy.
        kind (ndarray (G,)): int8; the loosest of ``KINDS`` that joins each group.
        kept (ndarray (N,)): bool; the one of a group that stays, and all images without a copy.
    """
    group: np.ndarray
    kind: np.ndarray
    kept: np.ndarray


def find_copies(measures, numbers, correlation=CORRELATION, near=True, more=None, advance=lambda count: None):
    """Groups of copies, and which image of each is kept.

    The one that is kept: of the set that was named first, then the one with the most pixels, then with the most bytes,
    then the first.

    Args:
        measures (array (N,)): Records of ``measures.MEASURES``, of all sets one behind the other.
        numbers (array (N,)): Number of each image's set.
        correlation (float): Of thumbnails, from which on images are near copies. Default 0.96.
        near (bool): Whether near copies are looked for.
        more (array (P, 2), optional): Pairs that are copies as well, such as by their embeddings.
        advance (callable): Told how many of ``BANDS`` are done in addition, twice over.

    Returns:
        Copies: Of all images; those that cannot be read have no copies.
    """
    usable = np.asarray(measures['readable'])
    fresh = usable.copy()
    parts = [exact_pairs(measures['of_bytes'], usable)]
    fresh[parts[0][:, 1]] = False
    parts.append(exact_pairs(measures['of_pixels'], fresh))
    fresh[parts[1][:, 1]] = False
    first = np.flatnonzero(fresh)
    parts.append(first[near_pairs(measures['thumbnail'][first] if near else np.zeros((0, 16, 16)), correlation,
                                  advance)])
    parts.append(np.asarray([] if more is None else more, np.int64).reshape(-1, 2))
    kinds = np.repeat(np.arange(len(KINDS), dtype=np.int8), [len(part) for part in parts])
    group, kind = joined(len(measures), np.concatenate(parts), kinds)
    area = measures['height'].astype(np.int64) * measures['width']
    order = np.lexsort((np.arange(len(measures)), -measures['bytes'], -area, numbers))
    kept = group < 0
    copies = order[group[order] >= 0]
    kept[copies[np.unique(group[copies], return_index=True)[1]]] = True
    return Copies(group, kind, kept)


def joined(count, pairs, kinds=None):
    """Pairs to groups, as chains of them hang together.

    Args:
        count (int): Images.
        pairs (array (P, 2)): Which belong together.
        kinds (array (P,), optional): Of each pair, a small number.

    Returns:
        tuple[ndarray, ndarray]: Group of each image, int64 (N,), numbered in order of their first images, -1 for
        none; and the largest kind of each group, int8 (G,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    component = connected_components(graph, directed=False)[1] if count else np.zeros(0, int)
    group, touched = np.full(count, -1), np.unique(pairs)
    names, first, inverse = np.unique(component[touched], return_index=True, return_inverse=True)
    place = np.empty(len(names), int)
    place[np.argsort(first)] = np.arange(len(names))
    group[touched] = place[inverse]
    loosest = np.zeros(len(names), np.int8)
    if kinds is not None and len(pairs):
        np.maximum.at(loosest, group[pairs[:, 0]], kinds)
    return group, loosest


def exact_pairs(digests, usable):
    """Pairs that chain all images of one digest.

    Args:
        digests (array (N,)): uint64.
        usable (array (N,)): bool; others have no copies.

    Returns:
        ndarray (P, 2): int64.
    """
    rows, digests = np.flatnonzero(usable), np.asarray(digests)
    order = rows[np.argsort(digests[rows], kind='stable')]
    same = digests[order][1:] == digests[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], 1)


def near_pairs(thumbnails, correlation=CORRELATION, advance=lambda count: None):
    """Pairs of near copies, mirrored ones too.

    Args:
        thumbnails (array (N, 16, 16)): uint8.
        correlation (float): From which on a pair counts.
        advance (callable): Told of each of ``2 * BANDS`` passes.

    Returns:
        ndarray (P, 2): int64, the lower row first, each pair once.
    """
    count = len(thumbnails)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    mean = _plain(thumbnails[::max(1, count // 20_000)]).mean(0)
    if count <= ALL:
        advance(2 * BANDS)
        parts = [_alike(thumbnails, mean, correlation, flip) for flip in (False, True)]
        return np.unique(np.concatenate(parts), axis=0)
    terms = _terms(thumbnails)
    middle = np.median(terms[::max(1, count // 100_000)], axis=0)
    codes = _codes(terms, middle)
    del terms
    mirrored = _codes(_terms(thumbnails[:, :, ::-1]), middle)
    found = []
    for flip, all_codes in ((False, codes), (True, np.concatenate([codes, mirrored]))):
        for band in range(BANDS):
            pairs = _band_pairs(all_codes, band, count if flip else None)
            if flip:
                pairs = np.where(pairs >= count, pairs - count, pairs)
                pairs = pairs[pairs[:, 0] != pairs[:, 1]]
            pairs = np.unique(np.sort(pairs, 1), axis=0)
            found.append(_correlated(thumbnails, pairs, mean, correlation, flip))
            advance(1)
    return np.unique(np.concatenate(found), axis=0)


def _alike(thumbnails, mean, correlation, flip):
    """Pairs of a small set, by all of its correlations."""
    rows = _relative(thumbnails, mean)
    other = _relative(thumbnails[:, :, ::-1], mean) if flip else rows
    first, second = np.nonzero(np.triu(rows @ other.T, 1) >= correlation)
    return np.stack([first, second], 1)


def _terms(thumbnails):
    """The lowest cosine terms without the constant one, float16 (N, 128)."""
    side = thumbnails.shape[1]
    row, column = np.divmod(np.arange(side * side), side)
    order = np.lexsort((row, row ** 2 + column ** 2))[1:TERMS + 1]
    terms = np.empty((len(thumbnails), TERMS), np.float16)
    matrix = dct(np.eye(side, dtype=np.float32), axis=0, norm='ortho')
    for start in range(0, len(thumbnails), BLOCK):
        block = thumbnails[start:start + BLOCK].astype(np.float32)
        terms[start:start + len(block)] = (matrix @ block @ matrix.T).reshape(len(block), -1)[:, order]
    return terms


def _codes(terms, middle):
    """Hashes uint16 (N, 8) of terms relative to medians."""
    return np.ascontiguousarray(np.packbits(terms > middle, axis=1)).view(np.uint16)


def _band_pairs(codes, band, split=None):
    """Pairs that agree in a band and differ in at most ``DISTANCE`` bits; with ``split``, only those across it."""
    others = [(band + k) % BANDS for k in range(BANDS - 1, -1, -1)]
    order = np.lexsort([codes[:, other] for other in others])
    values, sorted_codes = codes[order, band], codes[order]
    place, found = np.arange(len(order)), []
    for offset in range(1, BUCKET + 1):
        place = place[place + offset < len(order)]
        place = place[values[place] == values[place + offset]]
        if not len(place):
            break
        for start in range(0, len(place), BLOCK * 16):
            part = place[start:start + BLOCK * 16]
            first, second = order[part], order[part + offset]
            if split is not None:
                across = (first < split) != (second < split)
                part, first, second = part[across], first[across], second[across]
            near = ONES[sorted_codes[part] ^ sorted_codes[part + offset]].sum(1, dtype=np.uint8) <= DISTANCE
            found.append(np.stack([first[near], second[near]], 1))
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def _correlated(thumbnails, pairs, mean, correlation, flip):
    """Those pairs whose thumbnails, without the mean one, correlate."""
    good = np.zeros(len(pairs), bool)
    for start in range(0, len(pairs), BLOCK):
        one, other = pairs[start:start + BLOCK].T
        second = thumbnails[other][:, :, ::-1] if flip else thumbnails[other]
        good[start:start + BLOCK] = np.einsum('nd,nd->n', _relative(thumbnails[one], mean),
                                              _relative(second, mean)) >= correlation
    return pairs[good]


def _plain(thumbnails):
    """Thumbnails without their own brightness and contrast, float32 (N, 256) of unit length; flat ones are zero."""
    rows = np.asarray(thumbnails, np.float32).reshape(len(thumbnails), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def _relative(thumbnails, mean):
    rows = _plain(thumbnails) - mean
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
