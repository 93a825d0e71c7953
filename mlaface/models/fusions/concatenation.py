"""Concatenation of trunk and branches, as in SA-ArcFace, the forerunner of MLA-ArcFace (2023)."""
import torch
from torch import nn

from mlaface.models.fusions._shapes import check_same_shape
from mlaface.registry import MODELS


@MODELS.register_module()
class ConcatFusion(nn.Module):
    """``norm(trunk)`` and ``norm(branch)`` side by side, brought back to the trunk's channels by a 1x1 convolution.

    The convolution starts as the trunk's part alone. Where it equals ``[1 | g]``, the fusion is ``GatedFusion`` of
    gate g: it is a gate for each pair of channels.

    Args:
        channels (int): C of the trunk's map. Default 512.
        branch_channels (int, optional): C of each branch's map. Default that of the trunk.
        branches (int): Branches that are joined. Default 1.
        norm (str): ``'separate'``, a BatchNorm for each map (default), or ``'none'``.
        project (bool): False leaves all channels to the neck, whose ``in_channels`` must be ``out_channels`` then.
            Default True.

    Attributes:
        out_channels (int): C of the map that it gives.

    Raises:
        ValueError: If the norm is unknown.
    """

    def __init__(self, channels=512, branch_channels=None, branches=1, norm='separate', project=True):
        super().__init__()
        if norm not in ('separate', 'none'):
            raise ValueError(f"ConcatFusion: norm={norm!r} is unknown; choose 'separate' or 'none'")
        self.channels, self.branches = channels, branches
        self.branch_channels = branch_channels or channels
        widths = [channels] + [self.branch_channels] * branches
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) if norm == 'separate' else nn.Identity() for width in widths)
        self.out_channels = channels if project else sum(widths)
        self.project = nn.Conv2d(sum(widths), channels, 1, bias=False) if project else nn.Identity()
        if project:
            nn.init.dirac_(self.project.weight)

    def forward(self, trunk, *branches):
        """Fuse maps of one size.

        Args:
            trunk (Tensor): Map of the backbone (N, C, H, W).
            *branches (Tensor): Maps of the branches (N, branch_channels, H, W).

        Returns:
            Tensor: Map (N, out_channels, H, W).

        Raises:
            ValueError: If the maps differ in size.
        """
        for branch in branches:
            check_same_shape(trunk, branch, slice(2, 4))
        maps = [norm(x) for norm, x in zip(self.norms, (trunk, *branches), strict=True)]
        return self.project(torch.cat(maps, 1))
