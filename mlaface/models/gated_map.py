"""A map times a gate per channel, then times a gate per place, as CBAM and its kind have it; on CPU through the cache.

What such an attention computes is little; what it reads and writes is much. Written as torch's operators, one
attention reads and writes some thirty tensors of the map's size, forward and backward, most of them in memory that is
touched for the first time. Here two tensors are written, the attended map and the gradient, by a few passes over the
map: compiled ones (``kernels.gated_map``) where they can be used, else torch's operators over blocks of images
(``gated_blocks``). The gates themselves are small and stay with autograd.
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mlaface.models import gated_blocks
from mlaface.models.blockwise import fits, is_channels_last, rows, trains_eagerly_on_cpu
from mlaface.models.kernels import kernels


def gated_map(x, channel_gate=None, place_gate=None, parameters=(), blockwise=True):
    """``x = channel_gate(...) * x``, then ``x = place_gate(...) * x``.

    Args:
        x (Tensor): Map (N, C, H, W).
        channel_gate (callable or None): Average and maximum over places, each (N, C, 1, 1), to a gate of that shape.
        place_gate (callable or None): Mean and maximum over channels, (N, 2, H, W), to a gate (N, 1, H, W).
        parameters (Sequence[Parameter]): All that the two gates learn.
        blockwise (bool): Whether these passes may be used where they pay: eager training on CPU in channels-last
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
    return (trains_eagerly_on_cpu(x) and is_channels_last(x)
            and all(fits(x.dtype, weight.dtype) for weight in parameters))


def _in_layout_of(x, pooled):
    """Channels-last if the map is: there, torch's convolution of two channels learns in a seventh of the time."""
    return pooled.contiguous(memory_format=torch.channels_last) if is_channels_last(x) else pooled


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

    def backward(self, grad):
        """Gradients of the pooled tensors, and of the parameters: None where one has no part."""
        found = torch.autograd.grad(self.value, [*self.inputs, *self.parameters], grad.reshape(self.value.shape),
                                    retain_graph=True, allow_unused=True)
        pooled = [torch.zeros_like(value) if each is None else each for each, value in zip(found, self.inputs)]
        return pooled, found[len(self.inputs):]


def _value(gate):
    return None if gate is None else gate.value.detach()


class _GatedMap(torch.autograd.Function):
    """``gated_map`` by passes over the map."""

    @staticmethod
    def forward(ctx, x, channel_gate, place_gate, parameters, *_):
        ctx.passes = kernels('gated_map', x) or gated_blocks
        ctx.learned = [weight for weight in parameters if weight.requires_grad]
        ctx.channel = ctx.place = None
        if channel_gate is not None:
            average, peak, ctx.peak = ctx.passes.pool_channels(x)
            ctx.channel = _Gate(channel_gate, ctx.learned, average, peak)
        if place_gate is not None:
            pooled, ctx.most = ctx.passes.pool(x, _value(ctx.channel))
            ctx.place = _Gate(place_gate, ctx.learned, pooled)
        ctx.save_for_backward(x, *parameters)
        return ctx.passes.product(x, _value(ctx.channel), _value(ctx.place))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, *parameters = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        channel, place, passes = _value(ctx.channel), _value(ctx.place), ctx.passes
        of_pooled, of_channels, weights = None, None, [None] * len(ctx.learned)
        of_place, of_channel = passes.of_gates(x, grad, channel, place)
        if ctx.place:
            (pooled,), weights = ctx.place.backward(of_place)
            mean, most = rows(pooled.contiguous(memory_format=torch.channels_last)).split(1, 2)
            of_pooled = mean / x.shape[1], most, ctx.most
        if ctx.channel:
            if ctx.place:
                of_channel += passes.by_places(x, of_pooled)
            (average, peak), found = ctx.channel.backward(of_channel.to(x.dtype))
            weights = [b if a is None else a if b is None else a + b for a, b in zip(weights, found)]
            of_channels = average / (x.shape[2] * x.shape[3]), peak, ctx.peak
        grad_x = passes.of_map(grad, channel, place, of_pooled, of_channels)
        weights = iter(weights)
        return grad_x, None, None, None, *(next(weights) if weight.requires_grad else None for weight in parameters)
