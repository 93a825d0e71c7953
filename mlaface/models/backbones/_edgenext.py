"""The blocks of EdgeNeXt (Maaz et al., ECCV 2022 workshops), with the names of timm's, which published files have."""
import math

import torch
from torch import nn

from mlaface.models.drop_path import DropPath
from mlaface.models.low_rank import build_linear

TEMPERATURE = 10000.0
EPS = 1e-6


class MapNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map (N, C, H, W).

    Args:
        channels (int): C.
    """

    def __init__(self, channels):
        super().__init__(channels, eps=EPS)

    def forward(self, x):
        """Map to a map of the same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """Linear, GELU, linear.

    Args:
        dim (int): Channels in and out; four times as many between.
        rank_ratio (float, optional): Of ``build_linear``.
    """

    def __init__(self, dim, rank_ratio=None):
        super().__init__()
        self.fc1, self.act = build_linear(dim, 4 * dim, rank_ratio), nn.GELU()
        self.fc2 = build_linear(4 * dim, dim, rank_ratio)

    def forward(self, x):
        """(..., C) to (..., C)."""
        return self.fc2(self.act(self.fc1(x)))


class Scaled(nn.Module):
    """The end of both blocks: norm, MLP, plugin, a learned scale a channel, the shortcut added.

    Args:
        dim (int): Channels.
        rank_ratio (float, optional): Of ``build_linear``.
        attention (nn.Module, optional): Plugin, before the scale.
        drop_path (float): Of ``DropPath``.
        layer_scale (float): What the scales are at the start.
    """

    def __init__(self, dim, rank_ratio, attention, drop_path, layer_scale):
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(dim, eps=EPS), Mlp(dim, rank_ratio)
        self.attn = attention if attention is not None else nn.Identity()
        self.gamma, self.drop_path = nn.Parameter(torch.full((dim,), layer_scale)), DropPath(drop_path)

    def end(self, x, shortcut):
        """Channels last (N, H, W, C) and a map (N, C, H, W) to a map."""
        out = self.attn(self.mlp(self.norm(x)).permute(0, 3, 1, 2))
        return shortcut + self.drop_path(self.gamma[:, None, None] * out)


class ConvBlock(Scaled):
    """Depthwise convolution, then norm and MLP.

    Args:
        dim (int): Channels.
        kernel_size (int): Of the depthwise convolution.
        options (dict): Of ``Scaled``.
    """

    def __init__(self, dim, kernel_size, **options):
        super().__init__(dim, **options)
        self.conv_dw = nn.Conv2d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim)

    def forward(self, x):
        """Map (N, C, H, W) to a map of the same shape."""
        return self.end(self.conv_dw(x).permute(0, 2, 3, 1), x)


class PositionCode(nn.Module):
    """Sines and cosines of row and column, made channels by a 1x1 convolution.

    Args:
        dim (int): Channels.
        hidden (int): Sines and cosines of each of the two. Default 32.
    """

    def __init__(self, dim, hidden=32):
        super().__init__()
        self.hidden = hidden
        self.token_projection = nn.Conv2d(2 * hidden, dim, 1)

    def forward(self, height, width):
        """Code (1, C, height, width)."""
        weight = self.token_projection.weight
        rates = TEMPERATURE ** (torch.arange(0, self.hidden, 2, device=weight.device) / self.hidden)

        def waves(size):
            place = torch.arange(1, size + 1, device=weight.device) / (size + EPS) * 2 * math.pi
            angles = place[:, None] / rates
            return torch.stack([angles.sin(), angles.cos()], 2).flatten(1).T  # (hidden, size)
        rows = waves(height)[:, :, None].expand(-1, -1, width)
        columns = waves(width)[:, None].expand(-1, height, -1)
        return self.token_projection(torch.cat([rows, columns])[None].to(weight.dtype))


class CrossCovariance(nn.Module):
    """Self-attention of channels to channels (El-Nouby et al., XCiT, NeurIPS 2021).

    Args:
        dim (int): Channels.
        heads (int): Divides ``dim``.
        rank_ratio (float, optional): Of ``build_linear``.
    """

    def __init__(self, dim, heads, rank_ratio=None):
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv, self.proj = build_linear(dim, 3 * dim, rank_ratio), build_linear(dim, dim, rank_ratio)

    def forward(self, x):
        """Tokens (N, L, C) to tokens (N, L, C)."""
        n, length, dim = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 4, 1)
        q, k = nn.functional.normalize(q, dim=-1), nn.functional.normalize(k, dim=-1)
        weights = (q @ k.transpose(-2, -1) * self.temperature).softmax(-1)
        return self.proj((weights @ v).permute(0, 3, 1, 2).reshape(n, length, dim))


class SplitBlock(Scaled):
    """Depthwise convolutions of growing reach on groups of channels, cross-covariance attention, norm and MLP.

    Args:
        dim (int): Channels.
        groups (int): Of the channels; the last is not convolved.
        heads (int): Of the attention.
        position (bool): Whether places are coded.
        options (dict): Of ``Scaled``.
    """

    def __init__(self, dim, groups, heads, position, **options):
        super().__init__(dim, **options)
        wide = -(-dim // groups)
        self.convs = nn.ModuleList(nn.Conv2d(wide, wide, 3, padding=1, groups=wide) for _ in range(groups - 1))
        self.pos_embd = PositionCode(dim) if position else None
        self.norm_xca = nn.LayerNorm(dim, eps=EPS)
        self.gamma_xca = nn.Parameter(torch.full((dim,), options['layer_scale']))
        self.xca = CrossCovariance(dim, heads, options['rank_ratio'])

    def forward(self, x):
        """Map (N, C, H, W) to a map of the same shape."""
        shortcut, height, width = x, *x.shape[2:]
        groups, done, before = x.chunk(len(self.convs) + 1, 1), [], 0
        for conv, group in zip(self.convs, groups):
            before = conv(before + group)
            done.append(before)
        x = torch.cat([*done, groups[-1]], 1)
        if self.pos_embd is not None:
            x = x + self.pos_embd(height, width)
        x = x.flatten(2).transpose(1, 2)
        x = x + self.drop_path(self.gamma_xca * self.xca(self.norm_xca(x)))
        return self.end(x.unflatten(1, (height, width)), shortcut)
