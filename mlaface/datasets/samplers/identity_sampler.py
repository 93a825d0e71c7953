"""Batches of P identities with K images each (Hermans et al., In Defense of the Triplet Loss, 2017, section 2)."""
import warnings

import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches, seeded_turns
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class IdentitySampler(GlobalBatches, Sampler):
    """Every identity is as frequent as every other; its images take turns.

    An epoch has as many images as the data set, rounded down to whole groups of K. Identities come in seeded orders,
    each once before any comes again, and none twice in a batch while there are P; each goes through its images in a
    seeded order, so that a group repeats one, augmented anew, only if the identity has fewer than K.

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
        self.labels = np.asarray(dataset.labels)
        self.counts = np.unique(self.labels, return_counts=True)[1]
        if len(self.counts) < batch_size // images_per_identity:
            warnings.warn(f'IdentitySampler: the set has {len(self.counts)} identities, fewer than the '
                          f'{batch_size // images_per_identity} of a batch: some come with more than '
                          f'images_per_identity={images_per_identity} images. Lower batch_size, or raise '
                          'images_per_identity', stacklevel=2)

    @property
    def images(self):
        """Images of an epoch: whole groups only (int)."""
        return self.length // self.group * self.group

    def order(self):
        """Indices of the current epoch, int64 (images,), a group's images adjacent."""
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        by_identity = seeded_turns(self.labels, rng)
        starts = np.cumsum(self.counts) - self.counts
        groups = self.images // self.group
        chosen = self._identities(groups, rng)
        turn = np.arange(groups)[:, None] // len(starts) * self.group + np.arange(self.group)
        return by_identity[starts[chosen][:, None] + turn % self.counts[chosen][:, None]].ravel()

    def _identities(self, groups, rng):
        """Identity of each group: seeded orders one behind the other; a batch on a border has nobody twice."""
        people, batch = len(self.counts), self.batch_size // self.group
        rounds = [np.empty(0, np.int64)]
        for number in range(-(-groups // people)):
            begun = number * people % batch if people >= batch else 0  # groups of the border's batch so far
            order = rng.permutation(people)
            again = np.isin(order, rounds[-1][people - begun:])
            order = np.concatenate([order[~again], order[again]])
            rounds.append(np.concatenate([order[:batch - begun], rng.permutation(order[batch - begun:])]))
        return np.concatenate(rounds)[:groups]
