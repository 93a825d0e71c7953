"""Hybrid attention of MLA-ArcFace (2023): channel attention with a learned gate, then spatial attention.

After CBAM (Woo et al., ECCV 2018), whose sum of average and maximum becomes ``average + gamma * maximum``.
"""
from torch import nn

from mlaface.models.attention._bottleneck import bottleneck
from mlaface.models.attention._place_conv import PlaceConv
from mlaface.models.attention._sizes import hidden_channels
from mlaface.models.gated_map import gated_map, pooled_channels
from mlaface.models.gates import LearnableGate, gate_function
from mlaface.registry import ATTENTION

LEVELS = ('channel', 'spatial')


class ChannelGate(nn.Module):
    """Gate per channel from global average and maximum through one bottleneck.

    Args:
        channels (int): C.
        reduction (int): C over hidden channels (at least one). Default 16.
        init (float): Initial weight of the maximum's path. Default 0.5.
        gate (str), learn (bool): See ``HybridAttention``.
    """

    def __init__(self, channels, reduction=16, init=0.5, gate='sigmoid', learn=True):
        super().__init__()
        self.fc = bottleneck(channels, hidden_channels(channels, reduction), bias=False)
        self.lf = LearnableGate(init, learn)
        self.gate = gate_function(gate)

    def forward(self, average, maximum):
        """Gate (N, C, 1, 1) of a map's average and maximum over places, each of that shape."""
        return self.gate(self.lf(self.fc(average), self.fc(maximum)))


class SpatialGate(nn.Module):
    """Gate per place from mean and maximum over channels through one convolution.

    Args:
        kernel_size (int): Odd size of the convolution. Default 7.
        gate (str): See ``HybridAttention``.
    """

    def __init__(self, kernel_size=7, gate='sigmoid'):
        super().__init__()
        self.gate = gate_function(gate)
        self.conv1 = PlaceConv(kernel_size)

    def forward(self, pooled):
        """Gate (N, 1, H, W) of a map's mean and maximum over channels (N, 2, H, W)."""
        return self.gate(self.conv1(pooled))


@ATTENTION.register_module()
class HybridAttention(nn.Module):
    """Channel gate, then spatial gate: ``x = ca(x) * x; x = sa(x) * x``.

    The published gates are sigmoids, which start near one half each, so that a block's residual begins at a quarter of
    its size. ``gate='2 sigmoid'`` and ``'1 + tanh'`` start near one: the block begins as one without attention.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden channels of the channel gate. Default 16.
        kernel_size (int): Of the spatial gate's convolution, odd. Default 7.
        init (float): Initial ``gamma``. Default 0.5.
        gate (str): Function of both gates: ``'sigmoid'`` (published, the default), ``'2 sigmoid'``, ``'1 + tanh'``.
        levels (Sequence[str]): ``('channel', 'spatial')`` (default), or one of the two alone.
        learn (bool): False keeps ``gamma`` as it starts. Default True.

    Raises:
        ValueError: If a gate or a level is unknown, or no level is named.
    """

    blockwise = True  # the benchmark sets it to False to measure against torch's own operators

    def __init__(self, channels, reduction=16, kernel_size=7, init=0.5, gate='sigmoid', levels=LEVELS,
                 learn=True):
        super().__init__()
        levels = (levels,) if isinstance(levels, str) else tuple(levels)
        if not levels or not set(levels) <= set(LEVELS):
            raise ValueError(f'HybridAttention: levels={levels!r} must be one or both of {LEVELS}')
        self.ca = ChannelGate(channels, reduction, init, gate, learn) if 'channel' in levels else None
        self.sa = SpatialGate(kernel_size, gate) if 'spatial' in levels else None

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        return gated_map(x, self.ca, self.sa, tuple(self.parameters()), self.blockwise)

    def channel_gate(self, x):
        """The first of the two gates (N, C, 1, 1) of a map; None without that level."""
        return None if self.ca is None else self.ca(*pooled_channels(x))
