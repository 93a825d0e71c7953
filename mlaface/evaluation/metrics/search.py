"""What the metrics of searches for single images share."""
from mlaface.evaluation.functional.rows import FLIPS, FusedRows
from mlaface.evaluation.metrics.base import EmbeddingMetric
from mlaface.evaluation.search import check_search


class SearchMetric(EmbeddingMetric):
    """What the protocols on single images share: flip, and that the people of the probes are drawn for intervals.

    Args:
        flip (str): ``'sum'``, ``'concat'`` or ``'none'``: what is done with image and mirror image. Where a model
            hands over embeddings that it has fused itself, this says how it did.
        bootstrap (int): Resamples for intervals; 0 leaves intervals out.
        seed (int): Seed of the resampling.
        device (str): Where scores are computed; the numbers are the same on all.
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``; see ``evaluation.search``.
        compat (str or None): Whose public code's numbers to reproduce; see the class.
    """
    headline = ('rank', '1')

    def __init__(self, flip='sum', bootstrap=0, seed=0, device='cpu', search='auto', compat=None):
        super().__init__(bootstrap, seed, compat)
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
        """An entry whose rules say flip and compat too."""
        return dict(entry, rules=dict(flip=self.flip, norm='l2', **entry['rules'], compat=self.compat))
