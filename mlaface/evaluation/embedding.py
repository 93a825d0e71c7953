"""Images to embeddings: batches are read ahead in the background while the network works on the one before."""
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np


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
    parts = [rows[start:start + batch_size] for start in range(0, len(rows), batch_size)]
    if workers < 1:
        yield from ((part, images.read(part)) for part in parts)
        return
    with ThreadPoolExecutor(workers, 'images') as pool:
        waiting = deque()
        try:
            for part in parts:
                waiting.append((part, pool.submit(images.read, part)))
                if len(waiting) > workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def embed_images(network, images, rows=None, batch_size=64, flip=True, workers=1):
    """Embeddings of images and, if asked for, of their mirror images, batch by batch.

    Args:
        network (object): Has ``embed``, as in ``evaluation.networks``.
        images (object): Has ``read(rows)`` and a length.
        rows (sequence of int or None): Which images; None is all.
        batch_size (int): Images of a forward pass.
        flip (bool): Whether mirror images are embedded too; every flip rule is made of the same two embeddings.
        workers (int): Threads that read.

    Yields:
        dict: ``index`` (B,), ``embeddings`` float32 (B, D) and, with ``flip``, ``flipped`` (B, D).

    Raises:
        ValueError: If the network gives another number of rows than images, or not a matrix.
    """
    rows = np.arange(len(images)) if rows is None else np.asarray(rows)
    for index, batch in read_ahead(images, rows, batch_size, workers):
        outputs = dict(index=index, embeddings=_embed(network, batch))
        if flip:
            outputs['flipped'] = _embed(network, np.ascontiguousarray(batch[..., ::-1]))
        yield outputs


def _embed(network, batch):
    embeddings = network.embed(batch)
    if embeddings.ndim != 2 or len(embeddings) != len(batch):
        raise ValueError(f'the network gave {embeddings.shape} for {len(batch)} images; (images, dimensions) is needed')
    return embeddings
