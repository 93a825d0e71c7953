"""PReLU of a map in channels-last memory, each way in one pass."""
import numpy as np
import torch

from mlaface.models.blockwise import rows
from mlaface.models.kernels._numba import compiled, narrow, over_images, widen


def forward(x, slope):
    """Value.

    Args:
        x (Tensor): Map (N, C, H, W).
        slope (Tensor): (C,), of the map's type.

    Returns:
        Tensor: As the map.
    """
    out = torch.empty_like(x)
    over_images(_forward, rows(x), slope.expand(len(x), -1).contiguous(), rows(out))
    return out


def backward(x, grad, slope):
    """Gradients.

    Args:
        x, grad (Tensor): Map, and gradient of the value.
        slope (Tensor): (C,), of the map's type.

    Returns:
        tuple[Tensor, Tensor]: Of the map, and of the slope, float32 (C,).
    """
    out, of_slope = torch.empty_like(x), x.new_empty(x.shape[:2], dtype=torch.float32)
    over_images(_backward, rows(x), rows(grad), slope.expand(len(x), -1).contiguous(), rows(out), of_slope)
    return out, of_slope.sum(0)


@compiled
def _forward(x, slope, out):
    images, places, channels = x.shape
    for n in range(images):
        for p in range(places):
            for c in range(channels):
                value = widen(x[n, p, c])
                out[n, p, c] = narrow(value * widen(slope[n, c]) if value < 0 else value, out)


@compiled
def _backward(x, grad, slope, out, of_slope):
    images, places, channels = x.shape
    for n in range(images):
        of_slope[n] = 0
        for p in range(places):
            for c in range(channels):
                value, given = widen(x[n, p, c]), widen(grad[n, p, c])
                above = value > 0
                out[n, p, c] = narrow(given if above else given * widen(slope[n, c]), out)
                of_slope[n, c] += np.float32(0) if above else given * value
