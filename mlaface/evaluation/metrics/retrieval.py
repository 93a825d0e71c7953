"""TinyFace and MegaFace as metrics: single images searched among distractors."""
from mlaface.evaluation.functional.identification import evaluate_distractors, evaluate_retrieval
from mlaface.evaluation.functional.rows import fuse
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.registry import METRICS


class SearchMetric(EmbeddingMetric):
    """What the protocols on single images share.

    Args:
        flip (str): ``'sum'``, ``'concat'`` or ``'none'``: what is done with image and mirror image.
    """
    headline = ('rank', '1')

    def __init__(self, flip='sum'):
        super().__init__()
        if flip not in ('none', 'sum', 'concat'):
            raise ValueError(f"flip must be 'none', 'sum' or 'concat'; got {flip!r}")
        self.flip = flip

    def fused(self, embeddings, flipped):
        """Embeddings after flip, and the rule that was followed."""
        if flipped is None:
            return embeddings, dict(flip='none')
        return fuse(embeddings, flipped, self.flip), dict(flip=self.flip)


@METRICS.register_module()
class RetrievalMetric(SearchMetric):
    """TinyFace: probes first, then the gallery; rank-1, 5, 20 and mean average precision."""
    protocol = 'retrieval'

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate the search; see the base class."""
        rows, rules = self.fused(embeddings, flipped)
        probes = len(benchmark['probe_subjects'])
        entry = evaluate_retrieval(rows[:probes], benchmark['probe_subjects'], rows[probes:],
                                   benchmark['gallery_subjects'],
                                   names=benchmark['names'][:probes] if 'names' in benchmark else None)
        entry['rules'] = {**rules, **entry['rules']}
        return entry


@METRICS.register_module()
class DistractorsMetric(SearchMetric):
    """MegaFace: images of known people first, then distractors; rank-1 and rank-10."""
    protocol = 'distractors'

    def benchmark_entry(self, embeddings, flipped, benchmark):
        """Evaluate the search; see the base class."""
        rows, rules = self.fused(embeddings, flipped)
        known = len(benchmark['subjects'])
        entry = evaluate_distractors(rows[:known], benchmark['subjects'], rows[known:],
                                     names=benchmark['names'][:known] if 'names' in benchmark else None)
        entry['rules'] = {**rules, **entry['rules']}
        return entry
