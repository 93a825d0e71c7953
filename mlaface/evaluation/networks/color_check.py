"""Is the colour order right? Swapped channels are the field's most common silent fault: try it on a sample of pairs."""
from typing import NamedTuple

import numpy as np

from mlaface.evaluation.functional.pairs import PairRules, pair_scores
from mlaface.evaluation.functional.roc import area_under, roc_curve
from mlaface.evaluation.images.reading import read_ahead


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


def spread(issame, pairs):
    """Pairs spread evenly over the same and the different ones: rows of ``issame``, at most ``pairs``."""
    chosen = []
    for kind in (True, False):
        rows = np.flatnonzero(issame == kind)
        chosen.append(rows[np.linspace(0, len(rows) - 1, min(len(rows), pairs // 2)).astype(int)])
    return np.sort(np.concatenate(chosen))


def check_colors(network, evaluation, name, pairs=400, batch_size=64, resamples=200, seed=0):
    """Compare a network's AUC with that on images whose red and blue are swapped.

    Args:
        network (object): As in ``evaluation.networks``.
        evaluation (Evaluation): Of this network.
        name (str): A benchmark of it.
        pairs (int or None): How many pairs, at most; None is all.
        batch_size (int): Images of a forward pass.
        resamples (int): For the interval: pairs are drawn again, with both scores of a pair together.
        seed (int): Of the resampling.

    Returns:
        SwapCheck or None: What was found; None if the benchmark's images make no same or no different pairs.
    """
    known = evaluation.image_pairs(name)
    if known is None or known[1].all() or not known[1].any():
        return None
    (rows, issame), embeddings = known, evaluation.part(name)[0]
    chosen = spread(issame, pairs or 2 * len(issame))
    rows, issame = rows[chosen].ravel(), issame[chosen]
    distinct, places = np.unique(rows, return_inverse=True)
    start = evaluation.benchmarks[name]['start']
    batches = read_ahead(evaluation.suite.images, start + distinct, batch_size, workers=0)
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
