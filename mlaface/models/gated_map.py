"""A map times a gate per channel, then times a gate per place, as CBAM and its kind have it; on CPU through the cache.

What such an attention computes is little; what it reads and writes is much. Written as torch's operators, one
attention reads and writes some thirty tensors of the map's size, forward and backward, most of them in memory that is
touched for the first time. Here images go through the core's cache a few at a time, and two tensors are written: the
attended map and the gradient. The gates themselves are small and stay with autograd.
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mlaface.models.blockwise import HALF, blocks, fits, trains_eagerly_on_cpu

FREE = (1 << 13) - 1  # bits of a float32 that are zero where it was a bfloat16 or float16


def gated_map(x, channel_gate=None, place_gate=None, parameters=(), blockwise=True):
    """``x = channel_gate(...) * x``, then ``x = place_gate(...) * x``.

    Args:
        x (Tensor): Map (N, C, H, W).
        channel_gate (callable or None): Average and maximum over places, each (N, C, 1, 1), to a gate of that shape.
        place_gate (callable or None): Mean and maximum over channels, (N, 2, H, W), to a gate (N, 1, H, W).
        parameters (Sequence[Parameter]): All that the two gates learn.
        blockwise (bool): Whether blocks of images may be used where they pay: eager training on CPU in channels-last
            memory. Default True. The numbers are the same to rounding.

    Returns:
        Tensor: Shape and type as ``x``.
    """
    if blockwise and _pays(x, parameters):
        return _GatedMap.apply(x, channel_gate, place_gate, tuple(parameters), *parameters)
    if channel_gate is not None:
        gate = channel_gate(*pooled_channels(x))
        x = gate.to(x.dtype) * x  # under autocast a gate may be of float32, which would double all maps behind it
    if place_gate is not None:
        pooled = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True).values], 1)
        x = place_gate(_in_layout_of(x, pooled)).to(x.dtype) * x
    return x


def pooled_channels(x):
    """Average and maximum over the places of a map (N, C, H, W), each (N, C, 1, 1)."""
    average = nn.functional.adaptive_avg_pool2d(x, 1)
    if torch.are_deterministic_algorithms_enabled():  # which have no backward pass of max pooling on a GPU
        return average, x.flatten(2).max(2).values[..., None, None]
    return average, nn.functional.adaptive_max_pool2d(x, 1)


def _pays(x, parameters):
    return (trains_eagerly_on_cpu(x) and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
            and all(fits(x.dtype, weight.dtype) for weight in parameters))


def _in_layout_of(x, pooled):
    """Channels-last if the map is: there, torch's convolution of two channels learns in a seventh of the time."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return pooled.contiguous(memory_format=torch.channels_last) if last else pooled


