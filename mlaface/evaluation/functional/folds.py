"""Accuracy in folds: each fold is tested with the threshold that is best on the others, all folds at once.

A grid of thresholds cuts the distances into bins; counts by fold, label and bin are all that the protocol needs.
"""
from typing import NamedTuple

import numpy as np

GRIDS = dict(squared_l2=np.arange(0, 4, 0.01), cosine=np.arange(0, 2, 0.005))
FINE_GRIDS = dict(squared_l2=np.arange(0, 4, 0.001), cosine=np.arange(0, 2, 0.0005))


class FoldAccuracy(NamedTuple):
    """Accuracy on each fold and the threshold it was reached with, both float64 (F,)."""
    accuracy: np.ndarray
    thresholds: np.ndarray


def fold_sizes(pairs, folds):
    """Pairs in each of ``folds`` consecutive folds; the first ``pairs % folds`` have one more."""
    base, extra = divmod(pairs, folds)
    return np.full(folds, base) + (np.arange(folds) < extra)


def fold_numbers(pairs, folds):
    """The fold of each pair, (P,)."""
    return np.repeat(np.arange(folds), fold_sizes(pairs, folds))


def check_folds(issame, folds):
    """Refuse a list in which a fold lacks same or different pairs.

    Args:
        issame (ndarray (P,)): bool.
        folds (int): Folds.

    Raises:
        ValueError: If so; names the fold and its pairs.
    """
    if len(issame) < 2 * folds:
        raise ValueError(f'{len(issame)} pairs are too few for {folds} folds with same and different pairs in each')
    edges = np.append(0, np.cumsum(fold_sizes(len(issame), folds)))
    for fold, (start, stop) in enumerate(zip(edges[:-1], edges[1:])):
        positives = int(issame[start:stop].sum())
        if positives in (0, stop - start):
            kind = 'same' if positives == 0 else 'different'
            raise ValueError(f'fold {fold} (pairs {start} to {stop - 1}) has no {kind} pairs: folds are consecutive '
                             'parts of the list, so mix same and different pairs in it')


def accepted_counts(distance, issame, folds, grid):
    """Pairs with a distance below each threshold, by fold and label.

    Args:
        distance (ndarray (P,)): Distances.
        issame (ndarray (P,)): bool.
        folds (int): Folds.
        grid (ndarray (T,)): Thresholds, rising.

    Returns:
        ndarray (F, 2, T): int64; label 0 counts different, 1 same pairs.
    """
    bins = len(grid) + 1
    places = np.searchsorted(grid, distance, side='right')  # the first threshold that exceeds the distance
    places += (2 * fold_numbers(len(distance), folds) + issame) * bins
    counts = np.bincount(places, minlength=2 * folds * bins).reshape(folds, 2, bins)
    return counts.cumsum(axis=2)[..., :-1]


def _totals(issame, folds):
    """Different and same pairs in each fold, (F, 2)."""
    counts = np.bincount(2 * fold_numbers(len(issame), folds) + issame, minlength=2 * folds)
    return counts.reshape(folds, 2)


def fold_accuracy(distance, issame, folds, grid):
    """Accuracy of each fold with the threshold that is best on the others (the first of equals).

    Args:
        distance (ndarray (P,)): Distances; a pair is accepted if its distance is below the threshold.
        issame (ndarray (P,)): bool.
        folds (int): Folds.
        grid (ndarray (T,)): Thresholds to choose from, rising.

    Returns:
        FoldAccuracy: Accuracies and thresholds, each (F,).
    """
    accepted, totals = accepted_counts(distance, issame, folds, grid), _totals(issame, folds)
    correct = accepted[:, 1] + totals[:, :1] - accepted[:, 0]
    best = np.argmax(correct.sum(axis=0) - correct, axis=1)
    return FoldAccuracy(correct[np.arange(folds), best] / totals.sum(axis=1), grid[best])


def fold_weights(pairs, folds):
    """What each pair counts in a mean over folds: the same in all folds of one size, more in a smaller fold.

    Args:
        pairs (int): P.
        folds (int): Folds.

    Returns:
        ndarray (P,) or int: 1 where all folds have one size.
    """
    sizes = fold_sizes(pairs, folds)
    return 1 if len(set(sizes)) == 1 else np.repeat(pairs / folds / np.asarray(sizes), sizes)


def fold_hits(distance, issame, folds, grid):
    """Which pairs are decided rightly by the threshold that is best on the other folds, bool (P,); see
    ``fold_accuracy``."""
    thresholds = fold_accuracy(distance, issame, folds, grid).thresholds
    return (distance < thresholds[fold_numbers(len(distance), folds)]) == issame


def interpolated_tar(distance, issame, folds, kind='squared_l2', far=1e-3):
    """TAR and FAR of each fold where the others' FAR, drawn with straight lines over a fine grid, meets a target.

    It is InsightFace's ``calculate_val``. The grid of 0.001 and the straight lines make its threshold depend on where
    the grid lies; ``roc.tar_at_far`` does not. Where the FAR is level, the line begins at the level's last threshold.

    Args:
        distance (ndarray (P,)): Distances.
        issame (ndarray (P,)): bool.
        folds (int): Folds.
        kind (str): Which distance: ``'squared_l2'`` or ``'cosine'``.
        far (float): Target.

    Returns:
        dict: ``value`` and ``std`` of TAR over folds, ``far`` (mean over folds) and the ``target``.
    """
    grid = FINE_GRIDS[kind]
    accepted, totals = accepted_counts(distance, issame, folds, grid)[:, 0], _totals(issame, folds)
    others = (accepted.sum(axis=0) - accepted) / (totals[:, 0].sum() - totals[:, 0])[:, None]
    thresholds = np.array([np.interp(far, rates, grid) if rates[-1] >= far else 0.0 for rates in others])
    hits = distance < np.repeat(thresholds, fold_sizes(len(distance), folds))
    number = fold_numbers(len(distance), folds)
    rates = np.bincount(2 * number + issame, hits, minlength=2 * folds).reshape(folds, 2) / totals
    return dict(value=float(rates[:, 1].mean()), std=float(rates[:, 1].std()), far=float(rates[:, 0].mean()),
                target=far)
