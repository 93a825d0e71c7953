"""GhostFaceNets (Alansari et al., IEEE Access 2023): GhostNet (Han et al., CVPR 2020) and GhostNetV2 (Tang et al.,
NeurIPS 2022) with PReLU and a finer first map; the global depthwise convolution after them is ``GDCNeck``.

Names of parameters are those of the GhostNets in PyTorch.
"""
import torch
from torch import nn

from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.layers import build_attention, check_stages, replace_norms, switch
from mlaface.models.prelu import PReLU
from mlaface.registry import MODELS

# kernel, hidden channels, channels, stride, whether it has squeeze-and-excitation; a row a run of blocks by one name
ROWS = (((3, 16, 16, 1, False),), ((3, 48, 24, 2, False),), ((3, 72, 24, 1, False),), ((5, 72, 40, 2, True),),
        ((5, 120, 40, 1, True),), ((3, 240, 80, 2, False),),
        ((3, 200, 80, 1, False), (3, 184, 80, 1, False), (3, 184, 80, 1, False), (3, 480, 112, 1, True),
         (3, 672, 112, 1, True)),
        ((5, 672, 160, 2, True),),
        ((5, 960, 160, 1, False), (5, 960, 160, 1, True), (5, 960, 160, 1, False), (5, 960, 160, 1, True)))
STAGES = (1, 2, 2, 3, 3, 4, 4, 5, 5)  # of each row: one a size of the map
LAST = {1: 512, 2: 960}  # hidden channels of the last block, and channels of the map
PLAIN = 2  # blocks of version 2 without attention, from the image on


