"""What is wrong with the labels of a set, found by a trained model: outliers, wrong labels, people in two classes, two
people in one class.

As sub-center ArcFace (Deng et al., ECCV 2020, section 3.3) drops images that lie far from the dominant centre of their
class, and as RobustFace tells an image of nobody in the set (open-set noise) from one of another class (closed-set), by
whether another centre is near. Here the number of centres of a class is not fixed: its images are grouped by average
linkage, and its largest group is who it is. The likeness of an image and a class is the mean cosine to that group's
images, itself left out.

No threshold belongs to a model: all come from the likenesses of images and other classes, nearly all of which are of
strangers whatever the set's faults. ``linked``: 99% of them lie below. ``strict``: so high that among all classes of
the set one stranger in fifty finds a class so alike, by a normal tail through their median and that 99%. ``joined``:
the same of two classes.
"""
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from mlaface.datasets.prepare.parts import Parts
from mlaface.datasets.prepare.products import BLOCK, best_part, not_zero

QUANTILE = 0.99
CHANCE = 0.02  # of the nearest stranger's reaching ``strict``, by a normal tail
LEAST = 3  # images of a second person in a class
MOST_LINKED = 1500  # images of a class that are linked one by one; of larger ones, parts of it
SAMPLE = 400_000


class Thresholds(NamedTuple):
    """Likenesses: see the module."""
    linked: float
    strict: float
    joined: float


class Cleaning(NamedTuple):
    """What was found.

    Args:
        thresholds (Thresholds): Taken from the set.
        own (ndarray (N,)): float32; likeness to its class, 1 where it is alone, NaN for unusable images.
        other (ndarray (N,)): int64; the most alike other class, -1 if there is none.
        other_likeness (ndarray (N,)): float32.
        outliers (ndarray (M,)): Rows of images that are of nobody in the set, or of no use.
        wrong (ndarray (M,)): Rows of images that are of the class ``other``.
        merges (list[tuple[int, int, float]]): Classes that show one person, and their likeness, the highest first.
        splits (list[tuple[int, ndarray, float]]): A class, the rows of a second person in it, and the likeness of them
            and the class.
    """
    thresholds: Thresholds
    own: np.ndarray
    other: np.ndarray
    other_likeness: np.ndarray
    outliers: np.ndarray
    wrong: np.ndarray
    merges: list
    splits: list


def clean(rows, labels, classes, seed=0, advance=lambda count: None, device='cpu', parts=None):
    """Find what is wrong with a set's labels.

    Args:
        rows (ndarray (N, D)): float32, of unit length; rows of zeros are left out.
        labels (array (N,)): Class of each image.
        classes (int): How many there are.
        seed (int): Of the sample that thresholds are taken from.
        advance (callable): Told how many images are done in addition.
        device (str): Of the large products.
        parts (Parts, optional): Who groups the classes and computes the large products. Default: this process.

    Returns:
        Cleaning: Lists; nothing is changed.

    Raises:
        ValueError: If there are fewer than two classes with images.
    """
    labels, parts = np.asarray(labels, np.int64), parts or Parts()
    usable = not_zero(rows)
    members = by_class(labels, usable, classes)
    if sum(len(each) > 0 for each in members) < 2:
        raise ValueError('labels can be judged among at least two classes with usable images')
    rough = np.stack([_mean(rows, each) for each in members])
    linked, strict = stranger_thresholds(rows, labels, rough, members, seed)
    bounds = np.cumsum([0, *map(len, members)])
    groups = _regrouped(*parts.map(persons_part, len(members), dict(rows=rows, members=np.concatenate(members),
                                                                    bounds=bounds), advance, threshold=linked))
    means = np.stack([_mean(rows, group[0]) if group else np.zeros(rows.shape[1], np.float32) for group in groups])
    own = _own_likeness(rows, labels, groups, means, usable)
    other, other_likeness = parts.map(best_part, len(rows), dict(first=rows, second=means, own=labels), device=device)
    full = np.flatnonzero([bool(group) and len(group[0]) > 1 for group in groups])
    thresholds = Thresholds(linked, strict, joined_threshold(means, full, seed))
    merges = _merges(means[full], full, thresholds.joined, device, parts)
    return _judged(labels, groups, own, other, other_likeness, merges, thresholds, usable, rows)


