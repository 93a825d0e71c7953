"""Several data sets in each batch, by stated shares."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.datasets.samplers.epoch_sampler import endless_row
from mlaface.registry import DATA_SAMPLERS


def whole_shares(weights, count):
    """Divide a number by weights (largest remainders).

    Args:
        weights (ndarray): Not negative, (K,), with a positive sum.
        count (int): What is divided.

    Returns:
        ndarray: int64 (K,), summing to ``count``; each less than one from its exact share.
    """
    exact = np.asarray(weights, np.float64) / np.sum(weights) * count
    shares = np.floor(exact).astype(np.int64)
    shares[np.argsort(shares - exact, kind='stable')[:count - shares.sum()]] += 1
    return shares


@DATA_SAMPLERS.register_module()
class MixedSampler(GlobalBatches, Sampler):
    """The sets of a ``MixedFaces``, each as often as its weight says, spread evenly over the epoch.

    Of each set every image comes once before any comes again, over epochs too. Any row of places holds each set as
    often as its share, give or take one place for each other set: so do the batches of all ranks.

    Args:
        dataset (Dataset): Has ``sizes``, int (K,): images of each set, which follow each other.
        batch_size (int): Images of one rank's batch.
        weights (Sequence[float], optional): Of the sets; in any unit, 0 leaves a set out. Default: their images.
        images_per_epoch (int, optional): Default: those of the data set.
        seed (int): Seed.
        drop_last (bool): Leave out the images that fill no global batch.

    Raises:
        ValueError: If there is not one weight a set, or none above 0.
    """

    def __init__(self, dataset, batch_size, weights=None, images_per_epoch=None, seed=0, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        if not hasattr(dataset, 'sizes'):
            raise ValueError(f'MixedSampler is for several sets: {type(dataset).__name__} is one. Set dataset.type='
                             "'MixedFaces' with dataset.sets=[...], or another sampler")
        self.sizes = np.asarray(dataset.sizes)
        weights = self.sizes if weights is None else np.asarray(weights, np.float64)
        if weights.shape != self.sizes.shape or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise ValueError(f'MixedSampler: weights are {weights.tolist()}; give one of at least 0 for each of the '
                             f'{len(self.sizes)} sets, and one above 0')
        if images_per_epoch is not None and images_per_epoch < 1:
            raise ValueError(f'MixedSampler: images_per_epoch is {images_per_epoch}; an epoch has at least one image')
        self.count = images_per_epoch or self.length
        self.shares = whole_shares(weights, self.count)

    @property
    def images(self):
        """Images of an epoch (int)."""
        return self.count

    def order(self):
        """Indices of the current epoch, int64 (images,)."""
        starts = np.cumsum(self.sizes) - self.sizes
        shown = [start + endless_row(size, self.epoch * share, share, self.seed, number)
                 for number, (start, size, share) in enumerate(zip(starts, self.sizes, self.shares))]
        places = np.concatenate([(np.arange(share) + 0.5) / max(1, share) for share in self.shares])
        return np.concatenate(shown)[np.argsort(places, kind='stable')]