def rounded(channels, width):
    """Channels times width, to the nearest multiple of 4, and never below nine tenths of it (int)."""
    wanted = channels * width
    nearest = max(4, int(wanted + 2) // 4 * 4)
    return nearest if nearest >= 0.9 * wanted else nearest + 4


def conv(in_channels, channels, kernel_size=1, stride=1, depthwise=False):
    """Convolution that keeps the size of the map at stride 1, and BatchNorm (list of nn.Module)."""
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return [nn.Conv2d(in_channels, channels, (height, width), stride, (height // 2, width // 2),
                      groups=in_channels if depthwise else 1, bias=False), nn.BatchNorm2d(channels)]


class GhostModule(nn.Module):
    """Half of the channels by a 1x1 convolution, and the other half from those by a cheap depthwise one.

    Args:
        in_channels (int): Of the input map.
        channels (int): Of the output map, even.
        prelu (bool): Whether PReLUs follow the norms. Default True.
        dfc (bool): Whether the map is gated by decoupled fully connected attention: over rows, then over columns, on
            half the size (GhostNetV2, eq. 4 to 6). Default False.
    """

    def __init__(self, in_channels, channels, prelu=True, dfc=False):
        super().__init__()
        half = channels // 2
        self.primary_conv = nn.Sequential(*conv(in_channels, half), *([PReLU(half)] if prelu else []))
        self.cheap_operation = nn.Sequential(*conv(half, half, 3, depthwise=True), *([PReLU(half)] if prelu else []))
        self.short_conv = nn.Sequential(
            *conv(in_channels, channels), *conv(channels, channels, (1, 5), depthwise=True),
            *conv(channels, channels, (5, 1), depthwise=True)) if dfc else None

    def forward(self, x):
        """Map (N, C_in, H, W) to map (N, C, H, W)."""
        first = self.primary_conv(x)
        out = torch.cat([first, self.cheap_operation(first)], 1)
        if self.short_conv is None:
            return out
        small = nn.functional.avg_pool2d(x, 2) if min(x.shape[2:]) > 1 else x
        gate = self.short_conv(small).sigmoid()
        return out * nn.functional.interpolate(gate, size=(x.shape[2], x.shape[3]))


class SqueezeExcite(nn.Module):
    """Gate per channel by a hard sigmoid (Hu et al., CVPR 2018; Howard et al., MobileNetV3, ICCV 2019).

    Args:
        channels (int): C of the map.
    """

    def __init__(self, channels):
        super().__init__()
        hidden = rounded(channels, 0.25)
        self.conv_reduce, self.act1 = nn.Conv2d(channels, hidden, 1), PReLU(hidden)
        self.conv_expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        """Map (N, C, H, W) to a map of the same shape."""
        gate = self.conv_expand(self.act1(self.conv_reduce(x.mean((2, 3), keepdim=True))))
        return x * nn.functional.hardsigmoid(gate)


class GhostBottleneck(nn.Module):
    """Expand, step down, squeeze and excite, project, the shortcut added.

    Args:
        in_channels (int): Of the input map.
        hidden (int): Channels between.
        channels (int): Of the output map.
        kernel_size (int): Of the step down, and of the shortcut's depthwise convolution.
        stride (int): Of both.
        excite (bool): Whether there is squeeze-and-excitation.
        dfc (bool): Whether the first ghost module has attention.
        attention (nn.Module, optional): Plugin after the projection, before the addition.
    """

    def __init__(self, in_channels, hidden, channels, kernel_size, stride, excite, dfc, attention=None):
        super().__init__()
        self.ghost1 = GhostModule(in_channels, hidden, dfc=dfc)
        self.conv_dw, self.bn_dw = conv(hidden, hidden, kernel_size, stride, True) if stride > 1 else \
            (nn.Identity(), nn.Identity())
        self.se = SqueezeExcite(hidden) if excite else nn.Identity()
        self.ghost2 = GhostModule(hidden, channels, prelu=False)
        self.attn = attention if attention is not None else nn.Identity()
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else nn.Sequential(
            *conv(in_channels, in_channels, kernel_size, stride, True), *conv(in_channels, channels))

    def forward(self, x):
        """Map (N, C_in, H, W) to map (N, C, ceil(H / stride), ceil(W / stride))."""
        out = self.se(self.bn_dw(self.conv_dw(self.ghost1(x))))
        return self.attn(self.ghost2(out)) + self.shortcut(x)


@MODELS.register_module()
class GhostFaceNet(Backbone):
    """GhostFaceNetV1 or V2 up to its last 1x1 convolution.

    ``GhostFaceNetV1-1.3-2`` of the paper is ``version=1, width=1.3, stem_stride=2``, whose map at 112 pixels is 4x4:
    ``GDCNeck(in_channels=664, in_size=4)``; with ``stem_stride=1`` it is 7x7.

    The authors train in TensorFlow, whose convolutions of stride 2 in version 1 lie one pixel to the lower right of
    these.

    Args:
        version (int): 1, or 2, which has decoupled attention in all blocks but the first two. Default 2.
        width (float): Multiplies the channels, rounded to multiples of 4. Default 1.3.
        stem_stride (int): Stride of the first convolution. Default 1.
        attention (dict, optional): Config for ``ATTENTION``, in every block.
        attention_stages (Sequence[int]): Stages, of 1 to 5, whose blocks have it. Default all.
        in_size (int): Height and width of the image in pixels. Default 112.
        with_cp (bool): Compute each block again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one of 5, one a size of the map, do not learn, nor does the stem, which
            is 0. Default -1, none.
        norm_eval (bool): BatchNorms keep their running statistics in training. Default False.
        norm (dict, optional): Instead of every BatchNorm2d but an attention's: ``dict(type='mmcv.GN', num_groups=8)``,
            or a config for ``MODELS`` that takes ``channels``. Default None, BatchNorm.

    Attributes:
        out_channels (int): Channels of the map, at width 1 512 in version 1 and 960 in version 2.
        out_size (int): Height and width of the map.

    Raises:
        ValueError: If there is no such version, or ``width`` is not above 0.
    """

    def __init__(self, version=2, width=1.3, stem_stride=1, attention=None, attention_stages=(1, 2, 3, 4, 5),
                 in_size=112, with_cp=False, frozen_stages=-1, norm_eval=False, norm=None):
        super().__init__()
        if version not in LAST:
            raise ValueError(f'GhostFaceNet has no version {version!r}; choose 1 or 2')
        if width <= 0:
            raise ValueError(f'width={width} must be above 0: it multiplies the number of channels')
        check_stages(attention_stages, max(STAGES), attention)
        self.in_size, self.with_cp, channels = in_size, switch(with_cp, 'with_cp'), rounded(16, width)
        self.conv_stem, self.bn1 = conv(3, channels, 3, stem_stride)
        self.act1, self.blocks, place = PReLU(channels), nn.Sequential(), 0
        for row, stage in zip(ROWS, STAGES):
            self.blocks.append(nn.Sequential())
            for kernel, hidden, wide, stride, excite in row:
                hidden = LAST[version] if place == sum(map(len, ROWS)) - 1 else hidden
                block = GhostBottleneck(channels, rounded(hidden, width), rounded(wide, width), kernel, stride, excite,
                                        version == 2 and place >= PLAIN,
                                        build_attention(attention, rounded(wide, width), stage, attention_stages))
                self.blocks[-1].append(block)
                channels, place = rounded(wide, width), place + 1
        self.out_channels, self.out_size = rounded(LAST[version], width), -(-in_size // (stem_stride * 16))
        self.last = nn.Sequential(*conv(channels, self.out_channels), PReLU(self.out_channels))
        self._init_weights()
        replace_norms(self, norm)
        self.freeze_stages(frozen_stages, norm_eval)

    def _init_weights(self):
        """He's, as the authors do; what a plugin draws stays."""
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Conv2d) and '.attn' not in name:
                nn.init.kaiming_normal_(layer.weight, mode='fan_out')

    def stages(self):
        """The stem, and the blocks of each size of the map; the last has the 1x1 convolution too."""
        stages = [[self.conv_stem, self.bn1, self.act1], *([] for _ in range(max(STAGES)))]
        for row, stage in zip(self.blocks, STAGES):
            stages[stage].append(row)
        stages[-1].append(self.last)
        return stages

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        x = self.act1(self.bn1(self.conv_stem(x)))
        for row in self.blocks:
            for block in row:
                x = run_checkpointed(block, x) if self.with_cp and self.training else block(x)
        return self.last(x)
