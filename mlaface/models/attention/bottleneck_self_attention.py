"""Bottleneck Transformers for Visual Recognition (BoTNet; Srinivas et al., CVPR 2021, fig. 4).

Relative positions after Shaw et al. (NAACL 2018) and Bello et al. (ICCV 2019): a code of the offset along each axis,
which the query multiplies.
"""
import torch
from torch import nn

from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class BottleneckSelfAttention(nn.Module):
    """Self-attention of several heads whose energies are ``q k + q r``, with ``r`` a code of the offset.

    The published layer takes the place of a convolution. A plugin follows the convolutions of its block, so that by
    default its output is added to the map. Memory grows with ``(H W)^2``: it is made for the last stages.

    Args:
        channels (int): C of the map, of query, key and value.
        heads (int): Heads, which divide ``channels``. Default 4.
        size (int): Height and width of the map that the codes are made for; offsets beyond it share the last one's
            code. Default 14.
        residual (bool): Add the output to the map; False is the published layer alone. Default True.

    Raises:
        ValueError: If heads do not divide the channels.
    """

    own_init = True

    def __init__(self, channels, heads=4, size=14, residual=True):
        super().__init__()
        if channels % heads:
            raise ValueError(f'BottleneckSelfAttention: {heads} heads do not divide {channels} channels')
        self.heads, self.size, self.residual = heads, size, residual
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1, bias=False) for _ in range(3))
        width = channels // heads
        self.rows, self.columns = (nn.Parameter(torch.randn(2 * size - 1, width) * width ** -0.5) for _ in range(2))

    def offset_codes(self, codes, length):
        """Codes (length, D, length) of the offsets between the places of one axis, rows for queries."""
        steps = torch.arange(length, device=codes.device)
        offsets = (steps[None] - steps[:, None]).clamp(1 - self.size, self.size - 1)
        return codes[offsets + self.size - 1].transpose(1, 2)

    def positions(self, query, shape):
        """What positions add to the energies: (N, heads, H W, H W) of queries (N, heads, H W, D)."""
        query = query.unflatten(2, shape) * query.shape[-1] ** -0.5
        rows = query @ self.offset_codes(self.rows, shape[0])
        columns = (query.transpose(2, 3) @ self.offset_codes(self.columns, shape[1])).transpose(2, 3)
        return (rows[..., None] + columns[..., None, :]).flatten(4).flatten(2, 3)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        query, key, value = (part(x).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)
                             for part in (self.query, self.key, self.value))
        bias = self.positions(query, x.shape[2:]).to(query.dtype)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, bias)
        mixed = mixed.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:])
        return x + mixed if self.residual else mixed
