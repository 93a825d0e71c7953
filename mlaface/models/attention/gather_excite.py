"""Gather-Excite: Exploiting Feature Context in Convolutional Neural Networks (Hu et al., NeurIPS 2018, eq. 1 and 2)."""
import math

import torch
from torch import nn

from mlaface.models.attention._bottleneck import bottleneck
from mlaface.models.attention._sizes import hidden_channels
from mlaface.registry import ATTENTION

EXTENTS = (0, 2, 4, 8)


def strided_convolutions(channels, extent, size):
    """The learned gather: depthwise 3x3 convolutions of stride 2, or one as large as the map (nn.Sequential)."""
    if extent == 0:
        return nn.Sequential(nn.Conv2d(channels, channels, size, groups=channels, bias=False),
                             nn.BatchNorm2d(channels))
    layers = []
    for _ in range(int(math.log2(extent))):
        layers += [nn.ReLU(), nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False),
                   nn.BatchNorm2d(channels)]
    return nn.Sequential(*layers[1:])


@ATTENTION.register_module()
class GatherExcite(nn.Module):
    """Gate per element from what lies around it in its channel: gathered, then spread to the nearest places.

    Args:
        channels (int): C of the map.
        extent (int): Pixels between two gathered values: 2, 4, 8; or 0 (the default) for one value a channel.
        learned (bool): Gather by depthwise convolutions with norms (the paper's theta) and not by the mean (its
            theta-minus, without parameters). Default False.
        reduction (int, optional): C over hidden channels of a bottleneck between gather and gate (with ``learned`` the
            paper's theta-plus; without it and with extent 0, squeeze-excitation). Default None, no bottleneck.
        size (int, optional): Height and width of the map, which ``learned`` with extent 0 needs. Default None.

    Raises:
        ValueError: If there is no such extent, or the size is missing.
    """

    def __init__(self, channels, extent=0, learned=False, reduction=None, size=None):
        super().__init__()
        if extent not in EXTENTS:
            raise ValueError(f'GatherExcite: extent={extent!r} is unknown; choose one of {EXTENTS}')
        if learned and extent == 0 and size is None:
            raise ValueError('GatherExcite: learned=True with extent=0 has a kernel as large as the map: set size, and '
                             'attention_stages to the one stage of that size; or extent=2, 4 or 8')
        self.extent = extent
        self.gather = strided_convolutions(channels, extent, size) if learned else None
        self.bottleneck = nn.Identity()
        if reduction is not None:
            self.bottleneck = bottleneck(channels, hidden_channels(channels, reduction))

    def gathered(self, x):
        """What lies around every ``extent``-th place, (N, C, h, w)."""
        if self.gather is not None:
            return self.gather(x)
        if self.extent == 0:
            return x.mean((2, 3), keepdim=True)
        return nn.functional.avg_pool2d(x, 2 * self.extent - 1, self.extent, self.extent - 1, count_include_pad=False)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        gate = torch.sigmoid(self.bottleneck(self.gathered(x)))
        return x * (gate if self.extent == 0 else nn.functional.interpolate(gate, x.shape[2:]))
