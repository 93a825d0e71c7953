"""Is the colour order right? Swapped channels are the field's most common silent fault: try it on a sample of pairs."""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.embedding import read_ahead
from mlaface.evaluation.functional.pairs import PairRules, pair_scores
from mlaface.evaluation.functional.roc import area_under, roc_curve


class SwapCheck(NamedTuple):
    """AUC as given and with red and blue swapped, the lower end of the difference's 99% interval, and pairs used."""
    auc: float
    swapped: float
    low: float
    pairs: int

    @property
    def better_swapped(self):
        """Whether swapping helps by more than chance explains (bool)."""
        return self.low > 0


def labelled_pairs(labels):
    """Pairs of images that are made of labels: neighbours of one label, and images half the list apart of two.

    Args:
        labels (array (N,)): The image's person; -1 is known to be nobody else's.

    Returns:
        tuple: Rows (P, 2) and issame bool (P,).
    """
    labels = np.asarray(labels)
    order = np.argsort(labels, kind='stable')
    same = np.stack([order[:-1], order[1:]], axis=1)
    same = same[(labels[same[:, 0]] == labels[same[:, 1]]) & (labels[same[:, 0]] != -1)]
    other = np.stack([order, np.roll(order, len(order) // 2)], axis=1)
    other = other[labels[other[:, 0]] != labels[other[:, 1]]]
    return np.concatenate([same, other]), np.arange(len(same) + len(other)) < len(same)


def image_pairs(benchmark):
    """Pairs of a benchmark's images of which it is known whether they show one person, whatever its protocol.

    Args:
        benchmark (dict): Its entry in a suite.

    Returns:
        tuple: Rows (P, 2), counted from the benchmark's first image, and issame bool (P,).
    """
    protocol = benchmark['protocol']
    if protocol == 'pairs':
        return np.arange(benchmark['images']).reshape(-1, 2), np.asarray(benchmark['issame'], bool)
    if protocol == 'groups':
        groups = benchmark['groups'].values()
        rows = [group['start'] + np.arange(group['images']).reshape(-1, 2) for group in groups]
        return np.concatenate(rows), np.concatenate([group['issame'] for group in groups])
    if protocol == 'retrieval':
        return labelled_pairs(np.concatenate([benchmark['probe_subjects'], benchmark['gallery_subjects']]))
    if protocol == 'distractors':
        return labelled_pairs(benchmark['subjects'])
    return _template_pairs(benchmark)


def _template_pairs(benchmark):
    """Pairs of images of two templates: those of one template may be frames of one video, which any colours match."""
    ids, images = np.unique(benchmark['templates'], return_index=True)
    if benchmark['protocol'] == 'templates':
        listed = np.stack([benchmark['first'], benchmark['second']], axis=1)
        return images[np.searchsorted(ids, listed)], np.asarray(benchmark['issame'], bool)
    known = [benchmark['probes'], *benchmark['galleries'].values()]
    templates, first = np.unique(np.concatenate([templates for templates, _ in known]), return_index=True)
    pairs, issame = labelled_pairs(np.concatenate([subjects for _, subjects in known])[first])
    return images[np.searchsorted(ids, templates)][pairs], issame


def spread(issame, pairs):
    """Pairs spread evenly over the same and the different ones: rows of ``issame``, at most ``pairs``."""
    chosen = []
    for kind in (True, False):
        rows = np.flatnonzero(issame == kind)
        chosen.append(rows[np.linspace(0, len(rows) - 1, min(len(rows), pairs // 2)).astype(int)])
    return np.sort(np.concatenate(chosen))


def check_colors(network, suite, name, embeddings, pairs=400, batch_size=64, resamples=200, seed=0):
    """Compare a network's AUC with that on images whose red and blue are swapped.

    Args:
        network (object): As in ``evaluation.networks``.
        suite (Suite): Images and benchmarks.
        name (str): A benchmark of it.
        embeddings (ndarray (N, D)): Its images' embeddings, not flipped.
        pairs (int or None): How many pairs, at most; None is all.
        batch_size (int): Images of a forward pass.
        resamples (int): For the interval: pairs are drawn again, with both scores of a pair together.
        seed (int): Of the resampling.

    Returns:
        SwapCheck or None: What was found; None if the benchmark's images make no same or no different pairs.
    """
    benchmark = suite.benchmarks[name]
    rows, issame = image_pairs(benchmark)
    if issame.all() or not issame.any():
        return None
    chosen = spread(issame, pairs or 2 * len(issame))
    rows, issame = rows[chosen].ravel(), issame[chosen]
    distinct, places = np.unique(rows, return_inverse=True)
    batches = read_ahead(suite.images, benchmark['start'] + distinct, batch_size, workers=0)
    swapped = np.concatenate([network.embed(np.ascontiguousarray(batch[:, ::-1])) for _, batch in batches])
    rules = PairRules(flip='none')
    scores = np.stack([pair_scores(part, rules=rules).cosine for part in (embeddings[rows], swapped[places])])
    draw, gains = np.random.default_rng(seed), []
    same, other = np.flatnonzero(issame), np.flatnonzero(~issame)
    for _ in range(resamples):
        again = np.concatenate([draw.choice(same, len(same)), draw.choice(other, len(other))])
        gains.append(_auc(scores[1, again], issame[again]) - _auc(scores[0, again], issame[again]))
    return SwapCheck(_auc(scores[0], issame), _auc(scores[1], issame), float(np.quantile(gains, 0.005)), len(chosen))


def _auc(scores, issame):
    return area_under(roc_curve(scores, issame))
