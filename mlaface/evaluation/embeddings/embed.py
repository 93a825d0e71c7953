"""Images to embeddings, over all ranks: each distinct image once."""
import numpy as np

from mlaface.evaluation.embeddings.table import EmbeddingTable
from mlaface.evaluation.images.reading import read_ahead


def embed_suite(network, suite, flip=True, batch_size=64, workers=1, progress=None):
    """Embeddings of all images of a suite, each distinct one embedded once, over all ranks.

    Returns:
        EmbeddingTable: Complete, the same on every rank; with ``flipped`` if ``flip``.

    Raises:
        OSError, ValueError: If an image or a batch cannot be embedded, on every rank.
    """
    from mmengine import dist
    table, rank, ranks = EmbeddingTable(suite.count, suite.same_as), dist.get_rank(), dist.get_world_size()
    rows = suite.distinct[rank::ranks]
    error = None
    try:
        for outputs in embed_images(network, suite.images, rows, batch_size, flip, workers):
            table.add(**outputs)
            if progress is not None:
                progress(len(outputs['index']))
    except (OSError, ValueError) as caught:
        error = caught
    _raise_together(error)
    table.gather()
    return table


def _raise_together(error):
    """Raise what one rank met on all ranks, so that none waits for embeddings that never come."""
    from mmengine import dist
    messages = dist.all_gather_object(None if error is None else str(error))
    if error is not None:
        raise error
    for message in filter(None, messages):
        raise ValueError(message)


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
