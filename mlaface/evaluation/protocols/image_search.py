"""What the protocols share that search a gallery for single images."""
import numpy as np

from mlaface.evaluation.functional.rows import FLIPS, FusedRows
from mlaface.evaluation.protocols.base import Option, Protocol
from mlaface.evaluation.search.choice import SEARCHES, check_search

SEARCH = Option('of 1:N; the numbers are the same (default: FAISS, if installed, where one matrix product would not '
                'hold the scores)', SEARCHES)


class ImageSearch(Protocol):
    """What the protocols on single images share: flip, and that the people of the probes are drawn for intervals.

    Args:
        flip (str): ``'sum'``, ``'concat'`` or ``'none'``: what is done with image and mirror image. Where a model
            hands over embeddings that it has fused itself, this says how it did.
        search (str): ``'auto'``, ``'blocks'`` or ``'faiss'``; see ``evaluation.search``.
        compat (str or None): Whose public code's numbers to reproduce; see the class.
    """
    options = dict(flip=Option('image and mirror image', FLIPS), search=SEARCH)
    headline = ('rank', '1')

    def __init__(self, flip='sum', search='auto', compat=None):
        super().__init__(compat)
        if flip not in FLIPS:
            raise ValueError(f'flip must be one of {FLIPS}; got {flip!r}')
        self.flip, self.search = flip, check_search(search)

    def split(self, embeddings, flipped, benchmark, subjects):
        """Fused embeddings and names of the images that have subjects, and the others' as ``FusedRows``."""
        count = len(benchmark[subjects])
        rest = FusedRows(embeddings[count:], None if flipped is None else flipped[count:], self.flip)
        return (FusedRows(embeddings, flipped, self.flip)[:count],
                benchmark['names'][:count] if 'names' in benchmark else None, rest)

    def stated(self, entry):
        """An entry whose rules say flip and compat too."""
        return dict(entry, rules=dict(flip=self.flip, norm='l2', **entry['rules'], compat=self.compat))


def labelled_pairs(labels):
    """Pairs of images that are made of labels: neighbours of one label, and images half the list apart of two.

    Args:
        labels (array (N,)): The image's person; -1 is known to be nobody else's.

    Returns:
        tuple: Rows (P, 2) and issame bool (P,).
    """
    labels = np.asarray(labels)
    order = np.argsort(labels, kind='stable')
    same = np.stack([order[:-1], order[1:]], axis=1)
    same = same[(labels[same[:, 0]] == labels[same[:, 1]]) & (labels[same[:, 0]] != -1)]
    other = np.stack([order, np.roll(order, len(order) // 2)], axis=1)
    other = other[labels[other[:, 0]] != labels[other[:, 1]]]
    return np.concatenate([same, other]), np.arange(len(same) + len(other)) < len(same)
