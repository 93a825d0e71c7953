"""The passes of ``gated_map`` over a map.

Each reads the map once and writes once what it gives, where torch's operators by blocks (``gated_blocks``) read a block
three to five times and look for a maximum over channels number by number. Functions and tensors are those there.
"""
import numpy as np
import torch

from mlaface.models.blockwise import rows
from mlaface.models.kernels._numba import compiled, narrow, over_images, widen

FLOAT = torch.float32  # of what is summed over the places of an image
_SIGN = np.int64(0x7fffffff)


def pool_channels(x):
    """See ``gated_blocks.pool_channels``."""
    average, peak, where = (x.new_empty(x.shape[:2], dtype=dtype) for dtype in (FLOAT, FLOAT, torch.int64))
    over_images(_pool_channels, rows(x), average, peak, where)
    return tuple(each[..., None, None] for each in (average.to(x.dtype), peak.to(x.dtype), where))


def pool(x, channel):
    """See ``gated_blocks.pool``."""
    count, channels, height, width = x.shape
    pooled = torch.empty_like(x[:, :2], memory_format=torch.channels_last)
    place = torch.empty(count, height * width, 1, dtype=torch.int64)
    over_images(_pool, rows(x), _per_channel(x, channel), rows(pooled), place)
    return pooled, place


def product(x, channel, place):
    """See ``gated_blocks.product``."""
    out = torch.empty_like(x)
    over_images(_product, rows(x), _per_channel(x, channel), _per_place(x, place), rows(out))
    return out


def of_gates(x, grad, channel, place):
    """See ``gated_blocks.of_gates``."""
    of_place, of_channel = x.new_empty(len(x), x.shape[2] * x.shape[3], 1), x.new_empty(x.shape[:2], dtype=FLOAT)
    over_images(_of_gates, rows(x), rows(grad), _per_channel(x, channel), _per_place(x, place), of_place, of_channel)
    return of_place, of_channel


def by_places(x, of_pooled):
    """See ``gated_blocks.by_places``."""
    found = x.new_empty(x.shape[:2], dtype=FLOAT)
    over_images(_by_places, rows(x), *(each.contiguous() for each in of_pooled), found)
    return found


def of_map(grad, channel, place, of_pooled, of_channels):
    """See ``gated_blocks.of_map``."""
    if of_pooled is None:
        nothing = grad.new_zeros(len(grad), grad.shape[2] * grad.shape[3], 1)
        of_pooled = nothing, nothing, nothing.long()
    if of_channels is None:
        nothing = grad.new_zeros(grad.shape[:2])
        of_channels = nothing, nothing, nothing.long()
    out = torch.empty_like(grad)
    over_images(_of_map, rows(grad), _per_channel(grad, channel), _per_place(grad, place),
                *(each.contiguous() for each in of_pooled), *(each.flatten(1).contiguous() for each in of_channels),
                rows(out))
    return out


def _per_channel(x, gate):
    return x.new_ones(x.shape[:2]) if gate is None else gate.flatten(1).contiguous()


def _per_place(x, gate):
    return x.new_ones(len(x), x.shape[2] * x.shape[3]) if gate is None else gate.flatten(1).contiguous()


@compiled
def _pool_channels(x, average, peak, where):
    images, places, channels = x.shape
    for n in range(images):
        average[n], peak[n], where[n] = 0, -np.inf, 0
        for p in range(places):
            for c in range(channels):
                value = widen(x[n, p, c])
                average[n, c] += value
                if value > peak[n, c] or value != value:
                    peak[n, c], where[n, c] = value, p
        average[n] /= np.float32(places)


@compiled
def _pool(x, channel, pooled, place):
    images, places, channels = x.shape
    for n in range(images):
        for p in range(places):
            total, best = np.float32(0), np.int64(-2 ** 63)
            for c in range(channels):
                value = widen(x[n, p, c]) * widen(channel[n, c])
                total += value
                # The bits of a float as a number of the same order, before the channel counted from the last: one
                # maximum over vectors gives the value and its first channel. 0 is added so that zeros have one sign.
                bits = np.int64(np.float32(value + np.float32(0)).view(np.int32))
                best = max(best, ((bits ^ ((bits >> 31) & _SIGN)) << 32) | (channels - 1 - c))
            first = channels - 1 - (best & 0xffffffff)
            place[n, p, 0] = first
            pooled[n, p, 0] = narrow(total / np.float32(channels), pooled)
            pooled[n, p, 1] = narrow(widen(x[n, p, first]) * widen(channel[n, first]), pooled)


@compiled
def _product(x, channel, place, out):
    images, places, channels = x.shape
    for n in range(images):
        for p in range(places):
            gate = widen(place[n, p])
            for c in range(channels):
                out[n, p, c] = narrow(widen(x[n, p, c]) * widen(channel[n, c]) * gate, out)


@compiled
def _of_gates(x, grad, channel, place, of_place, of_channel):
    images, places, channels = x.shape
    for n in range(images):
        of_channel[n] = 0
        for p in range(places):
            total, gate = np.float32(0), widen(place[n, p])
            for c in range(channels):
                both = widen(x[n, p, c]) * widen(grad[n, p, c])
                total += both * widen(channel[n, c])
                of_channel[n, c] += both * gate
            of_place[n, p, 0] = narrow(total, of_place)


@compiled
def _by_places(x, mean, most, where, found):
    images, places, channels = x.shape
    for n in range(images):
        found[n] = 0
        for p in range(places):
            every, first = widen(mean[n, p, 0]), where[n, p, 0]
            for c in range(channels):
                found[n, c] += every * widen(x[n, p, c])
            found[n, first] += widen(most[n, p, 0]) * widen(x[n, p, first])


@compiled
def _of_map(grad, channel, place, mean, most, where, average, peak, at, out):
    images, places, channels = grad.shape
    for n in range(images):
        for p in range(places):
            gate, every, first = widen(place[n, p]), widen(mean[n, p, 0]), where[n, p, 0]
            for c in range(channels):
                through = (widen(grad[n, p, c]) * gate + every) * widen(channel[n, c])
                out[n, p, c] = narrow(through + widen(average[n, c]), out)
            through = widen(grad[n, p, first]) * gate + every + widen(most[n, p, 0])
            out[n, p, first] = narrow(through * widen(channel[n, first]) + widen(average[n, first]), out)
        for c in range(channels):
            out[n, at[n, c], c] = narrow(widen(out[n, at[n, c], c]) + widen(peak[n, c]), out)
