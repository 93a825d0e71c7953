"""The evaluation sampler: every row, or every distinct image, exactly once over all ranks."""
import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from mlaface.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class SequentialSampler(Sampler):
    """Contiguous blocks of rows, one a rank, with nothing padded.

    No row is given to two ranks and none is left out, so that nothing is lost or counted twice; the blocks differ by
    one row at most, and a rank may have none. Metrics bring the rows together by their ``index``. Where the data set's
    ``metainfo`` tells by ``same_as`` which rows share an image, only the first of them is given.

    Args:
        dataset (Dataset): Has a length, and optionally ``metainfo``.
    """

    def __init__(self, dataset):
        rank, world_size = get_dist_info()
        same_as = (getattr(dataset, 'metainfo', None) or {}).get('same_as', np.arange(len(dataset)))
        self.rows = np.array_split(np.unique(same_as), world_size)[rank].tolist()

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)
