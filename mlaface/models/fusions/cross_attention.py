"""Cross-attention of trunk and branch (Vaswani et al., NIPS 2017, eq. 1) behind SAGAN's gate (Zhang et al., 2019)."""
import torch
from torch import nn

from mlaface.registry import MODELS


@MODELS.register_module()
class CrossAttentionFusion(nn.Module):
    """``trunk + gate * project(softmax(q k / sqrt(d)) v)``: the trunk's places ask, the branch's places answer.

    The branch's map may have any size and channels. The gate starts at zero, so that the network begins as the plain
    one.

    Args:
        channels (int): C of the trunk's map. Default 512.
        branch_channels (int, optional): C of the branch's map. Default that of the trunk.
        heads (int): Heads, which divide ``channels``. Default 4.
        qk_channels (int): Channels of query and key of each head. Default 16.
        init (float): Initial gate. Default 0.0.
        learn (bool): False keeps the gate as it starts. Default True.

    Attributes:
        gate (nn.Parameter): The gate, (1,).

    Raises:
        ValueError: If heads do not divide the channels.
    """

    branches = 1

    def __init__(self, channels=512, branch_channels=None, heads=4, qk_channels=16, init=0.0, learn=True):
        super().__init__()
        if channels % heads:
            raise ValueError(f'CrossAttentionFusion: {heads} heads do not divide {channels} channels')
        self.channels, self.heads, self.branch_channels = channels, heads, branch_channels or channels
        self.gate = nn.Parameter(torch.full((1,), float(init)), requires_grad=learn)
        self.norm_trunk, self.norm_branch = nn.BatchNorm2d(channels), nn.BatchNorm2d(self.branch_channels)
        self.query = nn.Conv2d(channels, heads * qk_channels, 1, bias=False)
        self.key = nn.Conv2d(self.branch_channels, heads * qk_channels, 1, bias=False)
        self.value = nn.Conv2d(self.branch_channels, channels, 1, bias=False)
        self.project = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, trunk, branch):
        """Fuse two maps.

        Args:
            trunk (Tensor): Map of the backbone (N, C, H, W).
            branch (Tensor): Map of the branch (N, branch_channels, h, w).

        Returns:
            Tensor: Map (N, C, H, W).
        """
        asking, answering = self.norm_trunk(trunk), self.norm_branch(branch)
        query, key, value = (part(x).flatten(2).unflatten(1, (self.heads, -1)).transpose(2, 3) for part, x in (
            (self.query, asking), (self.key, answering), (self.value, answering)))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(2, 3).flatten(1, 2).unflatten(2, trunk.shape[2:])
        return trunk + self.gate * self.project(mixed)
