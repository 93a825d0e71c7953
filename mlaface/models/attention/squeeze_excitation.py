"""Squeeze-and-Excitation Networks (Hu et al., CVPR 2018, eq. 2 to 4)."""
from torch import nn

from mlaface.models.attention._sizes import hidden_channels
from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class SqueezeExcitation(nn.Module):
    """Gate per channel from the global average through a linear bottleneck without biases.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden units (at least one). Default 16.
    """

    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = hidden_channels(channels, reduction)
        self.fc = nn.Sequential(nn.Linear(channels, hidden, bias=False), nn.ReLU(),
                                nn.Linear(hidden, channels, bias=False), nn.Sigmoid())

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        return x * self.channel_gate(x)

    def channel_gate(self, x):
        """The gate (N, C, 1, 1) of a map."""
        return self.fc(x.mean((2, 3)))[:, :, None, None]
