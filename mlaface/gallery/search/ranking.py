"""The best people for a probe, exactly: who can be among them by the bounds, then their cosines in float64.

Ties are broken by the number of the image, so that who was enrolled first stands first.
"""
import numpy as np

CHUNK = 128  # places whose highest bound is looked at before any of them is
SLACK = 1e-6  # a bound is compared in float32, a cosine is float64


def likely_best(bounds, number, k, threshold):
    """Images among which are the best ones of the k best people, a person's score being that of the best image.

    Args:
        bounds (Bounds): Of the cosines.
        number (int): Which probe.
        k (int): How many people.
        threshold (float): People below it are not asked for.

    Returns:
        ndarray: Places in the index.
    """
    highest = bounds.highest[number]
    chunks = np.maximum.reduceat(highest, np.arange(0, len(highest), CHUNK))
    least = max(_kth_lowest(bounds, number, chunks, k), threshold) - SLACK
    places = _places(np.nonzero(chunks >= least)[0], len(highest))
    return places[highest[places] >= least]


def _kth_lowest(bounds, number, chunks, k):
    """A score that k people certainly reach: the k-th best of those in the chunks that look best; -1 if there is none.
    """
    order = np.argsort(-chunks)
    looked = k
    while True:
        places = _places(order[:looked], bounds.highest.shape[1])
        scores, people = bounds.lowest(number, places), bounds.index.persons[places]
        best_first = np.argsort(-scores)
        _, first = np.unique(people[best_first], return_index=True)
        if len(first) >= k:
            return scores[best_first[np.sort(first)[k - 1]]]
        if looked >= len(order):
            return -1.0
        looked *= 4


def _places(chunks, count):
    places = (chunks[:, None] * CHUNK + np.arange(CHUNK)).ravel()
    return places[places < count]


def likely_means(bounds, number, k, threshold):
    """All images of people among whom are the k best, a person's score being the mean over the images.

    Args and Returns as ``likely_best``.
    """
    whose, counts = bounds.index.whose()
    everyone = np.arange(len(whose))
    highest = np.bincount(whose, bounds.highest[number]) / counts
    lowest = np.bincount(whose, bounds.lowest(number, everyone)) / counts
    kth = np.partition(lowest, len(counts) - k)[len(counts) - k] if k <= len(counts) else -1.0
    chosen = highest >= max(kth, threshold) - SLACK
    return np.nonzero(chosen[whose])[0]


def rank(ids, people, cosines, k, threshold, score):
    """People by their scores.

    Args:
        ids (ndarray (M,)): Numbers of images.
        people (ndarray (M,)): Whose they are.
        cosines (ndarray (M,)): float64, with the probe.
        k (int): How many people are wanted.
        threshold (float): That a score must reach.
        score (str): ``'best'`` or ``'mean'`` of a person's images.

    Returns:
        list[tuple]: Person, score and number of the best image, the best person first.
    """
    order = np.lexsort((ids, -cosines))
    ids, people, cosines = ids[order], people[order], cosines[order]
    people, first, whose = np.unique(people, return_index=True, return_inverse=True)
    scores, images = cosines[first], ids[first]
    if score == 'mean':
        scores = np.bincount(whose, cosines) / np.bincount(whose)
    best = np.lexsort((images, -scores))[:k]
    return [(int(people[place]), float(scores[place]), int(images[place])) for place in best
            if scores[place] >= threshold]
