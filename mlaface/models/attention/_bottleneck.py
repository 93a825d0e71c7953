"""The bottleneck of a gate per channel: two convolutions of 1 x 1 with a ReLU between them."""
from torch import nn

from mlaface.models.blockwise import trains_eagerly_on_cpu


class PooledConv(nn.Conv2d):
    """``Conv2d(in_channels, channels, 1)``; in training on CPU a matrix product where the map is of one place.

    There oneDNN takes five times as long for the same numbers.
    """

    blockwise = True  # as in HybridAttention

    def __init__(self, in_channels, channels, bias):
        super().__init__(in_channels, channels, 1, bias=bias)

    def forward(self, x):
        """Map (N, C, H, W) of (N, C_in, H, W)."""
        if not (self.blockwise and trains_eagerly_on_cpu(x) and x.shape[2:] == (1, 1)):
            return super().forward(x)
        return nn.functional.linear(x.flatten(1), self.weight.flatten(1), self.bias)[..., None, None]


def bottleneck(channels, hidden, bias=True):
    """Channels to fewer and back.

    Args:
        channels (int): C of the map.
        hidden (int): See ``hidden_channels``.
        bias (bool): Of both convolutions. Default True.

    Returns:
        nn.Sequential: Map (N, C, H, W) to one of that shape.
    """
    return nn.Sequential(PooledConv(channels, hidden, bias), nn.ReLU(), PooledConv(hidden, channels, bias))
