"""Pairs benchmarks (LFW, CFP-FP, AgeDB-30, CALFW, CPLFW, XQLFW) as a metric."""
from dataclasses import replace

import numpy as np

from mlaface.evaluation.certainty import add_intervals
from mlaface.evaluation.functional.pairs import PairRules, evaluate_pairs, pair_scores
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

    def __init__(self, flip='sum', norm='l2', distance='squared_l2', far_rule='strict', compat=None, bootstrap=0,
                 seed=0):
        super().__init__(bootstrap, seed)
        self.rules = PairRules(flip=flip, norm=norm, distance=distance, far_rule=far_rule, compat=compat)

    def rules_of(self, benchmark):
        """The rules, with the folds of a benchmark."""
        return replace(self.rules, folds=int(benchmark.get('folds', self.rules.folds)))

    def scores(self, embeddings, flipped, benchmark):
        """``PairScores`` of a benchmark's pairs by its rules."""
        return pair_scores(embeddings, flipped=flipped, rules=self.rules_of(benchmark), names=benchmark.get('names'))

    def scored_pairs(self, embeddings, flipped, benchmark):
        """Cosines and labels of the pairs; see the base class."""
        return self.scores(embeddings, flipped, benchmark).cosine, np.asarray(benchmark['issame'], bool)

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate one pairs benchmark; see the base class."""
        rules = self.rules_of(benchmark)
        entry = evaluate_pairs(embeddings, benchmark['issame'], flipped=flipped, rules=rules,
                               names=benchmark.get('names'))
        if flipped is None and not benchmark.get('unfused'):
            entry['rules']['flip'] = rules.flip  # fused before it came here
        if self.bootstrap:
            add_intervals(entry, self.scores(embeddings, flipped, benchmark), benchmark, rules, self.bootstrap,
                          self.seed)
        return entry
