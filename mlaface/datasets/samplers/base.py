"""What training samplers share: ranks, global batches, and the position that a resumed run starts from."""
import numpy as np
from mmengine.dist import get_dist_info


def deal(order, start, batch_size, rank, world_size, group=1):
    """One rank's share of a global batch.

    Args:
        order (ndarray): The permutation, (M,).
        start (int): First place of the global batch.
        batch_size (int): Images a rank.
        rank (int): This rank.
        world_size (int): Ranks.
        group (int): Neighbours that stay on one rank; divides ``batch_size`` and the order. Default 1.

    Returns:
        ndarray: The r-th block of ``batch_size`` places; of a ragged last global batch the r-th of ``world_size``
        contiguous parts whose sizes differ by one group at most.
    """
    batch = order[start:start + batch_size * world_size]
    if len(batch) == batch_size * world_size:
        return batch[rank * batch_size:(rank + 1) * batch_size]
    return np.array_split(batch.reshape(-1, group), world_size)[rank].ravel()


class GlobalBatches:
    """An endless row of epochs, of which one is walked at a time.

    A subclass gives ``order()``: indices of the current epoch, from ``seed`` and ``epoch`` alone.

    Attributes:
        group (int): Images that follow each other in ``order()`` and stay on one rank.

    Args:
        length (int): Images of the data set.
        batch_size (int): Images of one rank's batch.
        seed (int): Seed.
        drop_last (bool): Whether a last global batch that is not full is left out.

    Raises:
        ValueError: If ``batch_size`` is below 1.
    """

    group = 1

    def __init__(self, length, batch_size, seed, drop_last):
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; a batch has at least one image')
        self.length, self.batch_size, self.seed, self.drop_last = length, batch_size, seed, drop_last
        self.rank, self.world_size = get_dist_info()
        self.epoch = self.position = 0

    @property
    def images(self):
        """Images of an epoch over all ranks, before the last global batch is dropped (int)."""
        return self.length

    def _end(self):
        block = self.batch_size * self.world_size
        return self.images // block * block if self.drop_last else self.images

    def __len__(self):
        """Images of this rank in a whole epoch, wherever the position stands."""
        full, rest = divmod(self._end(), self.batch_size * self.world_size)
        return full * self.batch_size + len(self._deal(np.arange(rest), 0))

    def __iter__(self):
        """Draws of this rank: ``epoch * length + index``, from the position to the end of the epoch."""
        order, block = self.order(), self.batch_size * self.world_size
        first = self.epoch * self.length
        for start in range(self.position, self._end(), block):
            yield from (first + self._deal(order[:self._end()], start)).tolist()

    def _deal(self, order, start):
        return deal(order, start, self.batch_size, self.rank, self.world_size, self.group)

    def set_epoch(self, epoch):
        """Go to the start of an epoch."""
        self.epoch, self.position = epoch, 0

    def state_dict(self):
        """``epoch``, ``position`` (images that all ranks together have consumed), ``seed``."""
        return dict(epoch=self.epoch, position=self.position, seed=self.seed)

    def load_state_dict(self, state):
        """Go to a position.

        Raises:
            ValueError: If the position is none of an epoch of this data set.
        """
        block = self.batch_size * self.world_size  # a ragged last one counts as a whole one
        if not 0 <= state['position'] < self.images + block:
            raise ValueError(f'sampler position {state["position"]} is outside an epoch of {self.images} images: the '
                             'checkpoint was made with another data set')
        self.epoch, self.position, self.seed = state['epoch'], state['position'], state['seed']
