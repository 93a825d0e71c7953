"""MobileFaceNets (Chen et al., CCBR 2018, table 1): depthwise networks for phones, made for faces.

InsightFace's trainer has wider ones, ``mbf`` and ``mbf_large``: ``scale`` and ``blocks``.
"""
from itertools import islice

from torch import nn

from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.layers import build_attention, check_stages, convolutions, replace_norms, scale_channels, switch
from mlaface.models.prelu import PReLU
from mlaface.registry import MODELS

# expansion, channels, stride of the first block; a row without residual blocks takes no attention
ROWS = ((2, 64, 2), (4, 128, 2), (2, 128, 1), (4, 128, 2), (2, 128, 1))
STAGES = (1, 2, 2, 3, 3)  # of each row: one a size of the map
RESIDUAL_STAGES = {0: 1, 2: 2, 4: 3}


def conv_norm(in_channels, channels, kernel_size, stride=1, groups=1, prelu=True):
    """Convolution, BatchNorm and, but for linear layers, PReLU (nn.Sequential)."""
    layers = [nn.Conv2d(in_channels, channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False),
              nn.BatchNorm2d(channels)]
    return nn.Sequential(*layers, *([PReLU(channels)] if prelu else []))


class Bottleneck(nn.Module):
    """Inverted residual: expand, depthwise, project without activation; the input added where shapes agree.

    Args:
        in_channels (int): Of the input map.
        channels (int): Of the output map.
        hidden (int): Channels of the depthwise convolution.
        stride (int): Of the depthwise convolution.
        attention (nn.Module, optional): Placed after the projection, before the addition.
    """

    def __init__(self, in_channels, channels, hidden, stride, attention=None):
        super().__init__()
        self.residual = stride == 1 and in_channels == channels
        self.expand = conv_norm(in_channels, hidden, 1)
        self.depthwise = conv_norm(hidden, hidden, 3, stride, groups=hidden)
        self.project = conv_norm(hidden, channels, 1, prelu=False)
        self.attn = attention if attention is not None else nn.Identity()

    def forward(self, x):
        """Map (N, C_in, H, W) to map (N, C, ceil(H / stride), ceil(W / stride))."""
        out = self.attn(self.project(self.depthwise(self.expand(x))))
        return x + out if self.residual else out


def _row_counts(blocks, scale):
    """Blocks of each of ``ROWS``: the residual ones, and those that step down before them."""
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f'scale={scale!r} of MobileFaceNet must be a whole number, 1 or more')
    if len(blocks) != 4 or min(blocks) < 1:
        raise ValueError(f'blocks={tuple(blocks)}: MobileFaceNet has blocks at four sizes of the map, one or more each')
    return 1 + blocks[1], 1, blocks[2], 1, blocks[3]


@MODELS.register_module()
class MobileFaceNet(Backbone):
    """MobileFaceNet up to its last 1x1 convolution; the global depthwise convolution is ``GDCNeck``.

    Args:
        width (float): Multiplies the channels, rounded to multiples of 8. Default 1.0.
        attention (dict, optional): Config for ``ATTENTION``, in every residual block.
        attention_stages (Sequence[int]): Of the three runs of residual blocks (28, 14 and 7 pixels at 112), those that
            have it. Default all.
        in_size (int): Height and width of the image in pixels. Default 112.
        with_cp (bool): Compute each block again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one of 3 (28, 14 and 7 pixels, each from its step down on; the last has
            the 1x1 convolution too) do not learn, nor does the stem, which is 0. Default -1, none.
        norm_eval (bool): BatchNorms keep their running statistics in training. Default False.
        blocks (Sequence[int]): Residual blocks at 56, 28, 14 and 7 pixels; 1 at 56 is the paper's depthwise
            convolution. Default (1, 4, 6, 2).
        scale (int): Multiplies the channels between blocks and not those inside them. InsightFace's ``mbf`` has 2,
            its ``mbf_large`` 4 with ``blocks=(2, 8, 12, 4)``. Default 1.
        norm (dict, optional): Instead of every BatchNorm2d but an attention's: ``dict(type='mmcv.GN', num_groups=8)``,
            or a config for ``MODELS`` that takes ``channels``. Default None, BatchNorm.

    Attributes:
        out_channels (int): Channels of the map, 512 at width 1.
        out_size (int): Height and width of the map.
    """

    def __init__(self, width=1.0, attention=None, attention_stages=(1, 2, 3), in_size=112, with_cp=False,
                 frozen_stages=-1, norm_eval=False, blocks=(1, 4, 6, 2), scale=1, norm=None):
        super().__init__()
        check_stages(attention_stages, len(RESIDUAL_STAGES), attention)
        narrow = scale_channels(64, width)
        self.in_size, self.with_cp, self.counts = in_size, switch(with_cp, 'with_cp'), _row_counts(blocks, scale)
        self.stem = conv_norm(3, narrow * scale, 3, 2)
        self.stem_depthwise = conv_norm(narrow * scale, narrow * scale, 3, groups=narrow) if blocks[0] == 1 else \
            nn.Sequential(*(Bottleneck(narrow * scale, narrow * scale, narrow * 2, 1) for _ in range(blocks[0])))
        self.blocks = nn.Sequential()
        for row, ((expansion, wide, stride), count) in enumerate(zip(ROWS, self.counts)):
            for index in range(count):
                block_stride, c_out = (1 if index else stride), scale_channels(wide, width)
                residual = block_stride == 1 and narrow == c_out
                stage = RESIDUAL_STAGES.get(row)
                attn = build_attention(attention, c_out * scale, stage, attention_stages,
                                       -(-in_size // 2 ** (stage + 1))) if residual else None
                self.blocks.append(Bottleneck(narrow * scale, c_out * scale, narrow * expansion, block_stride, attn))
                narrow = c_out
        self.out_channels, self.out_size = scale_channels(512, width), -(-in_size // 16)
        self.last = conv_norm(narrow * scale, self.out_channels, 1)
        self._init_weights()
        replace_norms(self, norm)
        self.freeze_stages(frozen_stages, norm_eval)

    def stages(self):
        """The stem, and the blocks of each size of the map, 28, 14 and 7 pixels at 112."""
        blocks, stages = iter(self.blocks), [[self.stem, self.stem_depthwise], [], [], []]
        for stage, count in zip(STAGES, self.counts):
            stages[stage] += islice(blocks, count)
        stages[-1].append(self.last)
        return stages

    def _init_weights(self):
        for layer in convolutions(self):
            nn.init.kaiming_normal_(layer.weight, mode='fan_out')

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        x = self.stem_depthwise(self.stem(x))
        for block in self.blocks:
            x = run_checkpointed(block, x) if self.with_cp and self.training else block(x)
        return self.last(x)
