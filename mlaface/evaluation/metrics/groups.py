"""RFW (Wang et al. 2019) as a metric: four groups of people, and the gap between them."""
from dataclasses import replace

from mlaface.evaluation.functional.groups import evaluate_groups
from mlaface.evaluation.metrics.pairs import PairsMetric
from mlaface.registry import METRICS


@METRICS.register_module()
class GroupsMetric(PairsMetric):
    """A pairs benchmark for each group, by ``PairsMetric``'s rules, and how far they lie apart."""
    protocol = 'groups'

    def __init__(self, flip='sum', norm='l2', distance='squared_l2', far_rule='strict', compat=None):
        super().__init__(flip, norm, distance, far_rule, compat)

    def scored_pairs(self, embeddings, flipped, benchmark):
        """None: the groups' curves are apart; see ``groups`` in the entry."""
        return None

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate all groups; see the base class."""
        groups = {}
        for name, group in benchmark['groups'].items():
            rows = slice(group['start'], group['start'] + group['images'])
            groups[name] = dict(embeddings=embeddings[rows], issame=group['issame'],
                                flipped=None if flipped is None else flipped[rows],
                                names=benchmark['names'][rows] if 'names' in benchmark else None)
        return evaluate_groups(groups, rules=replace(self.rules, folds=benchmark.get('folds', self.rules.folds)))
