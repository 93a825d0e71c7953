"""The convolution of a gate per place: two channels, mean and maximum, to one."""
import torch
from torch import nn

from mlaface.models.attention._sizes import rim
from mlaface.models.blockwise import trains_eagerly_on_cpu
from mlaface.models.kernels import kernels

GROUP = 4  # places that go side by side into the channels


class PlaceConv(nn.Conv2d):
    """``Conv2d(2, 1, kernel_size)`` that keeps the map's size; in training on CPU compiled, or by groups of places.

    A processor's convolution works on vectors of channels, and two channels to one leave most of each vector empty.
    Where no compiled one can be used, four neighbouring places of two channels are, in channels-last memory, one place
    of eight, without a number being moved; the kernel, laid out for such places, is mostly zeros, and yet forward and
    backward take two fifths of the time.

    Args:
        kernel_size (int): Odd.
    """

    blockwise = True  # as in HybridAttention

    def __init__(self, kernel_size):
        super().__init__(2, 1, kernel_size, padding=rim(kernel_size), bias=False)

    def forward(self, x):
        """Map (N, 1, H, W) of (N, 2, H, W)."""
        half = torch.is_autocast_enabled('cpu')
        if not (self.blockwise and trains_eagerly_on_cpu(x) and x.dtype == (torch.bfloat16 if half else torch.float32)):
            return super().forward(x)
        if compiled := kernels('place_conv', x, self.weight):
            return compiled.place_conv(x.float(), self.weight.float()).to(x.dtype)
        last = x.is_contiguous(memory_format=torch.channels_last)
        # float32 only: what it brings in half types is not measured
        return self._by_groups(x) if last and not half and x.shape[3] % GROUP == 0 else super().forward(x)

    def _by_groups(self, x):
        count, channels, height, width = x.shape
        places = x.permute(0, 2, 3, 1).reshape(count, height, width // GROUP, GROUP * channels).permute(0, 3, 1, 2)
        kernel = _of_groups(self.weight)
        y = nn.functional.conv2d(places, kernel, padding=(self.padding[0], kernel.shape[3] // 2))
        return y.permute(0, 2, 3, 1).reshape(count, 1, height, width)


def _of_groups(weight):
    """A kernel (1, C, k, k) as (GROUP, GROUP * C, k, groups) for places that are groups of ``GROUP`` along each line.

    Output ``j`` of a group and input ``i`` of a group ``q`` on lie ``GROUP * q + i - j`` places apart.
    """
    reach = weight.shape[3] // 2
    groups = -(-reach // GROUP)
    span = torch.arange(-groups, groups + 1) * GROUP
    within = torch.arange(GROUP)
    apart = span.view(1, -1, 1) + within.view(1, 1, -1) - within.view(-1, 1, 1)  # (outputs, groups, inputs)
    rim_of_zeros = GROUP * (groups + 1) - 1 - reach
    wide = nn.functional.pad(weight[0], (rim_of_zeros, rim_of_zeros))
    spread = wide[..., apart + reach + rim_of_zeros]  # (C, k, outputs, groups, inputs)
    return spread.permute(2, 4, 0, 1, 3).flatten(1, 2)
