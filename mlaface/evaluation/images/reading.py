"""Images of a suite, by row; batches are read ahead in the background while the network works on the one before."""
import numpy as np

from mlaface.utils.ahead import map_ahead


class DatasetImages:
    """Images of a data set of the registry, by row.

    Args:
        dataset (Dataset): ``dataset.__getitems__(rows)`` gives ``dict(images=uint8 (N, 3, H, W), index)``.

    Attributes:
        same_as (int array (N,) or None): For each row the first one that has its image; None: all are distinct.
    """

    def __init__(self, dataset):
        self.dataset = dataset
        self.same_as = (getattr(dataset, 'metainfo', None) or {}).get('same_as')

    def __len__(self):
        return len(self.dataset)

    def read(self, rows):
        """Images uint8 (N, 3, H, W) of rows (sequence of int)."""
        return np.asarray(self.dataset.__getitems__([int(row) for row in rows])['images'])


def read_ahead(images, rows, batch_size, workers=1):
    """Read batches in background threads, never more than ``workers + 1`` of them at once.

    Args:
        images (object): Has ``read(rows)``; decoders release Python's lock, so threads do for it.
        rows (ndarray int (N,)): Which images, in this order.
        batch_size (int): Images of a batch.
        workers (int): Threads; 0 reads in the caller's.

    Yields:
        tuple: rows (B,) and images uint8 (B, 3, H, W).
    """
    parts = (rows[start:start + batch_size] for start in range(0, len(rows), batch_size))
    yield from map_ahead(lambda part: (part, images.read(part)), parts, workers)
