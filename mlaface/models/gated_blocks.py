"""The passes of ``gated_map`` over a map, of torch's operators: a few images at a time through the core's cache.

Maps are (N, C, H, W) in channels-last memory, a channels' gate is (N, C, 1, 1), a places' gate (N, 1, H, W); where a
gate is None, the attention has none.
"""
import torch
from torch import nn

from mlaface.models.blockwise import HALF, blocks, rows

FREE = (1 << 13) - 1  # bits of a float32 that are zero where it was a bfloat16 or float16


def pool_channels(x):
    """Average and maximum over the places of a map and the maximum's first place, each (N, C, 1, 1)."""
    return nn.functional.adaptive_avg_pool2d(x, 1), *nn.functional.adaptive_max_pool2d(x, 1, return_indices=True)


def pool(x, channel):
    """Mean and maximum over the channels of a gated map.

    Args:
        x (Tensor): Map.
        channel (Tensor or None): The channels' gate.

    Returns:
        tuple[Tensor, Tensor]: Both (N, 2, H, W) in channels-last memory, and the first channel of each place's maximum,
        int64 (N, H * W, 1).
    """
    along, pooled = _along(channel, x), torch.empty_like(x[:, :2], memory_format=torch.channels_last)
    place = torch.empty(len(x), x.shape[2] * x.shape[3], 1, dtype=torch.int64)
    for block in blocks(x):
        mean, most = rows(pooled[block]).split(1, 2)
        _pool(rows(_times(x[block], _of(along, block))), mean, most, place[block])
    return pooled, place


def product(x, channel, place):
    """A map times its gates, as the map."""
    along, place, out = _along(channel, x), _column(place), torch.empty_like(x)
    for block in blocks(x):
        if place is None:
            _times(x[block], _of(along, block), out[block])
        else:
            gated = rows(_times(x[block], _of(along, block)))
            torch.mul(gated, _spread(place[block], x.shape[1]), out=rows(out[block]))
    return out


def of_gates(x, grad, channel, place):
    """Gradients of the gates, of the product's gradient; of the channels' gate without what comes by the places' gate.

    Args:
        x, grad (Tensor): Map, and gradient of the product.
        channel, place (Tensor or None): The gates.

    Returns:
        tuple[Tensor, Tensor]: (N, H * W, 1) and (N, C); what belongs to no gate is not filled.
    """
    column, of_channel = _column(place), x.new_empty(x.shape[:2])
    of_place = x.new_empty(len(x), x.shape[2] * x.shape[3], 1)
    gates = x.new_ones(*x.shape[:2], 1) if channel is None else channel.flatten(2)
    for block in blocks(x):  # a matrix product sums several times as fast as sum()
        both = rows(x[block] * grad[block])
        if place is not None:
            torch.bmm(both, gates[block], out=of_place[block])
        if channel is not None:
            of_channel[block] = both.sum(1) if place is None else torch.bmm(both.mT, column[block]).squeeze(2)
    return of_place, of_channel


def by_places(x, of_pooled):
    """Gradient of the channels' gate that comes by the places' gate, (N, C); see ``of_map``."""
    found = x.new_empty(x.shape[:2])
    for block in blocks(x):
        mean, most, where = (each[block] for each in of_pooled)
        lines = rows(x[block])
        found[block] = torch.bmm(lines.mT, mean.contiguous()).squeeze(2)
        found[block].scatter_add_(1, where.squeeze(2), (lines.gather(2, where) * most).squeeze(2))
    return found


