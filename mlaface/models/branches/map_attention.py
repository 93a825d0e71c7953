"""Self-attention over the trunk's last map, after SAGAN (Zhang et al., ICML 2019) and BoTNet (Srinivas et al., 2021).

A branch that reads what the trunk has made of the image, where ``PatchSelfAttention`` reads the image itself. With
``GatedFusion(norm='none', init=0.0)`` it is a residual whose weight starts at zero, as SAGAN's: the network begins as
the plain one.
"""
import torch
from torch import nn

from mlaface.models.layers import init_convolutions
from mlaface.registry import MODELS

POSITIONS = ('relative', 'learned', None)


@MODELS.register_module()
class MapSelfAttention(nn.Module):
    """Norm, self-attention of several heads with a position code, and an output projection.

    Args:
        channels (int): C of the map. Default 512.
        heads (int): Heads, which divide ``channels``. Default 4.
        qk_channels (int): Channels of query and key of each head. Default 16.
        position (str, optional): ``'relative'``, a learned bias of each offset in each head (default); ``'learned'``,
            a vector of each place that is added to the map, resized to maps of another size; None.
        size (int): Height and width of the map that the code is made for; offsets beyond it share the last one's bias.
            Default 7.

    Attributes:
        out_channels (int): As ``channels``.
        takes_trunk (bool): True: the input is the backbone's map, not the image.

    Raises:
        ValueError: If heads do not divide the channels, or the position code is unknown.
    """

    takes_trunk = True

    def __init__(self, channels=512, heads=4, qk_channels=16, position='relative', size=7):
        super().__init__()
        if channels % heads:
            raise ValueError(f'MapSelfAttention: {heads} heads do not divide {channels} channels')
        if position not in POSITIONS:
            raise ValueError(f'MapSelfAttention: position={position!r} is unknown; choose one of {POSITIONS}')
        self.out_channels, self.heads, self.size = channels, heads, size
        self.norm = nn.BatchNorm2d(channels)
        self.query = nn.Conv2d(channels, heads * qk_channels, 1, bias=False)
        self.key = nn.Conv2d(channels, heads * qk_channels, 1, bias=False)
        self.value = nn.Conv2d(channels, channels, 1, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * size - 1, 2 * size - 1)) if position == 'relative' else None
        self.place = nn.Parameter(torch.zeros(1, channels, size, size)) if position == 'learned' else None
        init_convolutions(self)

    def relative(self, height, width):
        """Bias of energies (heads, H W, H W), rows for queries."""
        offsets = []
        for length in (height, width):
            steps = torch.arange(length, device=self.bias.device)
            offsets.append((steps[None] - steps[:, None]).clamp(1 - self.size, self.size - 1) + self.size - 1)
        rows, columns = offsets[0][:, None, :, None], offsets[1][None, :, None, :]
        return self.bias[:, rows, columns].flatten(3).flatten(1, 2)

    def positioned(self, x):
        """The normed map with the vectors of its places."""
        x = self.norm(x)
        if self.place is None:
            return x
        place = self.place
        if place.shape[2:] != x.shape[2:]:
            place = nn.functional.interpolate(place, x.shape[2:], mode='bilinear', align_corners=False)
        return x + place

    def _by_head(self, part, x):
        """A convolution of the map, (N, heads, H W, D)."""
        return part(x).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3)

    def _bias(self, query, shape):
        """What positions add to the energies, (1, heads, H W, H W), or None."""
        return None if self.bias is None else self.relative(*shape).to(query.dtype)[None]

    def attention(self, x):
        """Attention weights (N, heads, P, P), rows for queries, of the trunk's map (N, C, h, w) with P = h * w.

        ``forward`` uses the same weights without making them: torch's fused attention does not give them.
        """
        shape, x = x.shape[2:], self.positioned(x)
        query, key = (self._by_head(part, x) for part in (self.query, self.key))
        energy = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        bias = self._bias(query, shape)
        return torch.softmax(energy if bias is None else energy + bias, -1)

    def forward(self, x):
        """The trunk's map (N, C, H, W) to a map of the same shape."""
        shape, x = x.shape, self.positioned(x)
        query, key, value = (self._by_head(part, x) for part in (self.query, self.key, self.value))
        bias = self._bias(query, shape[2:])
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, bias)
        return self.project(mixed.transpose(2, 3).reshape(shape))
