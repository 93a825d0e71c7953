"""Self-attention over image patches, the image-level branch of MLA-ArcFace (2023), after SAGAN (Zhang et al., 2019)."""
import torch
from torch import nn

from mlaface.models.layers import init_convolutions
from mlaface.registry import MODELS


@MODELS.register_module()
class PatchSelfAttention(nn.Module):
    """Patch embedding and one self-attention, without residual and without output projection.

    The published branch has ``scale=None, clamp=(-1, 1)``: an attention weight can then differ from another by at
    most e^2, and outside the interval no gradient reaches query and key. The default is the scaled dot product.

    Args:
        channels (int): C of the map that it gives. Default 512.
        patch (int): Height and width of a patch in pixels. Default 16.
        qk_channels (int): Channels of query and key. Default 64.
        scale (str, optional): ``'sqrt'`` divides energies by ``sqrt(qk_channels)``; None does not. Default 'sqrt'.
        clamp (tuple[float, float], optional): Interval that energies are cut to. Default None.

    Attributes:
        out_channels (int): As ``channels``.
    """

    def __init__(self, channels=512, patch=16, qk_channels=64, scale='sqrt', clamp=None):
        super().__init__()
        if not isinstance(patch, int) or patch < 1:
            raise ValueError(f'PatchSelfAttention: patch={patch!r} must be a whole number of pixels, at least 1')
        if scale not in ('sqrt', None):
            raise ValueError(f"PatchSelfAttention: scale={scale!r} is unknown; choose 'sqrt' or None")
        if clamp is not None and (len(clamp) != 2 or clamp[0] >= clamp[1]):
            raise ValueError(f'PatchSelfAttention: clamp={clamp!r} must be (low, high) with low below high')
        self.out_channels, self.patch = channels, patch
        self.scale = qk_channels ** -0.5 if scale else None
        self.clamp = tuple(clamp) if clamp is not None else None
        self.conv1_ = nn.Conv2d(3, channels, patch, stride=patch, bias=False)
        self.query_conv = nn.Conv2d(channels, qk_channels, 1)
        self.key_conv = nn.Conv2d(channels, qk_channels, 1)
        self.value_conv = nn.Conv2d(channels, channels, 1)
        init_convolutions(self)

    def attention(self, patches):
        """Attention weights (N, P, P), rows for queries, of patch features (N, C, h, w) with P = h * w."""
        query, key = self.query_conv(patches).flatten(2), self.key_conv(patches).flatten(2)
        energy = query.transpose(1, 2) @ key
        if self.scale is not None:
            energy = energy * self.scale
        if self.clamp is not None:
            energy = energy.clamp(*self.clamp)
        return torch.softmax(energy, -1)

    def forward(self, x):
        """Normalised images (N, 3, H, W) to a map (N, channels, H // patch, W // patch)."""
        patches = self.conv1_(x)
        value = self.value_conv(patches).flatten(2)
        mixed = value @ self.attention(patches).to(value.dtype).transpose(1, 2)
        return mixed.unflatten(2, (patches.shape[2], patches.shape[3]))
