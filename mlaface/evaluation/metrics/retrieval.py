"""TinyFace and MegaFace as metrics: single images searched among distractors."""
import numpy as np

from mlaface.evaluation.certainty import Sample
from mlaface.evaluation.functional.rows import FLIPS, FusedRows
from mlaface.evaluation.functional.search_protocols import (
    distractors_entry,
    distractors_metrics,
    find_all,
    find_among,
    retrieval_entry,
    retrieval_metrics,
)
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.evaluation.search import check_search, choose_search
from mlaface.registry import METRICS


class SearchMetric(EmbeddingMetric):
    """What the protocols on single images share: flip, and that the people of the probes are drawn for intervals.

    Args:
        flip (str): ``'sum'``, ``'concat'`` or ``'none'``: what is done with image and mirror image. Where a model
            hands over embeddings that it has fused itself, this says how it did.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        device (str): Where scores are computed; the numbers are the same on all.
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``; see ``evaluation.search``.
    """
    headline = ('rank', '1')

    def __init__(self, flip='sum', bootstrap=0, seed=0, device='cpu', search='auto'):
        super().__init__(bootstrap, seed)
        if flip not in FLIPS:
            raise ValueError(f'flip must be one of {FLIPS}; got {flip!r}')
        self.flip, self.device, self.search = flip, device, check_search(search)

    def split(self, embeddings, flipped, benchmark, subjects):
        """Fused embeddings and names of the images that have subjects, and the others' as ``FusedRows``."""
        count = len(benchmark[subjects])
        rest = FusedRows(embeddings[count:], None if flipped is None else flipped[count:], self.flip)
        return (FusedRows(embeddings, flipped, self.flip)[:count],
                benchmark['names'][:count] if 'names' in benchmark else None, rest)

    def stated(self, entry):
        """An entry whose rules say the flip too."""
        return dict(entry, rules=dict(flip=self.flip, norm='l2', **entry['rules']))


@METRICS.register_module()
class RetrievalMetric(SearchMetric):
    """TinyFace: probes first, then the gallery; rank-1, 5, 20 and mean average precision."""
    protocol = 'retrieval'

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found``; see the base class."""
        probes, names, gallery = self.split(embeddings, flipped, benchmark, 'probe_subjects')
        scan = choose_search(self.search, self.device, len(probes) * len(gallery), deep=True)
        return find_all(probes, benchmark['probe_subjects'], gallery, benchmark['gallery_subjects'], names=names,
                        scan=scan)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        return self.stated(retrieval_entry(scores, benchmark['gallery_subjects']))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['probe_subjects']),
                      lambda weights: dict(metrics=retrieval_metrics(scores, weights=weights)),
                      ('metrics', 'rank', '1'), scores.ranks == 1)


@METRICS.register_module()
class DistractorsMetric(SearchMetric):
    """MegaFace: images of known people first, then distractors; rank-1 and rank-10."""
    protocol = 'distractors'

    def scores(self, embeddings, flipped, benchmark):
        """``identification.Found`` with a column a mate; see the base class."""
        images, names, distractors = self.split(embeddings, flipped, benchmark, 'subjects')
        scan = choose_search(self.search, self.device, len(images) * len(distractors))
        return find_among(images, benchmark['subjects'], distractors, names=names, scan=scan)

    def entry(self, scores, benchmark):
        """The numbers of the search; see the base class."""
        known = len(benchmark['subjects'])
        return self.stated(distractors_entry(scores, known, benchmark['images'] - known))

    def sample(self, scores, benchmark):
        """See the base class."""
        return Sample('people', np.asarray(benchmark['subjects']),
                      lambda weights: dict(metrics=distractors_metrics(scores, weights=weights)),
                      ('metrics', 'rank', '1'), scores.above[np.isfinite(scores.scores)] == 0)
