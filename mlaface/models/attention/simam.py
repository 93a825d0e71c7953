"""SimAM: A Simple, Parameter-Free Attention Module (Yang et al., ICML 2021, eq. 5 and 6)."""
import torch
from torch import nn

from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class SimAM(nn.Module):
    """Gate per element from how far it stands out of its channel; no parameters.

    Args:
        channels (int): C of the map; unused, for one signature with the other plugins.
        lam (float): Regulariser lambda of eq. 5. Default 1e-4.
    """

    def __init__(self, channels, lam=1e-4):
        super().__init__()
        self.lam = lam

    def forward(self, x):
        """Attended map, shape and type as the input (N, C, H, W)."""
        count = max(1, x.shape[2] * x.shape[3] - 1)
        wide = torch.promote_types(x.dtype, torch.float32)  # the square of 256 is more than float16 holds
        distance = (x - x.mean((2, 3), keepdim=True)).to(wide).square()
        variance = distance.sum((2, 3), keepdim=True) / count
        return x * torch.sigmoid(distance / (4 * (variance + self.lam)) + 0.5).to(x.dtype)
