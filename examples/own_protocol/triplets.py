"""Triplets as a protocol of one's own: its list, its option, its numbers, and what is drawn for intervals."""
import numpy as np

from mlaface.evaluation.functional.rows import FLIPS, fuse, unit_rows
from mlaface.evaluation.images.files import ImageFiles
from mlaface.evaluation.protocols.base import Option, Protocol
from mlaface.evaluation.protocols.lists import find_file, read_fields
from mlaface.evaluation.results.certainty import Sample
from mlaface.evaluation.suite import Suite
from mlaface.registry import PROTOCOLS


@PROTOCOLS.register_module('triplets')
class Triplets(Protocol):
    """Triplets: how often an image is nearer to its own person's than to somebody else's."""
    name = 'triplets'
    options = dict(flip=Option('image and mirror image', FLIPS), gap=Option('how much nearer, in cosine', type=float))

    def __init__(self, flip='sum', gap=0.0):
        super().__init__()
        self.flip, self.gap = flip, gap

    @classmethod
    def open(cls, root):
        """``triplets.txt``: ``IMAGE SAME OTHER`` a line; images below the folder."""
        names = [name for _, fields in read_fields(find_file(root, 'triplets.txt'), (3,)) for name in fields]
        images = ImageFiles(root, names)
        return Suite(images, {cls.name: dict(protocol=cls.name, start=0, images=len(names), names=images.names)})

    def scores(self, embeddings, flipped, benchmark):
        """Cosine to the same person minus cosine to the other, (T,)."""
        rows = unit_rows(fuse(embeddings, flipped, self.flip), benchmark['names']).reshape(len(embeddings) // 3, 3, -1)
        return (rows[:, 0] * (rows[:, 1] - rows[:, 2])).sum(axis=1)

    def entry(self, scores, benchmark):
        """Result JSON."""
        return dict(protocol=self.name, rules=dict(flip=self.flip, gap=self.gap), counts=dict(triplets=len(scores)),
                    metrics=dict(accuracy=dict(value=float((scores > self.gap).mean()))))

    def sample(self, scores, benchmark):
        """Triplets are drawn."""
        hits = scores > self.gap
        return Sample('triplets', np.arange(len(hits)),
                      lambda weights: dict(metrics=dict(accuracy=dict(value=float(np.average(hits, weights=weights))))),
                      ('metrics', 'accuracy'), hits)
