"""Pairs benchmarks (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW, XQLFW) as a metric."""
from dataclasses import replace

import numpy as np

from mlaface.evaluation.certainty import Sample, people_or_pairs
from mlaface.evaluation.functional.folds import GRIDS, fold_hits
from mlaface.evaluation.functional.intervals import weighted_rate
from mlaface.evaluation.functional.pairs import FARS, PairRules, pair_scores, pairs_entry
from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.registry import METRICS


@METRICS.register_module()
class PairsMetric(EmbeddingMetric):
    """Accuracy in folds and what else ``evaluate_pairs`` gives, for each benchmark of the data set.

    Args:
        flip (str): What is done with image and mirror image: ``'sum'``, ``'concat'`` or ``'none'``. Where a model
            hands over embeddings that it has fused itself (validation in training), this says how it did.
        norm, distance, far_rule, compat (str): See ``PairRules``.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
    """
    protocol = 'pairs'
    compats = ('insightface',)

    def __init__(self, flip='sum', norm='l2', distance='squared_l2', far_rule='strict', compat=None, bootstrap=0,
                 seed=0):
        super().__init__(bootstrap, seed, compat)
        self.rules = PairRules(flip=flip, norm=norm, distance=distance, far_rule=far_rule, compat=compat)

    def rules_of(self, benchmark):
        """The rules, with the folds of a benchmark."""
        return replace(self.rules, folds=int(benchmark.get('folds', self.rules.folds)))

    def scores(self, embeddings, flipped, benchmark):
        """``PairScores`` of a benchmark's pairs; see the base class."""
        return pair_scores(embeddings, flipped=flipped, rules=self.rules_of(benchmark), names=benchmark.get('names'))

    def entry(self, scores, benchmark):
        """A benchmark's numbers; see the base class."""
        return pairs_entry(scores, benchmark['issame'], self.rules_of(benchmark))

    def sample(self, scores, benchmark):
        """Accuracy with its folds' thresholds held, all else anew in each draw; see the base class."""
        unit, subjects = people_or_pairs(benchmark)
        numbers, hits = resampled_pairs(scores, benchmark['issame'], self.rules_of(benchmark))
        return Sample(unit, subjects, lambda weights: dict(metrics=numbers(weights)), ('metrics', 'accuracy'), hits)

    def curves(self, scores, benchmark):
        """Cosines and labels of the pairs; see the base class."""
        return {'': (scores.cosine, np.asarray(benchmark['issame'], bool))}


def resampled_pairs(scores, issame, rules):
    """How the metrics of pairs follow from weights.

    Args:
        scores (PairScores): Of the pairs.
        issame (array (P,)): Labels.
        rules (PairRules): Distance, folds and rule for FAR.

    Returns:
        tuple: Function of weights (P,) to ``metrics``, and which pairs are decided rightly, bool (P,).
    """
    issame = np.asarray(issame, bool)
    sample = WeightedSample(scores.cosine, issame, corners=rules.far_rule == 'strict')
    hits = fold_hits(scores.distance, issame, rules.folds, GRIDS[rules.distance])

    def numbers(weights):
        return dict(accuracy=dict(value=weighted_rate(hits, weights)), **sample.rates(weights, FARS, rules.far_rule))
    return numbers, hits
