"""Classes by a power of their size (Kang et al., Decoupling Representation and Classifier, ICLR 2020, equation 1)."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches, seeded_turns
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(GlobalBatches, Sampler):
    """A class of n images has a share of the epoch that is proportional to ``n ** power``.

    An epoch has as many images as the data set. A class comes as often as its share says, rounded up or down by chance;
    its images take turns in a seeded order, so that none comes a second time before all have come, and then augmented
    anew.

    Args:
        dataset (Dataset): Has ``labels``, int (M,).
        batch_size (int): Images of one rank's batch.
        power (float): 0 (default): every class as often as every other; 0.5: by the square root; 1: by their images.
        seed (int): Seed.
        drop_last (bool): Leave out the images that fill no global batch.

    Raises:
        ValueError: If the power is not in [0, 1].
    """

    def __init__(self, dataset, batch_size, power=0.0, seed=0, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        if not 0 <= power <= 1:
            raise ValueError(f'ClassBalancedSampler: power is {power}; it must be in [0, 1]')
        self.labels = np.asarray(dataset.labels)
        self.counts = np.unique(self.labels, return_counts=True)[1]
        self.shares = self.counts ** float(power) / (self.counts ** float(power)).sum()

    def order(self):
        """Indices of the current epoch, int64 (images,)."""
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        by_class = seeded_turns(self.labels, rng)
        times = self._times(rng)
        ends = np.cumsum(times)
        classes = np.repeat(np.arange(len(times)), times)
        turn = np.arange(self.images) - (ends - times)[classes]
        starts = (np.cumsum(self.counts) - self.counts)[classes]
        return rng.permutation(by_class[starts + turn % self.counts[classes]])

    def _times(self, rng):
        """How often each class comes, int64 (classes,): systematic sampling, off its share by less than one."""
        mixed = rng.permutation(len(self.shares))
        ends = np.cumsum(self.shares[mixed]) * self.images + rng.random()
        ends[-1] = self.images + 0.5  # so many in all, whatever the sums were rounded to
        times = np.empty(len(mixed), np.int64)
        times[mixed] = np.diff(np.floor(ends).astype(np.int64), prepend=0)
        return times
