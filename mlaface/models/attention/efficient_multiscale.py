"""Efficient Multi-Scale Attention Module with Cross-Spatial Learning (EMA; Ouyang et al., ICASSP 2023, fig. 3)."""
import torch
from torch import nn

from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class EfficientMultiScaleAttention(nn.Module):
    """Groups of channels through gates along both axes and through a 3x3 convolution, each weighing the other's places.

    Args:
        channels (int): C of the map.
        groups (int): Groups of channels, with the same weights for all; as many as channels, where those are fewer.
            Default 32.

    Raises:
        ValueError: If groups do not divide the channels.
    """

    def __init__(self, channels, groups=32):
        super().__init__()
        self.groups = min(groups, channels)
        if channels % self.groups:
            raise ValueError(f'EfficientMultiScaleAttention: {self.groups} groups do not divide {channels} channels')
        width = channels // self.groups
        self.conv1x1 = nn.Conv2d(width, width, 1)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)
        self.gn = nn.GroupNorm(width, width)

    def gated(self, x):
        """A map of one group (N, C, H, W), gated along height and along width, and normed."""
        height, width = x.shape[2:]
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)
        rows, columns = self.conv1x1(torch.cat([rows, columns], 2)).split([height, width], 2)
        return self.gn(x * torch.sigmoid(rows) * torch.sigmoid(columns.transpose(2, 3)))

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        parts = x.unflatten(1, (self.groups, -1)).flatten(0, 1)
        local, wide = self.gated(parts), self.conv3x3(parts)
        crossed = sum((one.mean((2, 3), keepdim=True).softmax(1).to(other.dtype) * other).sum(1, keepdim=True)
                      for one, other in ((local, wide), (wide, local)))
        return (parts * torch.sigmoid(crossed)).unflatten(0, (-1, self.groups)).flatten(1, 2)
