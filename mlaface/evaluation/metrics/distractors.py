"""MegaFace as a metric."""
import numpy as np

from mlaface.evaluation.certainty import Sample
from mlaface.evaluation.functional.distractors import (
    distractors_entry,
    distractors_metrics,
    find_among,
    replace_noise,
)
from mlaface.evaluation.functional.rows import ChosenRows
from mlaface.evaluation.metrics.search import SearchMetric
from mlaface.evaluation.search import choose_search
from mlaface.registry import METRICS


@METRICS.register_module()
class DistractorsMetric(SearchMetric):
    """MegaFace: images of known people first, then distractors; rank-1 and rank-10.

    The development kit's numbers are those without compat. ``compat='insightface'`` treats the images of its lists of
    noise as its script does: distractors are left out, and a known person's image counts as the sum of the person's
    other images (without the random 0.001 that the script adds).
    """
    protocol = 'distractors'
    compats = ('insightface',)

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found`` with a column a mate; see the base class."""
        images, names, distractors = self.split(embeddings, flipped, benchmark, 'subjects')
        others = benchmark['names'][len(images):] if names else None
        if self.compat:
            noise = known_noise(benchmark)
            images = replace_noise(images, benchmark['subjects'], noise[:len(images)], names)
            kept = np.flatnonzero(~noise[len(images):])
            distractors, others = ChosenRows(distractors, kept), others and [others[row] for row in kept]
        scan = choose_search(self.search, self.device, len(images) * len(distractors))
        return find_among(images, benchmark['subjects'], distractors, names=names, scan=scan, distractor_names=others)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        known = len(benchmark['subjects'])
        left_out = int(known_noise(benchmark)[known:].sum()) if self.compat else 0
        return self.stated(distractors_entry(scores, known, benchmark['images'] - known - left_out))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['subjects']),
                      lambda weights: dict(metrics=distractors_metrics(scores, weights=weights)),
                      ('metrics', 'rank', '1'), scores.above[np.isfinite(scores.scores)] == 0)


def known_noise(benchmark):
    """Which images are on InsightFace's lists of noise, bool (N,).

    Raises:
        ValueError: If the lists are not there.
    """
    if benchmark.get('noise') is None:
        raise ValueError("compat='insightface' needs the lists of noise of InsightFace's MegaFace package beside the "
                         'images: facescrub_noises.txt and megaface_noises.txt')
    return benchmark['noise']
