"""Efficient Multi-Scale Attention Module with Cross-Spatial Learning (EMA; Ouyang et al., ICASSP 2023, fig. 3)."""
import torch
from torch import nn
from torch.nn import functional as F

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

    def shared(self, conv, x):
        """A convolution of one group's channels over every group of a map (N, C, H, W), shape kept."""
        return F.conv2d(x, conv.weight.repeat(self.groups, 1, 1, 1), conv.bias.repeat(self.groups),
                        padding=conv.padding, groups=self.groups)

    def gated(self, x):
        """A map (N, C, H, W), gated along height and along width, and normed."""
        height, width = x.shape[2:]
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)
        rows, columns = self.shared(self.conv1x1, torch.cat([rows, columns], 2)).split([height, width], 2)
        x = x * torch.sigmoid(rows) * torch.sigmoid(columns.transpose(2, 3))
        scale, shift = (part.repeat(self.groups) for part in (self.gn.weight, self.gn.bias))
        return torch.group_norm(x, len(scale), scale, shift, self.gn.eps)  # F's refuses one image of one place

    def forward(self, x):
        """Attended map, shape and type as the input (N, C, H, W)."""
        maps = self.gated(x), self.shared(self.conv3x3, x)
        local, wide = (part.unflatten(1, (self.groups, -1)) for part in maps)  # (N, groups, C / groups, H, W)
        crossed = sum((one.mean((3, 4), keepdim=True).softmax(2).to(other.dtype) * other).sum(2)
                      for one, other in ((local, wide), (wide, local)))
        gate = torch.sigmoid(crossed).unsqueeze(2).to(x.dtype)  # CUDA's autocast norms and sums in float32
        return (x.unflatten(1, (self.groups, -1)) * gate).flatten(1, 2)
