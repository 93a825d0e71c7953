"""RFW (Wang et al. 2019) as a metric: four groups of people, and the gap between them."""
import numpy as np

from mlaface.evaluation.certainty import Sample, people_or_pairs
from mlaface.evaluation.functional.groups import accuracy_gap, groups_entry
from mlaface.evaluation.functional.pairs import pair_scores
from mlaface.evaluation.metrics.pairs import PairsMetric, resampled_pairs
from mlaface.registry import METRICS


@METRICS.register_module()
class GroupsMetric(PairsMetric):
    """A pairs benchmark for each group, by ``PairsMetric``'s rules, and how far they lie apart."""
    protocol = 'groups'

    def scores(self, embeddings, flipped, benchmark):
        """``PairScores`` by group; see the base class."""
        found = {}
        for name, group in benchmark['groups'].items():
            rows = slice(group['start'], group['start'] + group['images'])
            names = benchmark['names'][rows] if 'names' in benchmark else None
            try:
                found[name] = pair_scores(embeddings[rows], flipped=None if flipped is None else flipped[rows],
                                          rules=self.rules_of(benchmark), names=names)
            except ValueError as error:
                raise ValueError(f'group {name}: {error}') from error
        return found

    def entry(self, scores, benchmark):
        """All groups' numbers and the gap; see the base class."""
        labels = {name: group['issame'] for name, group in benchmark['groups'].items()}
        return groups_entry(scores, labels, self.rules_of(benchmark))

    def sample(self, scores, benchmark):
        """The groups' pairs one behind the other, the best and the worst group held; see the base class.

        The largest minus the smallest of drawn accuracies would lie above the gap in nearly every draw.
        """
        groups, rules = benchmark['groups'], self.rules_of(benchmark)
        parts = {name: resampled_pairs(scores[name], group['issame'], rules) for name, group in groups.items()}
        edges = np.cumsum([len(group['issame']) for group in groups.values()])[:-1]
        known = accuracy_gap({name: hits.mean() for name, (_, hits) in parts.items()})

        def numbers(weights):
            each = {name: part(own) for (name, (part, _)), own in zip(parts.items(), np.split(weights, edges))}
            accuracy = {name: metrics['accuracy']['value'] for name, metrics in each.items()}
            mean = dict(accuracy=dict(value=float(np.mean(list(accuracy.values())))),
                        gap=dict(value=accuracy[known['best']] - accuracy[known['worst']]))
            return dict(metrics=mean, groups={name: dict(metrics=metrics) for name, metrics in each.items()})
        unit, subjects = people_or_pairs(dict(issame=np.concatenate([g['issame'] for g in groups.values()]),
                                              subjects=_people(groups)))
        return Sample(unit, subjects, numbers, ('metrics', 'accuracy'), np.concatenate([p[1] for p in parts.values()]))

    def curves(self, scores, benchmark):
        """Cosines and labels by group; see the base class."""
        return {name: (scores[name].cosine, np.asarray(group['issame'], bool))
                for name, group in benchmark['groups'].items()}


def _people(groups):
    """The people of all groups' pairs, (P, 2), apart even if two groups use one name; None where not known."""
    if any(group.get('subjects') is None for group in groups.values()):
        return None
    return np.concatenate([np.char.add(f'{name}/', np.asarray(group['subjects']).astype(str))
                           for name, group in groups.items()])
