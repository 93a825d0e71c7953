"""Gated fusion of trunk and branch, MLA-ArcFace (2023)."""
import torch
from torch import nn

from mlaface.registry import MODELS


@MODELS.register_module()
class GatedFusion(nn.Module):
    """``norm(trunk) + gate * norm(branch)`` with one learned scalar.

    Args:
        channels (int): C of both maps. Default 512.
        norm (str): ``'separate'``, a BatchNorm for each map (default); ``'shared'``, the neck's first norm for both, as
            published: its running statistics then serve branch, trunk and sum; ``'none'``.
        init (float): Initial gate. Default 0.5.
        learn (bool): False keeps the gate as it starts. Default True.

    Attributes:
        gate (nn.Parameter): The gate, (1,).
    """

    def __init__(self, channels=512, norm='separate', init=0.5, learn=True):
        super().__init__()
        if norm not in ('separate', 'shared', 'none'):
            raise ValueError(f"GatedFusion: norm={norm!r} is unknown; choose 'separate', 'shared' or 'none'")
        self.norm = norm
        self.gate = nn.Parameter(torch.full((1,), float(init)), requires_grad=learn)
        separate = norm == 'separate'
        self.norm_trunk = nn.BatchNorm2d(channels) if separate else nn.Identity()
        self.norm_branch = nn.BatchNorm2d(channels) if separate else nn.Identity()

    @property
    def needs_neck_norm(self):
        """Whether ``forward`` takes the neck's first norm as its third argument (bool)."""
        return self.norm == 'shared'

    def forward(self, trunk, branch, neck_norm=None):
        """Fuse two maps of one shape.

        Args:
            trunk (Tensor): Map of the backbone (N, C, H, W).
            branch (Tensor): Map of the branch (N, C, H, W).
            neck_norm (nn.Module, optional): The neck's BatchNorm2d, for ``norm='shared'``.

        Returns:
            Tensor: Map (N, C, H, W).

        Raises:
            ValueError: If the maps differ in shape, or ``norm='shared'`` is given no norm.
        """
        if trunk.shape != branch.shape:
            raise ValueError(f'trunk {tuple(trunk.shape)} and branch {tuple(branch.shape)} differ: the branch must '
                             'have the channels of the backbone, and patches that give its height and width')
        if self.norm != 'shared':
            return self.norm_trunk(trunk) + self.gate * self.norm_branch(branch)
        if neck_norm is None:
            raise ValueError("GatedFusion(norm='shared') needs the neck's BatchNorm2d as neck_norm")
        branch = neck_norm(branch)  # branch before trunk: the order in which the running statistics are updated
        return neck_norm(trunk) + self.gate * branch
