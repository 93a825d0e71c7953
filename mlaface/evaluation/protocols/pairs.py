"""Pairs: same person or not, in folds; the protocol of LFW, CFP, AgeDB-30, CALFW, CPLFW, XQLFW and of ``.bin`` sets."""
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlaface.evaluation.functional.checks import count_repeated
from mlaface.evaluation.functional.folds import GRIDS, fold_hits, fold_weights
from mlaface.evaluation.functional.intervals import weighted_rate
from mlaface.evaluation.functional.pairs import CHOICES, FARS, PairRules, pair_scores, pairs_entry
from mlaface.evaluation.functional.resampling import WeightedSample
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.base import Option, Protocol
from mlaface.evaluation.results.certainty import Sample, people_or_pairs
from mlaface.evaluation.suite import Suite, bin_suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('pairs')
class Pairs(Protocol):
    """Verification sets in ``.bin`` files: accuracy in folds, ROC, EER, TAR at FAR; what all lists of pairs give.

    Args:
        flip (str): What is done with image and mirror image: ``'sum'``, ``'concat'`` or ``'none'``. Where a model
            hands over embeddings that it has fused itself (validation in training), this says how it did.
        norm, distance, far_rule, compat (str): See ``PairRules``.
    """
    name = 'pairs'
    options = dict(flip=Option('image and mirror image', CHOICES['flip']),
                   norm=Option('of an embedding, after flip', CHOICES['norm']),
                   distance=Option('of pairs', CHOICES['distance']),
                   far_rule=Option('how TAR at FAR is read off', CHOICES['far_rule']))
    compats = ('insightface',)
    compares_images = True

    def __init__(self, flip='sum', norm='l2', distance='squared_l2', far_rule='strict', compat=None):
        super().__init__(compat)
        self.rules = PairRules(flip=flip, norm=norm, distance=distance, far_rule=far_rule, compat=compat)

    @classmethod
    def open(cls, root):
        """All ``.bin`` files of a folder; see the base class."""
        found = sorted(Path(root).glob('*.bin'))
        if not found:
            raise FileNotFoundError(f'no .bin file in {Path(root).resolve()}: give --sets, or --protocol for official '
                                    'lists with image folders')
        return bin_suite(found)

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

    def image_pairs(self, benchmark):
        """The list's pairs; see the base class."""
        return np.arange(benchmark['images']).reshape(-1, 2), np.asarray(benchmark['issame'], bool)

    def duplicate_pairs(self, benchmark, same_as=None):
        """Pairs of the same two images; see the base class."""
        rows = benchmark['start'] + self.image_pairs(benchmark)[0]
        return count_repeated(rows if same_as is None else np.asarray(same_as)[rows])


def pairs_suite(name, images_root, names, people, issame, folds):
    """A suite of one pairs benchmark on image files.

    Args:
        name (str): The benchmark's.
        images_root (Path): Folder that the names start from.
        names (sequence of str (2P,)): Images; rows 2i and 2i + 1 are pair i.
        people (ndarray (P, 2) or None): Who they show.
        issame (ndarray (P,)): bool.
        folds (int): Folds of the list.
    """
    images = ImageFiles(images_root, names)
    entry = dict(protocol='pairs', start=0, images=len(names), issame=issame, folds=folds, names=images.names)
    if people is not None:
        entry['subjects'] = people
    return Suite(images, {name: entry})


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
    share = fold_weights(len(issame), rules.folds)

    def numbers(weights):
        return dict(accuracy=dict(value=weighted_rate(hits, weights * share)),
                    **sample.rates(weights, FARS, rules.far_rule))
    return numbers, hits
