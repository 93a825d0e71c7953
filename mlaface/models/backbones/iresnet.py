"""IResNet: the improved residual network of ArcFace (Deng et al., CVPR 2019; block of Han et al., CVPR 2017).

Names of parameters are those of InsightFace's public networks. MLA-ArcFace (2023) adds attention to each block and
a ReLU after the addition. Two relatives differ in their blocks: the IR of AdaFace (Kim et al., CVPR 2022), which is
``shortcut='subsample'``; and IR-SE, of InsightFace_Pytorch and face.evoLVe, with squeeze-and-excitation (Hu et al.,
CVPR 2018) in every block: ``attention=dict(type='SqueezeExcitation'), shortcut='subsample', inner_norm=False``.
"""
from torch import nn

from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.layers import (
    StridedPointwise,
    build_activation,
    build_attention,
    check_stages,
    init_convolutions,
    replace_norms,
    scale_channels,
    switch,
)
from mlaface.models.prelu import PReLU
from mlaface.registry import MODELS

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 152: (3, 8, 36, 3),
          200: (6, 26, 60, 6)}
CHANNELS = (64, 128, 256, 512)
SHORTCUTS = ('projection', 'subsample')


class IBasicBlock(nn.Module):
    """``bn1 conv1 [bn2] prelu conv2 bn3 [attn]``, the shortcut added, and an activation after it.

    Args:
        in_channels (int): Of the input map.
        channels (int): Of the output map.
        stride (int): Of ``conv2`` and the shortcut. Default 1.
        downsample (bool): Whether the shortcut is a convolution; else it is the input, or every ``stride``-th pixel of
            it. Default False.
        attention (nn.Module, optional): Placed after ``bn3``.
        activation (str, optional): After the addition; None for InsightFace's block.
        inner_norm (bool): Whether there is ``bn2``. Default True.
    """

    def __init__(self, in_channels, channels, stride=1, downsample=False, attention=None, activation=None,
                 inner_norm=True):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels) if inner_norm else nn.Identity()
        self.prelu = PReLU(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.attn = attention if attention is not None else nn.Identity()
        self.downsample = nn.Sequential(StridedPointwise(in_channels, channels, stride),
                                        nn.BatchNorm2d(channels)) if downsample else \
            nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity()
        self.activation = build_activation(activation)

    def forward(self, x):
        """Map (N, C_in, H, W) to map (N, C, ceil(H / stride), ceil(W / stride))."""
        out = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        out = self.attn(self.bn3(self.conv2(out)))
        return self.activation(out + self.downsample(x))


@MODELS.register_module()
class IResNet(Backbone):
    """InsightFace's residual network, with attention as an option of every block.

    Args:
        depth (int): 18, 34, 50, 100, 152 or 200.
        width (float): Multiplies the channels, rounded to multiples of 8. Default 1.0.
        attention (dict, optional): Config for ``ATTENTION``, placed after ``bn3`` and before the addition.
        attention_stages (Sequence[int]): Stages, of 1 to 4, whose blocks have it. Default all.
        activation (str | dict, optional): After the addition: None (InsightFace), ``'relu'`` (MLA-ArcFace), ``'elu'``,
            ``'silu'``; or a config, as ``dict(type='mmcv.HSwish')``.
        in_size (int): Height and width of the image in pixels. Default 112.
        stem_stride (int): Stride of the first convolution. Default 1.
        with_cp (bool): Compute each block again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one of 4 do not learn, nor does the stem, which is 0. Default -1, none.
        norm_eval (bool): BatchNorms keep their running statistics in training. Default False.
        shortcut (str): Of the first block of a stage: ``'projection'`` (default, InsightFace), a convolution;
            ``'subsample'`` (AdaFace, IR-SE), every second pixel where the channels agree.
        inner_norm (bool): BatchNorm between the first convolution of a block and its PReLU; IR-SE has none. Default
            True.
        norm (dict, optional): Instead of every BatchNorm2d but an attention's: ``dict(type='mmcv.GN', num_groups=8)``,
            or a config for ``MODELS`` that takes ``channels``. Default None, BatchNorm.

    Attributes:
        out_channels (int): Channels of the map.
        out_size (int): Height and width of the map.
    """

    def __init__(self, depth=18, width=1.0, attention=None, attention_stages=(1, 2, 3, 4), activation=None,
                 in_size=112, stem_stride=1, with_cp=False, frozen_stages=-1, norm_eval=False,
                 shortcut='projection', inner_norm=True, norm=None):
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f'IResNet has no depth {depth!r}; choose one of {", ".join(map(str, DEPTHS))}')
        if shortcut not in SHORTCUTS:
            raise ValueError(f'shortcut={shortcut!r} of IResNet is unknown; choose {" or ".join(map(repr, SHORTCUTS))}')
        check_stages(attention_stages, len(CHANNELS), attention)
        channels = [scale_channels(c, width) for c in CHANNELS]
        self.in_size, self.with_cp = in_size, switch(with_cp, 'with_cp')
        self.out_channels, self.out_size = channels[-1], -(-in_size // (stem_stride * 16))
        self.conv1 = nn.Conv2d(3, channels[0], 3, stride=stem_stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.prelu = PReLU(channels[0])
        for stage, (blocks, c_in, c_out) in enumerate(zip(DEPTHS[depth], channels[:1] + channels, channels), 1):
            size = -(-in_size // (stem_stride * 2 ** stage))
            projects = shortcut == 'projection' or c_in != c_out
            layer = [IBasicBlock(c_out if index else c_in, c_out, 1 if index else 2, projects and index == 0,
                                 build_attention(attention, c_out, stage, attention_stages, size), activation,
                                 inner_norm) for index in range(blocks)]
            setattr(self, f'layer{stage}', nn.Sequential(*layer))
        init_convolutions(self)
        replace_norms(self, norm)
        self.freeze_stages(frozen_stages, norm_eval)

    def stages(self):
        """The stem (``conv1 bn1 prelu``), and ``layer1`` to ``layer4``."""
        return [[self.conv1, self.bn1, self.prelu], [self.layer1], [self.layer2], [self.layer3], [self.layer4]]

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in layer:
                x = run_checkpointed(block, x) if self.with_cp and self.training else block(x)
        return x
