"""The convolution of a gate per place: an odd kernel over few channels to one, the map's size kept.

A processor's convolution works on vectors of channels; here vectors go along the lines of an image.
"""
import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mlaface.models.kernels._numba import compiled, over_images


def place_conv(x, weight):
    """Convolution without a stride.

    Args:
        x (Tensor): Map (N, C, H, W), float32, of any layout.
        weight (Tensor): (1, C, k, k), float32, k odd.

    Returns:
        Tensor: (N, 1, H, W).
    """
    return _PlaceConv.apply(x, weight)


class _PlaceConv(torch.autograd.Function):
    # An image and its rim of zeros are one line of numbers, over which four numbers of the kernel go at a time in one
    # long loop. What is found beyond the end of an image's own lines is left out.

    @staticmethod
    def forward(ctx, x, weight):
        padded = _padded(x, weight)
        ctx.save_for_backward(padded, weight)
        return _convolved(padded, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        padded, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            around = _padded(grad, weight)
            grad_x = torch.cat([_convolved(around, one) for one in weight.flip(2, 3).split(1, 1)], 1)
        if ctx.needs_input_grad[1]:
            starts, given = _starts(padded, weight), nn.functional.pad(grad, (0, _rim(weight))).flatten(1)
            found = padded.new_empty(len(padded), len(starts))
            over_images(_correlate, padded.flatten(1), starts.expand(len(padded), -1), given, found)
            grad_weight = found.sum(0)[:weight.numel()].view_as(weight)
        return grad_x, grad_weight


def _rim(weight):
    return weight.shape[-1] - 1


def _padded(x, weight):
    """A map with zeros around it, contiguous."""
    return nn.functional.pad(x.contiguous(), (_rim(weight) // 2,) * 4)


def _starts(padded, weight):
    """Where each number of the kernel begins in the line of a padded map, int64; by fours, the last are filled up."""
    channels, size = weight.shape[1], weight.shape[2]
    rows, columns = padded.shape[2:]
    c, i, j = torch.meshgrid(torch.arange(channels), torch.arange(size), torch.arange(size), indexing='ij')
    starts = ((c * rows + i) * columns + j).flatten()
    return nn.functional.pad(starts, (0, -len(starts) % 4))


def _convolved(padded, weight):
    """Convolution (N, 1, H, W) of a padded map (N, C, H + k - 1, W + k - 1)."""
    count, _, rows, columns = padded.shape
    starts, out = _starts(padded, weight), padded.new_empty(count, rows - _rim(weight), columns)
    shares = nn.functional.pad(weight.flatten(), (0, len(starts) - weight.numel()))
    over_images(_convolve, padded.flatten(1), *(each.expand(count, -1) for each in (starts, shares)), out.flatten(1))
    return out[..., :columns - _rim(weight)].unsqueeze(1)


@compiled
def _convolve(x, starts, shares, out):
    for n in range(len(x)):
        seen, found = x[n], out[n]
        found[:] = 0
        for t in range(0, starts.shape[1], 4):
            a, b, c, d = shares[n, t], shares[n, t + 1], shares[n, t + 2], shares[n, t + 3]
            p, q = seen[starts[n, t]:], seen[starts[n, t + 1]:]
            r, s = seen[starts[n, t + 2]:], seen[starts[n, t + 3]:]
            for k in range(min(len(found), len(p), len(q), len(r), len(s))):
                found[k] += a * p[k] + b * q[k] + (c * r[k] + d * s[k])


@compiled
def _correlate(x, starts, grad, found):
    for n in range(len(x)):
        seen, given = x[n], grad[n]
        for t in range(0, starts.shape[1], 4):
            p, q = seen[starts[n, t]:], seen[starts[n, t + 1]:]
            r, s = seen[starts[n, t + 2]:], seen[starts[n, t + 3]:]
            a = b = c = d = np.float32(0)
            for k in range(min(len(given), len(p), len(q), len(r), len(s))):
                one = given[k]
                a += one * p[k]
                b += one * q[k]
                c += one * r[k]
                d += one * s[k]
            found[n, t], found[n, t + 1], found[n, t + 2], found[n, t + 3] = a, b, c, d
