"""ECA-Net: Efficient Channel Attention (Wang et al., CVPR 2020, eq. 9 and 12)."""
import math

import torch
from torch import nn

from mlaface.models.attention._sizes import rim
from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class ECA(nn.Module):
    """Gate per channel from a 1-D convolution over the channels' averages.

    Args:
        channels (int): C of the map.
        kernel_size (int, optional): Odd; None takes the odd number next to ``(log2(C) + 1) / 2``. Default None.
    """

    def __init__(self, channels, kernel_size=None):
        super().__init__()
        if kernel_size is None:
            size = int(abs((math.log2(channels) + 1) / 2))
            kernel_size = size if size % 2 else size + 1
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=rim(kernel_size), bias=False)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        return x * self.channel_gate(x)

    def channel_gate(self, x):
        """The gate (N, C, 1, 1) of a map."""
        return torch.sigmoid(self.conv(x.mean((2, 3)).unsqueeze(1))).squeeze(1)[:, :, None, None]
