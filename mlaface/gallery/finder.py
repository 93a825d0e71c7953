"""Who is most like a probe: bounds from the index in memory, exact cosines from what the engine keeps."""
import numpy as np

from mlaface.evaluation.functional.rows import cosines, unit_rows
from mlaface.gallery.search.index import Index
from mlaface.gallery.search.ranking import likely_best, likely_means, rank
from mlaface.gallery.search.rows import AT_ONCE

LIKELY = dict(best=likely_best, mean=likely_means)


class Finder:
    """Searches the images of an engine.

    Args:
        engine (Engine): Keeps them.
        coding (Coding): Reads them.
        compressed (bool or None): See ``Index``.
    """

    def __init__(self, engine, coding, compressed=None):
        self.engine, self.coding = engine, coding
        self.index = Index(coding.size, coding.embeddings, compressed)

    def find(self, probes, k, threshold, score):
        """The best people for each probe.

        Args:
            probes (ndarray float64 (Q, D)): Of unit length.
            k (int): How many people.
            threshold (float): That a score must reach.
            score (str): ``'best'`` or ``'mean'`` of a person's images.

        Returns:
            list[list[tuple]]: Person, score and best image, by number.
        """
        self.index.refresh(self.engine)
        if not len(self.index):
            return [[] for _ in probes]
        found = []
        for start in range(0, len(probes), AT_ONCE):
            found += self._find(probes[start:start + AT_ONCE], k, threshold, score)
        return found

    def _find(self, probes, k, threshold, score):
        index = self.index
        bounds = index.bounds(probes.astype(np.float32))
        likely = [LIKELY[score](bounds, number, k, threshold) for number in range(len(probes))]
        ids = np.unique(np.concatenate([index.ids[places] for places in likely]))
        rows = [row for block in self.engine.embeddings(ids=ids.tolist()) for row in block]
        if len(rows) < len(ids):  # somebody was deleted meanwhile: what is left has other ranks
            return self.find(probes, k, threshold, score)
        unit = unit_rows(self.coding.embeddings(rows)) if rows else np.empty((0, self.coding.size))
        found = []
        for number, places in enumerate(likely):
            chosen = np.searchsorted(ids, index.ids[places])
            scores = cosines(probes, np.full(len(chosen), number), unit, chosen)
            found.append(rank(index.ids[places], index.persons[places], scores, k, threshold, score))
        return found

    def close(self):
        """End the index's threads."""
        self.index.close()
