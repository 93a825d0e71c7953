"""What training samplers share: ranks, global batches, and the position that a resumed run starts from."""
import numpy as np
from mmengine.dist import get_dist_info

from mlaface.utils.errors import InputError

AGAIN = 1 << 20  # epochs between the draws of an image that comes again in one epoch


def occurrences(order):
    """How often each entry has come before.

    Args:
        order (ndarray): Integers (M,), with repeats.

    Returns:
        ndarray: int64 (M,): 0 where an entry comes for the first time, 1 for the second, ...
    """
    places = np.argsort(order, kind='stable')
    first = np.r_[True, np.diff(order[places]) != 0]
    starts = np.flatnonzero(first)
    counts = np.empty(len(order), np.int64)
    counts[places] = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return counts


def seeded_turns(labels, rng):
    """The images by class, each class in an order of its own.

    Args:
        labels (ndarray): int (M,).
        rng (numpy.random.Generator): What shuffles.

    Returns:
        ndarray: Indices int64 (M,), the classes one behind the other in ascending order.
    """
    mixed = rng.permutation(len(labels))
    return mixed[np.argsort(labels[mixed], kind='stable')]


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

    A subclass gives ``order()``: indices of the current epoch, from ``seed`` and ``epoch`` alone. An image that comes
    again has another draw, and so is augmented anew.

    Attributes:
        group (int): Images that follow each other in ``order()`` and stay on one rank.
        distinct (bool): Whether no image comes twice in an epoch, so that nobody has to look.

    Args:
        length (int): Images of the data set.
        batch_size (int): Images of one rank's batch.
        seed (int): Seed.
        drop_last (bool): Whether a last global batch that is not full is left out.

    Raises:
        ValueError: If ``batch_size`` is below 1.
    """

    group = 1
    distinct = False

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
        """Draws of this rank, from the position to the end of the epoch.

        Where ranks or batches are others than those that came to the position, a last global batch that is not full is
        left out: it is another one than in a whole epoch, and might leave a rank without images.
        """
        block = self.batch_size * self.world_size
        end = self._end()
        if self.position % block:
            end = self.position + max(self.images - self.position, 0) // block * block
        draws = self.draws()[:end]
        for start in range(self.position, end, block):
            yield from self._deal(draws, start).tolist()

    def draws(self):
        """The epoch's draws, int64 (images,): ``(epoch + 2**20 * times before in this epoch) * length + index``."""
        order = self._checked(np.asarray(self.order()))
        epochs = self.epoch if self.distinct else self.epoch + AGAIN * occurrences(order)
        return epochs * self.length + order

    def _checked(self, order):
        """An order that is one: a wrong number would be taken for an image of another epoch."""
        inside = order.dtype.kind in 'iu' and order.ndim == 1 and (not len(order) or (
            order.min() >= 0 and order.max() < self.length))
        if not inside or len(order) != self.images:
            shown = f'{order.min()} to {order.max()}' if order.size and order.dtype.kind in 'iuf' else 'nothing'
            raise InputError(f'{type(self).__name__}.order() gives {order.dtype} {order.shape}, {shown}; it must be '
                             f'{self.images} whole numbers from 0 to {self.length - 1}, the places of images')
        return order

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
