"""Gated fusion of trunk and branches, MLA-ArcFace (2023), which has one."""
import torch
from torch import nn

from mlaface.models.fusions._shapes import check_same_shape
from mlaface.registry import MODELS


@MODELS.register_module()
class GatedFusion(nn.Module):
    """``norm(trunk) + gate * norm(branch)`` with one learned scalar a branch.

    Args:
        channels (int): C of all maps. Default 512.
        norm (str): ``'separate'``, a BatchNorm for each map (default); ``'shared'``, the neck's first norm for all, as
            published: its running statistics then serve branch, trunk and sum; ``'none'``.
        init (float): Initial gate. Default 0.5.
        learn (bool): False keeps the gates as they start. Default True.
        branches (int): Branches that are joined. Default 1.

    Attributes:
        gate (nn.Parameter): The gates, (branches,).
    """

    def __init__(self, channels=512, norm='separate', init=0.5, learn=True, branches=1):
        super().__init__()
        if norm not in ('separate', 'shared', 'none'):
            raise ValueError(f"GatedFusion: norm={norm!r} is unknown; choose 'separate', 'shared' or 'none'")
        if branches < 1:
            raise ValueError(f'GatedFusion: branches={branches} must be at least 1')
        self.norm, self.branches = norm, branches
        self.channels = channels if norm == 'separate' else None  # else any fit
        self.gate = nn.Parameter(torch.full((branches,), float(init)), requires_grad=learn)
        norms = [nn.BatchNorm2d(channels) if norm == 'separate' else nn.Identity() for _ in range(1 + branches)]
        self.norm_trunk = norms[0]
        self.norm_branch = norms[1] if branches == 1 else nn.ModuleList(norms[1:])

    @property
    def needs_neck_norm(self):
        """Whether ``forward`` takes the neck's first norm as its third argument (bool)."""
        return self.norm == 'shared'

    def forward(self, trunk, *branches, neck_norm=None):
        """Fuse maps of one shape.

        Args:
            trunk (Tensor): Map of the backbone (N, C, H, W).
            *branches (Tensor): Maps of the branches (N, C, H, W).
            neck_norm (nn.Module, optional): The neck's BatchNorm2d, for ``norm='shared'``.

        Returns:
            Tensor: Map (N, C, H, W).

        Raises:
            ValueError: If the maps differ in shape, or ``norm='shared'`` is given no norm.
        """
        for branch in branches:
            check_same_shape(trunk, branch)
        if self.norm == 'shared' and neck_norm is None:
            raise ValueError("GatedFusion(norm='shared') needs the neck's BatchNorm2d as neck_norm")
        norms = [neck_norm] * len(branches) if self.norm == 'shared' else \
            [self.norm_branch] if self.branches == 1 else self.norm_branch
        gates = [self.gate] if self.branches == 1 else self.gate.split(1)
        # branches before the trunk: the order in which a shared norm's running statistics are updated
        branches = [norm(branch) for norm, branch in zip(norms, branches, strict=True)]
        fused = neck_norm(trunk) if self.norm == 'shared' else self.norm_trunk(trunk)
        for gate, branch in zip(gates, branches):
            fused = fused + gate * branch
        return fused
