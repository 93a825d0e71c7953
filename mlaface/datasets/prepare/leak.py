"""Which people of a training set stand in a benchmark too, by embeddings: accuracy on them is not that on strangers.

Each identity's centre, the mean of its images, is compared with every image of the benchmark; the nearest decides. How
near that is among strangers says the training set itself: against as many of its own images, each of another identity,
centres have nearest ones whose cosines follow a Gumbel law, as maxima do. It is fitted to their median and their 90%
quantile, which the few identities that stand in the set twice do not move. The confidence at a cosine is one minus the
share of strangers that are expected among the identities that reach it.

Single images of other identities that are near a benchmark's image are found in the same way.
"""
from typing import NamedTuple

import numpy as np

from mlaface.datasets.prepare.clean import by_class
from mlaface.datasets.prepare.parts import Parts
from mlaface.datasets.prepare.products import best_others, not_zero, pairs_part

STRAYS_EXPECTED = 0.5  # strangers among all single images that are reported
SAMPLE = 20_000
FEWEST = 10  # identities
DOUBT = 0.05  # identities whose confidence is lower are not listed


class Strangers(NamedTuple):
    """The Gumbel law of the highest cosine among strangers."""
    place: float
    scale: float

    def chance(self, cosine):
        """Chance that a stranger's highest cosine reaches these, (N,)."""
        return -np.expm1(-np.exp(-(np.asarray(cosine, np.float64) - self.place) / self.scale))

    def cosine(self, chance):
        """The cosine that is reached with a chance (float)."""
        return self.place - self.scale * float(np.log(-np.log1p(-chance)))


class Leaks(NamedTuple):
    """What a training set shares with a benchmark.

    Args:
        classes (ndarray (K,)): int64, identities that may stand in both, the surest first.
        images (ndarray (K,)): int64, the nearest image of the benchmark.
        cosine (ndarray (K,)): float32.
        confidence (ndarray (K,)): 0 to 1.
        stray_rows (ndarray (S,)): int64, single images of other identities.
        stray_images (ndarray (S,)): int64, their nearest image of the benchmark.
        stray_cosine (ndarray (S,)): float32.
        strangers (Strangers): The law for identities.
        stray_threshold (float): The cosine from which single images are listed.
    """
    classes: np.ndarray
    images: np.ndarray
    cosine: np.ndarray
    confidence: np.ndarray
    stray_rows: np.ndarray
    stray_images: np.ndarray
    stray_cosine: np.ndarray
    strangers: Strangers
    stray_threshold: float


def check_people(count):
    """Refuse a set of too few identities (int) with images: no law of strangers can be had from them."""
    if count < FEWEST:
        raise ValueError(f'{count} identities with usable images are too few to know how near strangers come: '
                         f'{FEWEST} are needed')


def find_leaks(rows, labels, classes, benchmark, confidence=0.5, seed=0, device='cpu', advance=lambda count: None,
               parts=None):
    """Identities and single images of a training set that stand in a benchmark.

    Args:
        rows (array (N, D)): Unit rows of the training set, float32; rows of zeros are left out.
        labels (array (N,)): Class of each.
        classes (int): How many there are.
        benchmark (ndarray (M, D)): Unit rows of the benchmark's distinct images.
        confidence (float): From which an identity counts as shared, so that its images are no strays. Default 0.5.
        seed (int): Of the samples of strangers.
        device (str): Of the products.
        advance (callable): Told how many images of the training set are done in addition.
        parts (Parts, optional): Who does the search for single images. Default: this process.

    Returns:
        Leaks: See there.

    Raises:
        ValueError: If there are fewer than ten identities, from which no law of strangers can be had, or the dimensions
            differ.
    """
    labels = np.asarray(labels, np.int64)
    if rows.shape[1] != benchmark.shape[1]:
        raise ValueError(f'embeddings of {rows.shape[1]} and of {benchmark.shape[1]} dimensions cannot be compared: '
                         'take one model for both sets')
    usable = not_zero(rows)
    members = by_class(labels, usable, classes)
    full = np.flatnonzero([len(each) > 0 for each in members])
    check_people(len(full))
    centres = np.stack([rows[members[label]].mean(0) for label in full])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(usable)
    others = np.sort(rng.choice(known, min(len(benchmark), len(known)), replace=False))
    law = _law(_nearest_strangers(centres, full, rows[others], labels[others], device))
    images, cosine = best_others(centres, benchmark, device=device)
    sure = confidences(cosine, law)
    order = np.lexsort((-cosine, -sure))
    order = order[sure[order] >= DOUBT]
    shared = full[sure >= confidence]
    strays = _strays(rows, labels, known, others, benchmark, shared, rng, device, advance, parts or Parts())
    return Leaks(full[order], images[order], cosine[order], sure[order], *strays[:3], law, strays[3])


def _nearest_strangers(centres, classes, rows, labels, device):
    """The highest cosine of each centre to rows of other classes (ndarray)."""
    import torch
    entries, found = torch.from_numpy(np.ascontiguousarray(rows)).to(device), []
    for start in range(0, len(centres), 1024):
        products = torch.from_numpy(centres[start:start + 1024]).to(device) @ entries.T
        own = torch.from_numpy(classes[start:start + 1024, None] == labels[None]).to(device)
        found.append(products.masked_fill_(own, -1).amax(1).cpu().numpy())
    return np.concatenate(found)


def _law(highest):
    """The Gumbel law through the median and the 90% quantile."""
    middle, high = np.quantile(highest, [0.5, 0.9])
    steps = -np.log(-np.log([0.5, 0.9]))
    scale = max(float(high - middle) / float(steps[1] - steps[0]), 1e-6)
    return Strangers(float(middle) - scale * float(steps[0]), scale)


def confidences(cosine, law):
    """One minus the share of strangers expected among those that reach each cosine, falling with the cosine.

    Args:
        cosine (ndarray (K,)): The nearest of each identity.
        law (Strangers): Of strangers.

    Returns:
        ndarray (K,): 0 to 1.
    """
    order = np.argsort(-cosine, kind='stable')
    reached = np.searchsorted(-cosine[order], -cosine[order], side='right')
    sure = 1 - np.minimum(len(cosine) * law.chance(cosine[order]) / reached, 1)
    found = np.empty(len(cosine))
    found[order] = np.maximum.accumulate(sure[::-1])[::-1]
    return found


def _strays(rows, labels, known, others, benchmark, shared, rng, device, advance, parts):
    """Single images of identities that are not shared, near an image of the benchmark."""
    part = np.sort(rng.choice(known, min(SAMPLE, len(known)), replace=False))
    law = _law(_nearest_strangers(np.ascontiguousarray(rows[part]), labels[part], rows[others], labels[others], device))
    threshold = min(law.cosine(min(STRAYS_EXPECTED / len(known), 0.5)), 0.99)
    found = parts.map(pairs_part, len(rows), dict(first=rows, second=benchmark), advance, threshold=threshold,
                      device=device)
    mine = ~np.isin(labels[found[0]], shared)
    first, second, cosine = (values[mine] for values in found)
    order = np.lexsort((-cosine, first))
    keep = order[np.unique(first[order], return_index=True)[1]]
    keep = keep[np.argsort(-cosine[keep], kind='stable')]
    return first[keep], second[keep], cosine[keep], threshold
