"""Sets to take images from. A benchmark of pairs is a set of classes, a pair each, and so goes through every layout."""
import numpy as np

from mlaface.datasets.archives.to_bin import pair_name
from mlaface.datasets.prepare.inspect import open_set


class PairsSource:
    """Images of a ``.bin``: pair i is class i, called ``000012_same`` or ``000012_different``, its images 0 and 1.

    Args:
        dataset (VerificationSets): Of one set.
    """

    passed_over = ()
    remote = False  # a .bin is fetched whole

    def __init__(self, dataset):
        self.dataset = dataset
        (benchmark,) = dataset.metainfo['benchmarks'].values()
        self.labels = np.arange(len(dataset), dtype=np.int32) // 2
        self.metainfo = dict(classes=tuple(pair_name(number, same) for number, same in enumerate(benchmark['issame'])))

    def __len__(self):
        return len(self.dataset)

    def key(self, index):
        """As the set gives it."""
        return self.dataset.key(index)

    def stamp(self):
        """As the set gives it."""
        return self.dataset.stamp()

    def name(self, index):
        """The side of the pair (str)."""
        return str(index % 2)

    def further_labels(self, index):
        """None."""
        return self.dataset.further_labels(index)

    def encoded(self, index):
        """Index and encoded image."""
        return self.dataset.encoded(index)


def open_source(path, **options):
    """A set to take images from; pairs are made classes.

    Args:
        path (str | Path): See ``open_set``.
        options: See ``open_set``.

    Returns:
        FaceDataset | PairsSource: The set.

    Raises:
        MissingDataError: If it is not there.
    """
    dataset = open_set(path, **options)
    return PairsSource(dataset) if 'benchmarks' in dataset.metainfo else dataset
