"""Sparse gradients and blocks of rows."""
CPU_BLOCK = 1 << 18
DEVICE_BLOCK = 1 << 25


def coalesced(gradient):
    """A sparse COO gradient with sorted, unique rows.

    Autograd drops the mark ``is_coalesced`` when it stores a gradient, and ``Tensor.coalesce`` sorts and adds even
    what is sorted already, on one core. Indices that rise strictly are coalesced: the mark is set and nothing moves. On
    a GPU, which would be waited for, that is not asked: a head marks its gradient of one sample, and others have to be
    added up.

    Args:
        gradient (Tensor): Sparse COO, sparse in its first dimension only.

    Returns:
        Tensor: The same gradient, coalesced.

    Raises:
        ValueError: If the gradient is sparse in more than rows.
    """
    if gradient.sparse_dim() != 1:
        raise ValueError(f'a gradient may be sparse in its rows only, not in {gradient.sparse_dim()} dimensions')
    if gradient.is_coalesced():
        return gradient
    rows = gradient._indices()[0]
    if rows.device.type == 'cpu' and bool((rows[1:] > rows[:-1]).all()):
        return gradient._coalesced_(True)
    return gradient.coalesce()


def row_blocks(rows, count, width, device):
    """Cut rows into blocks whose temporaries stay in cache (processor) or small (accelerator).

    Args:
        rows (Tensor | None): Row numbers ``(N,)``; None for all rows.
        count (int): Rows of the tensor.
        width (int): Elements per row.
        device (torch.device): Where the tensor lives.

    Yields:
        tuple[slice, slice | Tensor]: Places in ``rows`` (or in the tensor), and the index into the tensor's rows.
    """
    elements = CPU_BLOCK if device.type == 'cpu' else DEVICE_BLOCK
    size = max(1, elements // max(1, width))
    total = count if rows is None else len(rows)
    for start in range(0, total, size):
        place = slice(start, min(total, start + size))
        yield place, place if rows is None else rows[place]
