"""Batches of people who look alike (Smirnov et al., Doppelganger Mining for Face Representation Learning, 2017)."""
import warnings

import numpy as np

from mlaface.datasets.samplers.identity_sampler import IdentitySampler
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class HardIdentitySampler(IdentitySampler):
    """P identities of K images each, of which some are the nearest of others by their class centres.

    Of the P identities of a batch, ``P // (1 + near)`` come from seeded orders, as in ``IdentitySampler``; the others
    are the ``near`` nearest of each of these, and where one of them is in the batch already, the seeded order goes on.
    Who is near whom is told by ``HardIdentityHook``, which keeps it in the checkpoint; until it has, identities are
    drawn as in ``IdentitySampler``.

    Args:
        dataset (Dataset): Has ``labels``, int (M,).
        batch_size (int): Images of one rank's batch; a multiple of ``images_per_identity``.
        images_per_identity (int): K; default 4.
        near (int): Nearest identities beside each; default 1.
        seed (int): Seed.
        drop_last (bool): Leave out the images that fill no global batch.

    Attributes:
        neighbours (ndarray or None): int (identities, n), n >= ``near``: numbers of the nearest of each identity, the
            nearest first, in the order of ``people``.
        people (ndarray): Labels that have images, int (identities,), ascending.

    Raises:
        ValueError: If the batch size is no multiple of K, or ``near`` is below 1 or leaves no room in a batch.
    """

    def __init__(self, dataset, batch_size, images_per_identity=4, near=1, seed=0, drop_last=True):
        super().__init__(dataset, batch_size, images_per_identity, seed, drop_last)
        if not 1 <= near < batch_size // self.group:
            raise ValueError(f'HardIdentitySampler: near is {near}; a batch of {batch_size} images has room for '
                             f'{batch_size // self.group} identities: near is at least 1 and below that')
        self.near, self.people = near, np.unique(self.labels)
        self.neighbours, self.told = None, False

    def tell(self, neighbours):
        """Take over who is near whom.

        Args:
            neighbours (ndarray or None): See the attribute; None: not known yet.

        Raises:
            ValueError: If it is of other identities, or of too few neighbours.
        """
        if neighbours is not None and (neighbours.ndim != 2 or len(neighbours) != len(self.people)
                                       or neighbours.shape[1] < min(self.near, len(self.people) - 1)):
            raise ValueError(f'HardIdentitySampler: neighbours of shape {neighbours.shape} are not {self.near} of each '
                             f'of {len(self.people)} identities')
        self.neighbours, self.told = neighbours, True

    def _identities(self, groups, rng):
        """Identity of each group: as the base class, with neighbours in whole batches."""
        drawn, batch = super()._identities(groups, rng), self.batch_size // self.group
        if not self.told:
            warnings.warn('HardIdentitySampler knows no class centres and draws identities at random: add '
                          "custom_hooks=[dict(type='HardIdentityHook')]", stacklevel=2)
            self.told = True
        whole = groups // batch * batch
        if self.neighbours is None or not whole or len(self.people) <= batch:
            return drawn
        rows = drawn[:whole].reshape(-1, batch)
        first = batch // (1 + self.near)
        alike = self.neighbours[rows[:, :first], :self.near].transpose(0, 2, 1).reshape(len(rows), -1)
        rows = first_distinct(np.concatenate([rows[:, :first], alike, rows[:, first:]], axis=1), batch)
        return np.concatenate([rows.ravel(), drawn[whole:]])


def first_distinct(rows, count):
    """The first entries of each row that did not come before in it.

    Args:
        rows (ndarray): Integers (N, M), with at least ``count`` distinct ones in each row.
        count (int): How many to take.

    Returns:
        ndarray: (N, count), in their order.
    """
    places = np.argsort(rows, axis=1, kind='stable')
    ordered = np.take_along_axis(rows, places, axis=1)
    again = np.zeros(rows.shape, bool)
    np.put_along_axis(again, places[:, 1:], ordered[:, 1:] == ordered[:, :-1], axis=1)
    kept = np.argsort(again, axis=1, kind='stable')[:, :count]
    return np.take_along_axis(rows, kept, axis=1)
