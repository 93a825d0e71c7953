"""Several augmentations of an image in one batch (Hoffer et al., Augment Your Batch, CVPR 2020)."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.datasets.samplers.epoch_sampler import endless_row
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RepeatedAugmentationSampler(GlobalBatches, Sampler):
    """Each image ``repeats`` times in a row, augmented anew each time.

    An epoch has as many images as the data set, rounded down to whole groups, so that it shows one image in
    ``repeats``; the next epoch shows others, until every image was there.

    Args:
        dataset (Dataset): Has a length.
        batch_size (int): Images of one rank's batch; a multiple of ``repeats``.
        repeats (int): Augmentations of one image; default 3.
        seed (int): Seed.
        drop_last (bool): Leave out the images that fill no global batch.

    Raises:
        ValueError: If the batch size is no multiple of ``repeats``.

    Source: also Berman et al., MultiGrain, 2019, section 3.3, and the recipe of DeiT, which deals the copies of an
        image to different ranks; here they stay in one batch.
    """

    def __init__(self, dataset, batch_size, repeats=3, seed=0, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        if repeats < 1 or batch_size % repeats:
            raise ValueError(f'batch_size {batch_size} is no multiple of repeats {repeats}')
        self.group = repeats

    @property
    def images(self):
        """Images of an epoch: whole groups only (int)."""
        return self.length // self.group * self.group

    def order(self):
        """Indices of the current epoch, int64 (images,), the copies of an image adjacent."""
        shown = self.length // self.group
        return np.repeat(endless_row(self.length, self.epoch * shown, shown, self.seed), self.group)
