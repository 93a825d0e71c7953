"""The evaluation sampler: every row exactly once over all ranks."""
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SequentialSampler(Sampler):
    """Contiguous blocks of rows, one a rank, with nothing padded.

    No row is given to two ranks and none is left out, so that nothing is lost or counted twice; the blocks differ by
    one row at most, and a rank may have none. Metrics bring the rows together by their ``index``.

    Args:
        dataset (Dataset): Has a length.
    """

    def __init__(self, dataset):
        rank, world_size = get_dist_info()
        base, extra = divmod(len(dataset), world_size)
        start = rank * base + min(rank, extra)
        self.rows = range(start, start + base + (rank < extra))

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)
