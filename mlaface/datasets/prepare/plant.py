"""Faults that are put into the labels of a set on purpose, so that what ``clean`` finds can be counted."""
from typing import NamedTuple

import numpy as np

KINDS = ('outlier', 'wrong', 'merge', 'split')


class Planted(NamedTuple):
    """Labels with faults of one kind.

    Args:
        rows (ndarray (M,)): Images of the set that are in it now.
        labels (ndarray (M,)): Their class.
        classes (int): How many classes there are.
        faults (set): Rows of faulty images (places in ``rows``), or pairs of classes to merge, or classes to split.
    """
    rows: np.ndarray
    labels: np.ndarray
    classes: int
    faults: set


def plant(labels, kind, share, seed=0):
    """Put faults into labels.

    Args:
        labels (array (N,)): Of a set, taken for right.
        kind (str): ``'outlier'``: people who are taken out of the set leave images in others' classes; ``'wrong'``:
            images move to another class; ``'merge'``: a class is cut into two; ``'split'``: two classes are joined.
        share (float): Of the images (outlier, wrong), or of the classes that are there in the end (merge, split).
        seed (int): Of the draw.

    Returns:
        Planted: The set as it would be then.
    """
    rng, labels = np.random.default_rng(seed), np.asarray(labels, np.int64).copy()
    return dict(outlier=_outlier, wrong=_wrong, merge=_merge, split=_split)[kind](labels, share, rng)


def _numbered(rows, labels, faults):
    names, places = np.unique(labels, return_inverse=True)
    return Planted(rows, places, len(names), faults)


def _outlier(labels, share, rng):
    """Strangers come from classes that are taken out whole, each stranger's image into a class of its own."""
    names, counts = np.unique(labels, return_counts=True)
    gone, strangers = [], []
    for place in rng.permutation(len(names)):
        inside = len(labels) - sum(counts[gone]) - counts[place]
        if gone and len(strangers) >= share * inside:
            break
        gone.append(place)
        strangers += np.flatnonzero(labels == names[place]).tolist()
    kept = np.flatnonzero(~np.isin(labels, names[gone]))
    strangers = rng.permutation(strangers)[:max(1, round(share * len(kept)))]
    rows = np.concatenate([kept, strangers])
    hosts = labels[kept[rng.permutation(len(kept))[:len(strangers)]]]
    return _numbered(rows, np.concatenate([labels[kept], hosts]), set(range(len(kept), len(rows))))


def _wrong(labels, share, rng):
    names = np.unique(labels)
    moved = rng.permutation(len(labels))[:max(1, round(share * len(labels)))]
    for row in moved:
        labels[row] = rng.choice(names[names != labels[row]])
    return _numbered(np.arange(len(labels)), labels, set(moved.tolist()))


def _merge(labels, share, rng):
    """A class of n images becomes two of n / 2; their pair is the fault."""
    names, counts = np.unique(labels, return_counts=True)
    able = names[counts >= 6]
    chosen, fresh = rng.permutation(able)[:max(1, round(share * len(names) / (1 + share)))], labels.max() + 1
    pairs = []
    for number, name in enumerate(chosen):
        mine = rng.permutation(np.flatnonzero(labels == name))
        labels[mine[:len(mine) // 2]] = fresh + number
        pairs.append((name, fresh + number))
    places = {name: place for place, name in enumerate(np.unique(labels))}
    return _numbered(np.arange(len(labels)), labels, {(places[a], places[b]) for a, b in pairs})


def _split(labels, share, rng):
    """Two classes become one; its class is the fault."""
    names = np.unique(labels)
    count = max(1, round(share * len(names) / (1 + share)))
    chosen = rng.permutation(names)[:2 * count].reshape(-1, 2)
    for first, second in chosen:
        labels[labels == second] = first
    places = {name: place for place, name in enumerate(np.unique(labels))}
    return _numbered(np.arange(len(labels)), labels, {places[first] for first, _ in chosen})


def found_of(kind, cleaning):
    """What ``clean`` says of a kind, in the form of ``Planted.faults`` (set)."""
    if kind == 'merge':
        return {(a, b) for a, b, _ in cleaning.merges}
    if kind == 'split':
        return {label for label, _, _ in cleaning.splits}
    return set((cleaning.outliers if kind == 'outlier' else cleaning.wrong).tolist())