def _rows(x):
    """A map in channels-last memory as (N, places, C)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _lines(x):
    """A map in channels-last memory as (N, H, W * C): what is the same for all places is long vectors here."""
    return x.permute(0, 2, 3, 1).flatten(2)


def _along(channels, x):
    """Numbers of channels (N, C, 1, 1) along the lines of a map, (N, 1, W * C)."""
    return channels.detach().flatten(1).repeat(1, x.shape[3]).unsqueeze(1)


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


def _pool(rows, mean, most, place):
    """Mean, maximum and its first place along rows (n, places, C) into tensors (n, places, 1).

    torch looks for a maximum and its place number by number. Numbers of half types leave bits of a float32 free: with
    their place written there, one maximum over vectors gives both. What has no order by its bits alone (signs of zero,
    numbers below it, none) goes to torch.
    """
    if rows.dtype not in HALF or rows.shape[2] > FREE + 1:
        torch.mean(rows, 2, keepdim=True, out=mean)
        torch.max(rows, 2, keepdim=True, out=(most, place))
        return
    last, wide = rows.shape[2] - 1, rows.float()
    mean.copy_(wide.mean(2, keepdim=True))
    wide.view(torch.int32).bitwise_or_(torch.arange(last, -1, -1, dtype=torch.int32))
    found = wide.amax(2, keepdim=True).view(torch.int32)
    torch.sub(last, found & FREE, out=place)
    value = (found & ~FREE).view(torch.float32)
    most.copy_(value)
    odd = ~((value > 0) & (value < float('inf'))).squeeze(2)
    if odd.any():
        most[odd], place[odd] = torch.max(rows[odd], 1, keepdim=True)


def _same(tensor):
    return tensor


class _Gate:
    """A gate of pooled tensors, with the graph that gives their gradients and those of its parameters."""

    def __init__(self, function, parameters, *pooled):
        self.inputs, self.parameters = [each.detach().requires_grad_() for each in pooled], parameters
        # its own small tensors are kept as they are: a checkpointed block would make itself anew to find them. Without
        # their history, since an output with it that its own node keeps is never let go of
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, _same):
            self.value = function(*self.inputs).to(pooled[0].dtype)

    @property
    def rows(self):
        """Of a gate per place (N, 1, H, W): (N, places, 1)."""
        return self.value.detach().flatten(1).unsqueeze(2)

    def backward(self, grad):
        """Gradients of the pooled tensors, and of the parameters: None where one has no part."""
        found = torch.autograd.grad(self.value, [*self.inputs, *self.parameters], grad.reshape(self.value.shape),
                                    retain_graph=True, allow_unused=True)
        pooled = [torch.zeros_like(value) if each is None else each for each, value in zip(found, self.inputs)]
        return pooled, found[len(self.inputs):]


class _GatedMap(torch.autograd.Function):
    """``gated_map`` of blocks of images."""

    @staticmethod
    def forward(ctx, x, channel_gate, place_gate, parameters, *_):
        ctx.learned = [weight for weight in parameters if weight.requires_grad]
        ctx.channel = ctx.place = along = None
        if channel_gate is not None:
            average = nn.functional.adaptive_avg_pool2d(x, 1)
            peak, ctx.peak = nn.functional.adaptive_max_pool2d(x, 1, return_indices=True)
            ctx.channel = _Gate(channel_gate, ctx.learned, average, peak)
            along = _along(ctx.channel.value, x)
        if place_gate is not None:
            pooled = torch.empty_like(x[:, :2], memory_format=torch.channels_last)
            ctx.most = torch.empty(len(x), x.shape[2] * x.shape[3], 1, dtype=torch.int64)
            for block in blocks(x):
                mean, most = _rows(pooled[block]).split(1, 2)
                _pool(_rows(_times(x[block], _of(along, block))), mean, most, ctx.most[block])
            ctx.place = _Gate(place_gate, ctx.learned, pooled)
        out = torch.empty_like(x)
        for block in blocks(x):
            if ctx.place:
                rows = _rows(_times(x[block], _of(along, block)))
                torch.mul(rows, _spread(ctx.place.rows[block], x.shape[1]), out=_rows(out[block]))
            else:
                _times(x[block], along[block], out[block])
        ctx.save_for_backward(x, *parameters)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, *parameters = ctx.saved_tensors
        grad, channels = grad.contiguous(memory_format=torch.channels_last), x.shape[1]
        along, weights = _along(ctx.channel.value, x) if ctx.channel else None, [None] * len(ctx.learned)
        if ctx.place:
            of_gate = torch.empty_like(ctx.place.rows)
            gates = ctx.channel.value.detach() if ctx.channel else x.new_ones(len(x), channels, 1, 1)
            for block in blocks(x):  # a matrix product sums a row several times as fast as sum()
                torch.bmm(_rows(x[block] * grad[block]), gates[block].flatten(2), out=of_gate[block])
            (pooled,), weights = ctx.place.backward(of_gate)
            mean, most = _rows(pooled.contiguous(memory_format=torch.channels_last)).split(1, 2)
            mean = mean / channels
        grad_x, of_gate = torch.empty_like(x), x.new_empty(len(x), channels)
        for block in blocks(x):
            through = grad[block]
            if ctx.place:
                through = torch.empty_like(through)
                rows = torch.mul(_rows(grad[block]), _spread(ctx.place.rows[block], channels), out=_rows(through))
                rows += _spread(mean[block], channels)
                _add_one_a_row(rows, ctx.most[block], most[block])
            if ctx.channel:
                of_gate[block] = _rows(through * x[block]).sum(1)
            _times(through, _of(along, block), grad_x[block])
        if ctx.channel:
            (average, peak), found = ctx.channel.backward(of_gate)
            weights = [b if a is None else a if b is None else a + b for a, b in zip(weights, found)]
            average = _along(average / (x.shape[2] * x.shape[3]), x)
            for block in blocks(x):
                _lines(grad_x[block]).add_(average[block])
            _add_at(grad_x, ctx.peak, peak)
        weights = iter(weights)
        return grad_x, None, None, None, *(next(weights) if weight.requires_grad else None for weight in parameters)


def _add_one_a_row(rows, place, values):
    """Add to each row of (n, places, C) a number at one of its channels, both (n, places, 1)."""
    if rows.dtype not in HALF:
        rows.scatter_add_(2, place, values)
        return
    flat = rows.view(-1)  # torch adds numbers of half types by rows several times as slowly
    starts = torch.arange(0, len(flat), rows.shape[2]).view_as(place)
    flat.index_add_(0, (starts + place).view(-1), values.reshape(-1))


def _of(along, block):
    return None if along is None else along[block]


def _add_at(x, places, values):
    """Add a number (N, C, 1, 1) to each channel of a map, at its place (N, C, 1, 1)."""
    count, channels = places.shape[:2]
    flat = _rows(x).view(-1)
    start = torch.arange(count).view(-1, 1) * (x.shape[2] * x.shape[3])
    index = ((start + places.flatten(1)) * channels + torch.arange(channels)).flatten()
    flat[index] += values.flatten()
