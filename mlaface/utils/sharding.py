"""Rows of a tensor that is split over ranks: the contract between heads, optimizers and checkpoints."""
from dataclasses import dataclass


@dataclass(frozen=True)
class RowShard:
    """Which rows of a logical tensor a rank holds.

    A parameter or buffer that is split over ranks carries one as its attribute ``row_shard``. Whoever treats
    parameters (DDP, clipping, optimizer, checkpoint) reads the attribute; nobody needs to know the head.

    Args:
        start (int): First global row held here.
        stop (int): One past the last global row held here.
        total (int): Rows of the logical tensor.
        per_class (int): Rows per class (sub-centres), so that classes are never torn.
    """
    start: int
    stop: int
    total: int
    per_class: int = 1

    @property
    def rows(self):
        """Rows held here."""
        return self.stop - self.start


def split_rows(classes, rank, world_size, per_class=1):
    """Split classes over ranks in contiguous blocks; the first ``classes % world_size`` ranks hold one more.

    Args:
        classes (int): Classes of the logical tensor.
        rank (int): This rank.
        world_size (int): Ranks.
        per_class (int): Rows per class.

    Returns:
        RowShard: The rows of this rank.
    """
    base, extra = divmod(classes, world_size)
    start = rank * base + min(rank, extra)
    stop = start + base + (rank < extra)
    return RowShard(start * per_class, stop * per_class, classes * per_class, per_class)


def row_shard(tensor):
    """The ``RowShard`` of a tensor, or None if every rank holds all of it."""
    return getattr(tensor, 'row_shard', None)
