"""A shuffled order that stays near in the files: blocks of neighbours in random order, mixed within a window."""
import numpy as np
from torch.utils.data import Sampler

from mlaface.datasets.samplers.base import GlobalBatches
from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class BlockSampler(GlobalBatches, Sampler):
    """Every image once an epoch, for sets that are larger than the cache of their store.

    The set is cut into blocks of neighbours. Their order is drawn anew each epoch, and they are dealt to ``lanes``,
    which take turns of ``turn`` images: of as many ranks with batches as large each reads blocks of its own.
    Within a lane the images of ``window`` blocks at a time are shuffled. What a lane has over in the end is put behind.

    A file that is ordered by identity gives a batch few identities: at most those of ``window`` blocks a lane. Pack
    such a set anew, shuffled (``mlaface data convert``).

    The order is a function of seed, epoch, ``lanes`` and ``turn``, and of no rank: state both if a run is to continue
    on another number of ranks.

    Args:
        dataset (Dataset): Has a length; neighbours lie beside each other in its files.
        batch_size (int): Images of one rank's batch; must be the loader's.
        block (int): Images of a block: those of several blocks of the cache, since the first and the last of these are
            read for their neighbours too. Default 512.
        window (int): Blocks of a lane that are mixed. Default 16.
        lanes (int, optional): Default: the number of ranks.
        turn (int, optional): Images of a lane at a time. Default: ``batch_size``.
        seed (int): Of the order.
        drop_last (bool): Leave out the images that fill no global batch.

    Raises:
        ValueError: If ``block``, ``window``, ``lanes`` or ``turn`` is below 1.
    """

    distinct = True

    def __init__(self, dataset, batch_size, block=512, window=16, lanes=None, turn=None, seed=0,
                 drop_last=True):
        super().__init__(len(dataset), batch_size, seed, drop_last)
        self.block, self.window, self.lanes = block, window, self.world_size if lanes is None else lanes
        self.turn = batch_size if turn is None else turn
        if min(self.block, self.window, self.lanes, self.turn) < 1:
            raise ValueError(f'BlockSampler: block={block}, window={window}, lanes={lanes} and turn={turn} must be at '
                             'least 1')

    def _lane(self, blocks, rng):
        """A lane's images: those of ``window`` blocks (starts, int64) at a time, shuffled."""
        parts = []
        for start in range(0, len(blocks), self.window):
            some = (blocks[start:start + self.window, None] + np.arange(self.block)).ravel()
            parts.append(rng.permutation(some[some < self.length]))
        return np.concatenate([*parts, np.empty(0, np.int64)])

    def order(self):
        """The order of the current epoch, int64 (images,)."""
        rng = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        blocks = rng.permutation(np.arange(0, self.length, self.block))
        lanes = [self._lane(blocks[number::self.lanes], rng) for number in range(self.lanes)]
        turns = min(map(len, lanes)) // self.turn
        even = np.stack([lane[:turns * self.turn].reshape(turns, self.turn) for lane in lanes], 1)
        return np.concatenate([even.ravel(), *(lane[turns * self.turn:] for lane in lanes)]).astype(np.int64)
