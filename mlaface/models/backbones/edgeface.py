"""EdgeFace (George et al., EdgeFace: Efficient Face Recognition Model for Edge Devices, IEEE T-BIOM 2024).

EdgeNeXt (Maaz et al., 2022) whose linear layers are products of two of low rank. Names of parameters are those of the
published files (timm's ``edgenext``); their norm and linear layer after the mean over the map are ``PoolNeck``.
"""
from torch import nn

from mlaface.models.backbones._edgenext import ConvBlock, MapNorm, SplitBlock
from mlaface.models.backbones.base import Backbone
from mlaface.models.checkpointing import run_checkpointed
from mlaface.models.drop_path import drop_path_rates
from mlaface.models.layers import build_attention, check_stages, scale_channels, switch
from mlaface.registry import MODELS

# channels and blocks of the four stages, heads
SIZES = dict(xxs=((24, 48, 88, 168), (2, 2, 6, 2), 4), xs=((32, 64, 100, 192), (3, 3, 9, 3), 4),
             s=((48, 96, 160, 304), (3, 3, 9, 3), 8), base=((80, 160, 288, 584), (3, 3, 9, 3), 8))
KERNELS, GROUPS = (3, 5, 7, 9), (2, 2, 3, 4)


class Stage(nn.Module):
    """Norm and a step down where there is one, and the blocks.

    Args:
        in_channels (int): Of the map that comes in; None for no step down.
        dim (int): Channels of the stage.
        blocks (list[nn.Module]): Map to map.
    """

    def __init__(self, in_channels, dim, blocks):
        super().__init__()
        self.downsample = nn.Identity() if in_channels is None else nn.Sequential(
            MapNorm(in_channels), nn.Conv2d(in_channels, dim, 2, stride=2))
        self.blocks = nn.Sequential(*blocks)


@MODELS.register_module()
class EdgeFace(Backbone):
    """EdgeFace up to its last map; ``PoolNeck`` makes the embedding.

    Published are ``edgeface_xxs`` and ``edgeface_base`` (no ``rank_ratio``), ``edgeface_xs_gamma_06`` (0.6) and
    ``edgeface_s_gamma_05`` (0.5); where there is one, the neck's layer has it too: ``PoolNeck(rank_ratio=...)``.

    Args:
        size (str): ``'xxs'``, ``'xs'`` (default), ``'s'`` or ``'base'``.
        rank_ratio (float, optional): Gamma, the rank of every linear layer over the smaller of its two sides. Default
            None: whole layers.
        width (float): Multiplies the channels, rounded to multiples of 8. Default 1.0.
        drop_path_rate (float): Share of images that skip the last block in training, less in those before it. Default
            0.0.
        layer_scale (float): What the learned scales of the residuals are at the start. Default 1e-6.
        attention (dict, optional): Config for ``ATTENTION``, on the residual of every block, before its scale.
        attention_stages (Sequence[int]): Stages, of 1 to 4, whose blocks have it. Default all.
        in_size (int): Height and width of the image in pixels, 32 or more. Default 112.
        with_cp (bool): Compute each block again in the backward pass to hold less. Default False.
        frozen_stages (int): Stages 1 to this one of 4 do not learn, nor does the stem, which is 0. Default -1, none.
        norm_eval (bool): As in other backbones; there is no BatchNorm in this one. Default False.

    Attributes:
        out_channels (int): Channels of the map.
        out_size (int): Height and width of the map, 3 at 112 pixels.

    Raises:
        ValueError: If there is no such size, or the image is too small.
    """

    def __init__(self, size='xs', rank_ratio=None, width=1.0, drop_path_rate=0.0, layer_scale=1e-6, attention=None,
                 attention_stages=(1, 2, 3, 4), in_size=112, with_cp=False, frozen_stages=-1, norm_eval=False):
        super().__init__()
        if size not in SIZES:
            raise ValueError(f'EdgeFace has no size {size!r}; choose one of {", ".join(map(repr, SIZES))}')
        if in_size < 32:
            raise ValueError(f'EdgeFace: in_size={in_size} must be 32 or more, since its map is a 32nd of that')
        check_stages(attention_stages, len(KERNELS), attention)
        dims, depths, heads = SIZES[size]
        dims = [scale_channels(dim, width) for dim in dims]
        self.in_size, self.out_channels, self.out_size = in_size, dims[-1], in_size // 32
        self.with_cp = switch(with_cp, 'with_cp')
        self.stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, stride=4), MapNorm(dims[0]))
        rates = iter(drop_path_rates(drop_path_rate, sum(depths)))

        def block(stage, last):
            options = dict(rank_ratio=rank_ratio, drop_path=next(rates), layer_scale=layer_scale,
                           attention=build_attention(attention, dims[stage], stage + 1, attention_stages))
            if last and stage > 0:
                return SplitBlock(dims[stage], GROUPS[stage], heads, stage == 1, **options)
            return ConvBlock(dims[stage], KERNELS[stage], **options)
        self.layers = nn.Sequential(*(
            Stage(dims[stage - 1] if stage else None, dims[stage],
                  [block(stage, index == depth - 1) for index in range(depth)]) for stage, depth in enumerate(depths)))
        self._init_weights()
        self.freeze_stages(frozen_stages, norm_eval)

    def _init_weights(self):
        """As timm does, and torch's own for layers of low rank, as published; what a plugin draws stays."""
        for name, layer in self.named_modules():
            whole = '.attn' not in name and not name.endswith(('.linear1', '.linear2'))
            if whole and isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def stages(self):
        """The stem, and the four stages, each with its step down."""
        return [[self.stem], *([layer] for layer in self.layers)]

    def forward(self, x):
        """Normalised images (N, 3, in_size, in_size) to a map (N, out_channels, out_size, out_size)."""
        x = self.stem(x)
        for layer in self.layers:
            x = layer.downsample(x)
            for block in layer.blocks:
                x = run_checkpointed(block, x) if self.with_cp and self.training else block(x)
        return x
