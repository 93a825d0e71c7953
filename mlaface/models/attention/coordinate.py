"""Coordinate Attention for Efficient Mobile Network Design (Hou et al., CVPR 2021, eq. 4 to 9)."""
import torch
from torch import nn

from mlaface.models.attention._sizes import hidden_channels
from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class CoordinateAttention(nn.Module):
    """Gates along height and along width from averages over the other axis.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden channels. Default 32.
        min_hidden (int): Fewest hidden channels. Default 8.
    """

    def __init__(self, channels, reduction=32, min_hidden=8):
        super().__init__()
        hidden = hidden_channels(channels, reduction, min_hidden)
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.act = nn.Hardswish()
        self.conv_h = nn.Conv2d(hidden, channels, 1)
        self.conv_w = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        height, width = x.shape[2:]
        rows, columns = x.mean(3, keepdim=True), x.mean(2, keepdim=True).transpose(2, 3)
        mixed = self.act(self.bn1(self.conv1(torch.cat([rows, columns], 2))))
        rows, columns = mixed.split([height, width], 2)
        return x * torch.sigmoid(self.conv_h(rows)) * torch.sigmoid(self.conv_w(columns.transpose(2, 3)))
