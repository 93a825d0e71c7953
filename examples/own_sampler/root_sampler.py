"""Identities drawn by the square root of their images: a sampler of one's own, which resumes exactly."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RootSampler(GlobalBatches, Sampler):
    """An image of an identity of n images is drawn with probability 1 / sqrt(n): between images and identities.

    Args:
        dataset (Dataset): Has ``labels``, int (M,).
        batch_size (int): Images of one rank's batch.
        seed (int): Of the draws.
        drop_last (bool): Leave out the images that fill no global batch.
    """

    def __init__(self, dataset, batch_size, seed=0, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        labels = np.asarray(dataset.labels)
        weights = 1 / np.sqrt(np.bincount(labels)[labels])
        self.chances = weights / weights.sum()

    def order(self):
        """Indices of the current epoch, int64 (images,), from ``seed`` and ``epoch`` alone."""
        draw = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        return draw.choice(self.length, self.images, p=self.chances)
