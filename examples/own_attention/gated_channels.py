"""Gated channel transformation (Yang et al., CVPR 2020): an attention plugin of one's own, in one file."""
import torch
from torch import nn

from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class GatedChannels(nn.Module):
    """Channels compete: each is scaled by 1 + tanh of its share of the map's energy.

    Args:
        channels (int): C of the map.
        eps (float): Keeps the root away from zero. Default 1e-5.
    """

    def __init__(self, channels, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.alpha = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.weight = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        """Map (N, C, H, W) to a map of the same shape; at the start the identity."""
        energy = (x.square().sum((2, 3), keepdim=True) + self.eps).sqrt() * self.alpha
        share = energy / (energy.square().mean(1, keepdim=True) + self.eps).sqrt()
        return x * (1 + torch.tanh(self.weight * share + self.bias))
