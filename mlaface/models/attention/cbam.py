"""CBAM: Convolutional Block Attention Module (Woo et al., ECCV 2018, eq. 1 to 3)."""
import torch
from torch import nn

from mlaface.models.attention._bottleneck import bottleneck
from mlaface.models.attention._place_conv import PlaceConv
from mlaface.models.attention._sizes import hidden_channels
from mlaface.models.gated_map import gated_map, pooled_channels
from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class CBAM(nn.Module):
    """Channel gate ``sigmoid(MLP(average) + MLP(maximum))``, then a spatial gate of a 7x7 convolution.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden channels (at least one). Default 16.
        kernel_size (int): Of the spatial convolution, odd. Default 7.
    """

    blockwise = True  # as in HybridAttention

    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        self.mlp = bottleneck(channels, hidden_channels(channels, reduction))
        self.conv = PlaceConv(kernel_size)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        return gated_map(x, self._channels, self._places, tuple(self.parameters()), self.blockwise)

    def channel_gate(self, x):
        """The first of the two gates (N, C, 1, 1) of a map."""
        return self._channels(*pooled_channels(x))

    def _channels(self, average, maximum):
        return torch.sigmoid(self.mlp(average) + self.mlp(maximum))

    def _places(self, pooled):
        return torch.sigmoid(self.bn(self.conv(pooled.flip(1))))  # the maximum first, as published