def of_map(grad, channel, place, of_pooled, of_channels):
    """Gradient of the map.

    Args:
        grad (Tensor): Of the product.
        channel, place (Tensor or None): The gates.
        of_pooled (tuple or None): Gradients of mean, for each channel, and maximum over channels, (N, H * W, 1) each,
            and the maximum's channel. None without a places' gate.
        of_channels (tuple or None): Gradients of average, for each place, and maximum over places, (N, C, 1, 1) each,
            and the maximum's place. None without a channels' gate.

    Returns:
        Tensor: As the map.
    """
    along, column, channels = _along(channel, grad), _column(place), grad.shape[1]
    average = None if of_channels is None else _along(of_channels[0], grad)
    out = torch.empty_like(grad)
    for block in blocks(grad):
        through = grad[block]
        if place is not None:
            mean, most, where = (each[block] for each in of_pooled)
            through = out[block]
            lines = torch.mul(rows(grad[block]), _spread(column[block], channels), out=rows(through))
            lines += _spread(mean, channels)
            _add_one_a_row(lines, where, most)
        if channel is not None:
            torch.addcmul(average[block], _lines(through), along[block], out=_lines(out[block]))
    if of_channels is not None:
        _add_one_a_channel(out, *of_channels[1:])
    return out


def _add_one_a_channel(x, values, where):
    count, channels = where.shape[:2]
    start = torch.arange(count).view(-1, 1) * (x.shape[2] * x.shape[3])
    index = ((start + where.flatten(1)) * channels + torch.arange(channels)).flatten()
    rows(x).view(-1)[index] += values.flatten()


def _lines(x):
    """A map in channels-last memory as (N, H, W * C): what is the same for all places is long vectors here."""
    return x.permute(0, 2, 3, 1).flatten(2)


def _along(channels, x):
    """Numbers of channels (N, C, 1, 1) along the lines of a map, (N, 1, W * C)."""
    return None if channels is None else channels.flatten(1).repeat(1, x.shape[3]).unsqueeze(1)


def _of(along, block):
    return None if along is None else along[block]


def _column(place):
    """A gate per place (N, 1, H, W) as (N, H * W, 1)."""
    return None if place is None else place.flatten(1).unsqueeze(2)


def _spread(gate, channels):
    """A gate (n, places, 1) for a product with (n, places, C): of half types torch multiplies rows slowly."""
    return gate.expand(-1, -1, channels).contiguous() if gate.dtype in HALF else gate


def _times(x, along, out=None):
    """A block of a map times its channels' gate, by lines; the block itself where there is no such gate."""
    if along is None:
        return x if out is None else out.copy_(x)
    out = torch.empty_like(x) if out is None else out
    torch.mul(_lines(x), along, out=_lines(out))
    return out


def _pool(lines, mean, most, place):
    """Mean, maximum and its first place along rows (n, places, C) into tensors (n, places, 1).

    torch looks for a maximum and its place number by number. Numbers of half types leave bits of a float32 free: with
    their place written there, one maximum over vectors gives both. What has no order by its bits alone (signs of zero,
    numbers below it, none) goes to torch.
    """
    if lines.dtype not in HALF or lines.shape[2] > FREE + 1:
        torch.mean(lines, 2, keepdim=True, out=mean)
        torch.max(lines, 2, keepdim=True, out=(most, place))
        return
    last, wide = lines.shape[2] - 1, lines.float()
    mean.copy_(wide.mean(2, keepdim=True))
    wide.view(torch.int32).bitwise_or_(torch.arange(last, -1, -1, dtype=torch.int32))
    found = wide.amax(2, keepdim=True).view(torch.int32)
    torch.sub(last, found & FREE, out=place)
    value = (found & ~FREE).view(torch.float32)
    most.copy_(value)
    odd = ~((value > 0) & (value < float('inf'))).squeeze(2)
    if odd.any():
        most[odd], place[odd] = torch.max(lines[odd], 1, keepdim=True)


def _add_one_a_row(lines, place, values):
    """Add to each row of (n, places, C) a number at one of its channels, both (n, places, 1)."""
    if lines.dtype not in HALF:
        lines.scatter_add_(2, place, values)
        return
    flat = lines.view(-1)  # torch adds numbers of half types by rows several times as slowly
    starts = torch.arange(0, len(flat), lines.shape[2]).view_as(place)
    flat.index_add_(0, (starts + place).view(-1), values.reshape(-1))
