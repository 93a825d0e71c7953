"""TinyFace as a metric."""
import numpy as np

from mlaface.evaluation.certainty import Sample
from mlaface.evaluation.functional.retrieval import find_all, retrieval_entry, retrieval_metrics
from mlaface.evaluation.metrics.search import SearchMetric
from mlaface.evaluation.search import choose_search
from mlaface.registry import METRICS


@METRICS.register_module()
class RetrievalMetric(SearchMetric):
    """TinyFace: probes first, then the gallery; rank-1, 5, 20 and mean average precision.

    ``compat='tinyface'`` takes average precision by trapezoids, as the benchmark's own code does.
    """
    protocol = 'retrieval'
    compats = ('tinyface',)

    @property
    def precision(self):
        """Rule of ``mean_average_precision``."""
        return 'trapezoid' if self.compat else 'step'

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found``; see the base class."""
        probes, names, gallery = self.split(embeddings, flipped, benchmark, 'probe_subjects')
        scan = choose_search(self.search, self.device, len(probes) * len(gallery), deep=True)
        return find_all(probes, benchmark['probe_subjects'], gallery, benchmark['gallery_subjects'], names=names,
                        scan=scan, gallery_names=benchmark['names'][len(probes):] if names else None)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        return self.stated(retrieval_entry(scores, benchmark['gallery_subjects'], precision=self.precision))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['probe_subjects']),
                      lambda weights: dict(metrics=retrieval_metrics(scores, weights=weights,
                                                                     precision=self.precision)),
                      ('metrics', 'rank', '1'), scores.ranks == 1)