def by_class(labels, usable, classes):
    """Rows of each class's usable images (list of ndarray int64)."""
    rows = np.flatnonzero(usable)
    order = rows[np.argsort(labels[rows], kind='stable')]
    return np.split(order, np.searchsorted(labels[order], np.arange(1, classes)))


def stranger_thresholds(rows, labels, means, members, seed=0):
    """Thresholds from likenesses of images and classes that are not theirs.

    Args:
        rows (ndarray (N, D)): Unit rows.
        labels (array (N,)): Class of each.
        means (ndarray (C, D)): Mean of each class's images.
        members (list[ndarray]): Rows of each class.
        seed (int): Of the sample.

    Returns:
        tuple[float, float]: ``linked`` and ``strict``.
    """
    rng = np.random.default_rng(seed)
    known = np.concatenate(members)
    full = np.flatnonzero([len(each) > 1 for each in members])
    full = full if len(full) > 1 else np.flatnonzero([len(each) > 0 for each in members])
    images = known[rng.integers(len(known), size=min(SAMPLE, 50 * len(known)))]
    others = full[rng.integers(len(full), size=len(images))]
    apart = labels[images] != others
    images, others = images[apart], others[apart]
    return _tail(_dots(rows, images, means, others), len(full))


def joined_threshold(means, full, seed=0):
    """How alike two classes must be to show one person.

    Args:
        means (ndarray (C, D)): Mean of the largest group of each class.
        full (ndarray (F,)): Classes whose largest group has two images at least.
        seed (int): Of the sample.

    Returns:
        float: ``joined``; 2 where fewer than two classes can be judged.
    """
    if len(full) < 2:
        return 2.0
    classes = full[np.random.default_rng(seed).integers(len(full), size=(2, SAMPLE))]
    classes = classes[:, classes[0] != classes[1]]
    return _tail(_dots(means, classes[0], means, classes[1]), len(full))[1]


def _dots(first, places, second, others):
    """Products of rows and rows, a part at a time, float32."""
    return np.concatenate([np.einsum('nd,nd->n', first[places[k:k + 10_000]], second[others[k:k + 10_000]])
                           for k in range(0, len(places), 10_000)])


def _tail(scores, count):
    """The 99% quantile of likenesses, and what the highest of ``count`` of them reaches with a chance of 2%."""
    middle, high = np.quantile(scores, [0.5, QUANTILE])
    normal = NormalDist()
    reach = normal.inv_cdf(1 - CHANCE / max(count, 2)) / normal.inv_cdf(QUANTILE)
    return float(high), float(middle + (high - middle) * max(reach, 1))


