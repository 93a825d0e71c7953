"""Every number of a run under many draws of the test pairs: what the shared pairs do to a comparison."""
import zlib

import numpy as np

from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.study.worker import right

DRAWS = 400
METRICS = ('accuracy', 'auc', 'eer', 'tar_at_far.1e-2')
CHANCE = {'accuracy': 0.5, 'auc': 0.5, 'eer': 0.5, 'tar_at_far.1e-2': 0.01}
MEAN = 'mean'


def draw_weights(name, issame, draws=DRAWS):
    """How often each pair is drawn: as many same and as many different ones as there are, with replacement.

    Args:
        name (str): Of the set; with the labels it fixes the draws, so that all runs share them.
        issame (ndarray (P,)): bool.
        draws (int): R.

    Returns:
        ndarray (R, P): int16.
    """
    random = np.random.default_rng(zlib.crc32(name.encode()))
    weights = np.zeros((draws, len(issame)), np.int16)
    for label in (True, False):
        places = np.flatnonzero(issame == label)
        weights[:, places] = random.multinomial(len(places), np.full(len(places), 1 / len(places)), draws)
    return weights


class Weights:
    """Draws of each set, made once."""

    def __init__(self, draws=DRAWS):
        self.draws, self._known = draws, {}

    def of(self, name, issame):
        """See ``draw_weights``; of another list of pairs of one name, others."""
        key = (name, len(issame), issame.tobytes())
        if key not in self._known:
            self._known[key] = draw_weights(name, issame, self.draws)
        return self._known[key]


def read_scores(path):
    """A run's scores.

    Returns:
        dict: ``scores`` and ``issame`` by set, and ``right`` by iteration and set; empty where there is no file.
    """
    found = dict(scores={}, issame={}, right={})
    if not path.is_file():
        return found
    with np.load(path) as arrays:
        for name in arrays.files:
            place, _, what = name.rpartition('/')
            if what.startswith('right_'):
                found['right'].setdefault(int(what[6:]), {})[place] = arrays[name]
            else:
                found[what][place] = arrays[name]
    for name, packed in found['issame'].items():
        found['issame'][name] = np.unpackbits(packed)[:len(found['scores'][name])].astype(bool)
    return found


def last_numbers(scores, weights):
    """The metrics of a run's last validation under draws.

    Args:
        scores (dict): From ``read_scores``.
        weights (Weights): Shared by all runs.

    Returns:
        dict[str, dict[str, ndarray (R,)]]: Metric to set (and ``MEAN`` over sets) to values; empty without scores.
    """
    found = {metric: {} for metric in METRICS}
    for name, cosine in scores['scores'].items():
        issame, cosine = scores['issame'][name], cosine.astype(np.float64)
        drawn = weights.of(name, issame)
        found['accuracy'][name] = drawn @ right(cosine, issame).astype(float) / len(issame)
        sample = WeightedSample(cosine, issame, corners=True)
        rates = [sample.rates(row, (1e-2,)) for row in drawn.astype(np.int64)]
        found['auc'][name] = np.array([rate['auc']['value'] for rate in rates])
        found['eer'][name] = np.array([rate['eer']['value'] for rate in rates])
        found['tar_at_far.1e-2'][name] = np.array([rate['tar_at_far']['1e-2']['value'] for rate in rates])
    for values in found.values():
        if values:
            values[MEAN] = np.mean(list(values.values()), axis=0)
    return found if scores['scores'] else {}


def curve_accuracies(scores, iterations, weights, labels):
    """Mean accuracy over sets at each validation under draws of the pairs that all of them looked at.

    Args:
        scores (dict): From ``read_scores``.
        iterations (sequence of int): V validations.
        weights (Weights): Shared by all runs.
        labels (dict[str, ndarray]): Labels of these pairs by set.

    Returns:
        ndarray (V, R) or None: None where a validation has no scores.
    """
    rows = []
    for iteration in iterations:
        sets = scores['right'].get(iteration)
        if not sets or set(sets) != set(labels):
            return None
        rows.append(np.mean([weights.of(name, labels[name]) @ np.unpackbits(packed)[:len(labels[name])].astype(float)
                             / len(labels[name]) for name, packed in sets.items()], axis=0))
    return np.array(rows)
