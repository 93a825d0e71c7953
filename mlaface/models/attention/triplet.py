"""Rotate to Attend: Convolutional Triplet Attention Module (Misra et al., WACV 2021, eq. 1 to 3)."""
import torch
from torch import nn

from mlaface.models.attention._place_conv import PlaceConv
from mlaface.registry import ATTENTION


class AxisGate(nn.Module):
    """Gate over two axes of the map, from maximum and mean over the third.

    Args:
        axis (int): The axis that is pooled: 1 for channels, 2 for height, 3 for width.
        kernel_size (int): Of the convolution over the other two, odd.
    """

    def __init__(self, axis, kernel_size):
        super().__init__()
        self.axis = axis
        self.conv = PlaceConv(kernel_size)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x):
        """Gate of a map (N, C, H, W), of its shape but for one at the pooled axis."""
        x = x.transpose(1, self.axis)
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        pooled = pooled.contiguous(memory_format=torch.channels_last)  # learns several times as fast
        return torch.sigmoid(self.bn(self.conv(pooled))).transpose(1, self.axis)


@ATTENTION.register_module()
class TripletAttention(nn.Module):
    """Mean of three gated maps: over channels and width, height and channels, height and width.

    Args:
        channels (int): C of the map; unused, for one signature with the other plugins.
        kernel_size (int): Of the three convolutions, odd. Default 7.
    """

    def __init__(self, channels, kernel_size=7):
        super().__init__()
        self.cw, self.hc, self.hw = (AxisGate(axis, kernel_size) for axis in (2, 3, 1))

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        return x * ((self.cw(x) + self.hc(x) + self.hw(x)) / 3)