def persons(rows, members, threshold):
    """A class's images by person: average linkage, cut where groups are less alike than a threshold.

    Args:
        rows (ndarray (N, D)): Unit rows.
        members (ndarray (M,)): Rows of the class; of more than 1,500 these are shared out among as many evenly spaced
            ones first.
        threshold (float): Mean cosine between groups.

    Returns:
        list[ndarray]: Rows of each group, the largest first.
    """
    if len(members) < 2:
        return [members] if len(members) else []
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    seeds = members[np.linspace(0, len(members) - 1, min(len(members), MOST_LINKED)).astype(int)]
    distances = np.maximum(1 - rows[seeds].astype(np.float64) @ rows[seeds].T, 0)
    np.fill_diagonal(distances, 0)
    group = fcluster(linkage(squareform(distances, checks=False), 'average'), 1 - threshold, 'distance') - 1
    if len(seeds) < len(members):
        means = np.stack([_mean(rows, seeds[group == number]) for number in range(group.max() + 1)])
        group = np.concatenate([(rows[part] @ means.T).argmax(1) for part in np.array_split(
            members, -(-len(members) // 10_000))])
    parts = [members[group == number] for number in np.unique(group)]
    return sorted(parts, key=lambda part: (-len(part), part[0]))


def persons_part(start, stop, rows, members, bounds, threshold, advance=lambda count: None):
    """``persons`` of classes from start to stop; see ``parts.py``.

    Args:
        start, stop (int): Classes.
        rows (ndarray (N, D)): Unit rows.
        members (ndarray (M,)): Rows of class 0, of class 1, ...
        bounds (ndarray (C + 1,)): Where each class begins among them.
        threshold (float): See ``persons``.
        advance (callable): Told how many images are done in addition.

    Returns:
        tuple[ndarray, ndarray, ndarray]: Rows of all groups, sizes of the groups, and how many groups each class has.
    """
    found, counts = [], []
    for first, last in zip(bounds[start:stop], bounds[start + 1:stop + 1]):
        groups = persons(rows, members[first:last], threshold)
        found += groups
        counts.append(len(groups))
        advance(int(last - first))
    flat = np.concatenate([*found, np.zeros(0, np.int64)])
    return flat, np.array([len(group) for group in found], np.int64), np.array(counts, np.int64)


def _regrouped(flat, sizes, counts):
    """Groups of each class (list[list[ndarray]]) of what ``persons_part`` gives."""
    groups = iter(np.split(flat, np.cumsum(sizes)[:-1]))
    return [[next(groups) for _ in range(count)] for count in counts.tolist()]


def _mean(rows, members):
    return rows[members].mean(0) if len(members) else np.zeros(rows.shape[1], np.float32)


def _own_likeness(rows, labels, groups, means, usable):
    """Mean cosine of each image to the largest group of its class, itself left out."""
    inside = np.zeros(len(rows), bool)
    for group in groups:
        if group:
            inside[group[0]] = True
    sizes = np.array([len(group[0]) if group else 0 for group in groups])[labels]
    own = _dots(rows, np.arange(len(rows)), means, labels)
    own = np.where(inside, np.where(sizes > 1, (own * sizes - 1) / np.maximum(sizes - 1, 1), 1), own)
    return np.where(usable, own, np.nan).astype(np.float32)


def _merges(entries, full, threshold, device, parts):
    """Pairs of classes whose largest groups are alike; classes of one image say too little."""
    found = parts.map(merges_part, len(full), dict(entries=entries), threshold=threshold, device=device)
    pairs = [(int(full[a]), int(full[b]), float(cosine)) for a, b, cosine in zip(*found)]
    return sorted(pairs, key=lambda pair: -pair[2])


def merges_part(start, stop, entries, threshold, device='cpu', advance=lambda count: None):
    """Pairs of rows, the first from start to stop and the second behind it, whose cosine reaches a threshold.

    Returns:
        tuple[ndarray, ndarray, ndarray]: Rows, rows and cosines (M,); see ``parts.py``.
    """
    import torch
    whole, found = torch.from_numpy(entries).to(device), [(np.zeros(0, np.int64),) * 2 + (np.zeros(0, np.float32),)]
    for place in range(start, stop, BLOCK):
        products = whole[place:min(place + BLOCK, stop)] @ whole.T
        first, second = (part.cpu().numpy() for part in torch.nonzero(products >= threshold, as_tuple=True))
        behind = first + place < second
        found.append((first[behind] + place, second[behind], products.cpu().numpy()[first[behind], second[behind]]))
    return tuple(np.concatenate(each) for each in zip(*found))


def _judged(labels, groups, own, other, other_likeness, merges, thresholds, usable, rows):
    """Put each suspicious image under one heading."""
    partners = {(a, b) for a, b, _ in merges} | {(b, a) for a, b, _ in merges}
    outliers, wrong, splits = [], [], []
    for label, group in enumerate(groups):
        for part in group[1:]:
            elsewhere = _elsewhere(part, label, other, other_likeness, own, thresholds, partners)
            wrong += part[elsewhere].tolist()
            rest = part[~elsewhere]
            if len(rest) >= LEAST:
                splits.append((label, rest, float(rows[rest].mean(0) @ _mean(rows, group[0]))))
            else:
                outliers += rest[own[rest] < thresholds.linked].tolist()
        if group:
            wrong += group[0][_elsewhere(group[0], label, other, other_likeness, own, thresholds, partners)].tolist()
    outliers += np.flatnonzero(~usable).tolist()
    return Cleaning(thresholds, own, other, other_likeness, np.array(sorted(outliers), np.int64),
                    np.array(sorted(wrong), np.int64), merges, splits)


def _elsewhere(part, label, other, likeness, own, thresholds, partners):
    """Which images of a part are of another class: alike it beyond chance, and unlike their own."""
    apart = np.array([(label, int(name)) not in partners for name in other[part]], bool)
    return apart & (likeness[part] >= thresholds.strict) & (own[part] < thresholds.linked)
