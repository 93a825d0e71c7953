"""Batches of P identities with K images each (Hermans et al., In Defense of the Triplet Loss, 2017, section 2)."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers._position import GlobalBatches
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class IdentitySampler(GlobalBatches, Sampler):
    """Every identity is as frequent as every other; its images take turns.

    An epoch has as many images as the data set, rounded down to whole groups. Identities come in a seeded order, each
    once before any comes again; a group is K images of one, drawn without repetition while it has enough.

    Args:
        dataset (Dataset): Has ``labels``, int (M,).
        batch_size (int): Images of one rank's batch; a multiple of ``images_per_identity``.
        images_per_identity (int): K; default 4.
        seed (int): Seed.
        drop_last (bool): Leave out the images that fill no global batch.

    Raises:
        ValueError: If the batch size is no multiple of K.
    """

    def __init__(self, dataset, batch_size, images_per_identity=4, seed=0, drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        if images_per_identity < 1 or batch_size % images_per_identity:
            raise ValueError(f'batch_size {batch_size} is no multiple of images_per_identity {images_per_identity}')
        self.group = images_per_identity
        labels = np.asarray(dataset.labels)
        self.by_label = np.argsort(labels, kind='stable')
        _, self.starts, self.counts = np.unique(labels[self.by_label], return_index=True, return_counts=True)

    @property
    def images(self):
        """Images of an epoch: whole groups only (int)."""
        return self.length // self.group * self.group

    def order(self):
        """Indices of the current epoch, int64 (images,), a group's images adjacent."""
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        groups, identities = self.images // self.group, len(self.starts)
        rounds = -(-groups // identities)
        chosen = np.concatenate([rng.permutation(identities) for _ in range(rounds)] or [np.empty(0, int)])[:groups]
        taken = [self._images_of(identity, rng) for identity in chosen]
        return np.concatenate(taken) if taken else np.empty(0, np.int64)

    def _images_of(self, identity, rng):
        count = self.counts[identity]
        turns = [rng.permutation(count) for _ in range(-(-self.group // count))]
        return self.by_label[self.starts[identity] + np.concatenate(turns)[:self.group]]
