"""Embeddings against embeddings: which pairs reach a cosine, exactly, at the speed of the fastest matrix product.

A product of 16-bit floats (bfloat16), where the processor has one, finds which pairs may reach the threshold; only
those are computed again. Its error is bounded: rounding a unit vector to 8 bits of mantissa moves it by at most 2^-8,
so a cosine moves by at most 2^-7, and rounding the cosine itself adds 2^-9.
"""
import time
from typing import NamedTuple

import numpy as np

SLACK = 2 ** -6
BLOCK, PROBES = 2048, 4096


class Pairs(NamedTuple):
    """Pairs that reach a cosine.

    Args:
        first (ndarray (M,)): int64 rows of the first array.
        second (ndarray (M,)): int64 rows of the second.
        cosine (ndarray (M,)): float32.
    """
    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def unit(embeddings):
    """Rows of unit length, float32; rows of zeros or with no finite length stay zero.

    Args:
        embeddings (array (N, D)): As a network makes them.
    """
    rows = np.array(embeddings, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    good = np.isfinite(lengths) & (lengths > 0)
    return np.where(good, rows / np.where(good, lengths, 1), 0).astype(np.float32)


def not_zero(rows):
    """Which rows (array (N, D)) have anything in them, bool (N,); read in blocks."""
    parts = [np.abs(rows[start:start + 10_000]).sum(1) > 0 for start in range(0, len(rows), 10_000)]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def pairs_part(start, stop, first, second, threshold, device='cpu', advance=lambda count: None):
    """``pairs_above`` of rows from start to stop of the first array, as a tuple; see ``parts.py``."""
    found = pairs_above(first[start:stop], second, threshold, device, advance)
    return found.first + start, found.second, found.cosine


def pairs_within_part(start, stop, rows, threshold, device='cpu', advance=lambda count: None):
    """Pairs of rows of one array, each once, of which the lower row is from start to stop; as ``pairs_part``."""
    found = pairs_above(rows[start:stop], rows[start:], threshold, device, advance, within=True)
    return found.first + start, found.second + start, found.cosine


def pairs_above(first, second, threshold, device='cpu', advance=lambda count: None, most=50_000_000, kind=None,
                within=False):
    """All pairs of rows whose cosine reaches a threshold.

    Args:
        first (array (N, D)): Any floats; may be a map of a file: read once, in blocks.
        second (array (M, D)): Held in memory.
        threshold (float): Cosine.
        device (str): ``'cpu'`` or a GPU.
        advance (callable): Told how many rows of ``first`` are done in addition.
        most (int): Pairs to hold.
        kind (torch.dtype, optional): Of the coarse product. Default: the faster one here; it changes no result.
        within (bool): The second array begins with the rows of the first: each pair is given once, the lower row first,
            and none of a row with itself.

    Returns:
        Pairs: In the order of the first array, then of the second.

    Raises:
        ValueError: If dimensions differ, or there are more than ``most`` pairs.
    """
    import torch
    if first.shape[1] != second.shape[1]:
        raise ValueError(f'embeddings of {first.shape[1]} and of {second.shape[1]} dimensions cannot be compared: take '
                         'one model for both sets')
    exact = unit(second)
    kind = kind or faster_kind(device, exact.shape[1])
    probes = torch.from_numpy(exact).to(device, kind)
    slack = SLACK if kind == torch.bfloat16 else 1e-5
    found, count = [], 0
    for start in range(0, len(first), BLOCK):
        block = unit(first[start:start + BLOCK])
        skipped = start if within else 0
        rows, columns = _coarse(torch.from_numpy(block).to(device, kind), probes[skipped:], threshold - slack)
        columns = columns + skipped
        if within:
            later = columns > rows + start
            rows, columns = rows[later], columns[later]
        cosine = np.einsum('nd,nd->n', block[rows], exact[columns])
        keep = cosine >= threshold
        found.append((rows[keep] + start, columns[keep], cosine[keep]))
        count += int(keep.sum())
        if count > most:
            raise ValueError(f'more than {most:,} pairs reach a cosine of {threshold:.3f}: ask for a higher one')
        advance(len(block))
    return Pairs(*(np.concatenate(parts) for parts in zip(*found))) if found else Pairs(
        np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def _coarse(block, probes, threshold):
    """Rows and columns (ndarrays int64) of products that reach a threshold, by rows and then columns."""
    import torch
    rows, columns = [], []
    for start in range(0, len(probes), PROBES):
        products = block @ probes[start:start + PROBES].T
        if hit := torch.nonzero(products.amax(1) >= threshold).ravel().tolist():
            near, where = torch.nonzero(products[hit] >= threshold, as_tuple=True)
            rows.append(np.asarray(hit, np.int64)[near.cpu().numpy()])
            columns.append(where.cpu().numpy() + start)
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, columns = np.concatenate(rows), np.concatenate(columns)
    order = np.lexsort((columns, rows))
    return rows[order], columns[order]


def faster_kind(device='cpu', dimension=512):
    """The type whose product is the faster one on this device: bfloat16 is slow on processors that lack it.

    Args:
        device (str): Where.
        dimension (int): Of the embeddings.

    Returns:
        torch.dtype: ``float32`` or ``bfloat16``.
    """
    import torch
    if torch.device(device).type != 'cpu':
        return torch.float32
    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        rows = torch.ones(1024, dimension, dtype=kind)
        rows[:64] @ rows.T
        start = time.perf_counter()
        rows @ rows.T
        seconds[kind] = time.perf_counter() - start
    return min(seconds, key=seconds.get)


def best_others(first, second, own=None, device='cpu', block=BLOCK):
    """For each row the most similar row of a second array that is not its own.

    Args:
        first (array (N, D)): Unit rows.
        second (array (M, D)): Unit rows.
        own (array int (N,), optional): Row of the second array that is left out for each; -1 for none.
        device (str): Where.
        block (int): Rows at a time.

    Returns:
        tuple[ndarray, ndarray]: Row of the second array, int64 (N,), -1 if there is no other; cosine, float32 (N,).
    """
    import torch
    places, cosines = np.full(len(first), -1), np.full(len(first), -1, np.float32)
    if len(second) < 1 + (own is not None):
        return places, cosines
    entries = torch.from_numpy(np.ascontiguousarray(second)).to(device)
    for start in range(0, len(first), block):
        products = torch.from_numpy(np.ascontiguousarray(first[start:start + block])).to(device) @ entries.T
        if own is not None:
            mine = np.asarray(own[start:start + block])
            rows = np.flatnonzero(mine >= 0)
            products[rows, mine[rows]] = -2
        best = products.max(1)
        places[start:start + block], cosines[start:start + block] = best.indices.cpu(), best.values.cpu()
    return places, cosines


def best_part(start, stop, first, second, own, device='cpu', advance=lambda count: None):
    """``best_others`` of rows from start to stop of the first array; see ``parts.py``."""
    return best_others(first[start:stop], second, own[start:stop], device)
