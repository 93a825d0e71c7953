"""CBAM: Convolutional Block Attention Module (Woo et al., ECCV 2018, eq. 1 to 3)."""
import torch
from torch import nn

from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class CBAM(nn.Module):
    """Channel gate ``sigmoid(MLP(average) + MLP(maximum))``, then a spatial gate of a 7x7 convolution.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden channels (at least one). Default 16.
        kernel_size (int): Of the spatial convolution, odd. Default 7.
    """

    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        average = self.mlp(nn.functional.adaptive_avg_pool2d(x, 1))
        maximum = self.mlp(nn.functional.adaptive_max_pool2d(x, 1))
        x = x * torch.sigmoid(average + maximum)
        pooled = torch.cat([x.max(1, keepdim=True).values, x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.bn(self.conv(pooled)))
