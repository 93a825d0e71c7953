"""Stochastic depth (Huang et al., ECCV 2016): in training a block's residual is left out of some images."""
import torch
from torch import nn


class DropPath(nn.Module):
    """Zero the residual of a share of the images in training, and scale that of the others so that its mean stays.

    Args:
        rate (float): Share, from 0 on and below 1. Default 0.0.

    Raises:
        ValueError: If ``rate`` is no such share.
    """

    def __init__(self, rate=0.0):
        super().__init__()
        if not 0 <= rate < 1:
            raise ValueError(f'drop_path_rate={rate} must be a share, from 0 on and below 1')
        self.rate = rate

    def forward(self, x):
        """Residual (N, ...) to one of the same shape."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1 - self.rate)


def drop_path_rates(rate, depth):
    """Rates of the blocks, from 0 at the first to ``rate`` at the last (list of float)."""
    return [rate * index / max(1, depth - 1) for index in range(depth)]
