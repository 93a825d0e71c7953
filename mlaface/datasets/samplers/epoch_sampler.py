"""The training sampler: one seeded permutation an epoch, dealt to the ranks in blocks."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.registry import DATA_SAMPLERS


def epoch_permutation(length, seed, epoch, shuffle=True):
    """The order of an epoch, the same on every rank.

    Args:
        length (int): Images of the data set.
        seed (int): The run's seed.
        epoch (int): Epoch.
        shuffle (bool): False gives 0, 1, 2, ...

    Returns:
        ndarray: int64 (length,), indices.
    """
    if not shuffle:
        return np.arange(length)
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(length)


def endless_row(length, start, count, *seeds):
    """A part of an endless row of permutations, one behind the other: every index once before any comes again.

    Args:
        length (int): Indices of one permutation.
        start (int): First place.
        count (int): Places.
        seeds (int): Of the permutations.

    Returns:
        ndarray: int64 (count,), indices.
    """
    first, last = start // length, -(-(start + count) // length)
    rows = [np.random.Generator(np.random.PCG64([*seeds, number])).permutation(length) for number in range(first, last)]
    offset = start - first * length
    return np.concatenate([*rows, np.empty(0, np.int64)])[offset:offset + count]


@DATA_SAMPLERS.register_module()
class EpochSampler(GlobalBatches, Sampler):
    """Every image once an epoch, in a new order each time; can be put anywhere into an epoch.

    A global batch is ``batch_size * world_size`` consecutive places of the permutation; rank r takes the r-th block.

    Args:
        dataset (Dataset): Has a length.
        batch_size (int): Images of one rank's batch; must be the loader's.
        seed (int): Of the permutations.
        shuffle (bool): Whether to shuffle.
        drop_last (bool): Leave out the images that fill no global batch; otherwise the last one is shorter and is
            divided over the ranks as evenly as possible.
    """

    distinct = True

    def __init__(self, dataset, batch_size, seed=0, shuffle=True, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        self.shuffle = shuffle

    def order(self):
        """The permutation of the current epoch, int64 (images,)."""
        return epoch_permutation(self.length, self.seed, self.epoch, self.shuffle)
