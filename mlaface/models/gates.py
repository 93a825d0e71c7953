"""The learned scalar where two signals meet."""
import torch
from torch import nn


class LearnableGate(nn.Module):
    """``first + gamma * second`` with one learned scalar.

    Args:
        init (float): Initial ``gamma``. Default 0.5.
        learn (bool): False keeps ``gamma`` as it starts. Default True.
    """

    def __init__(self, init=0.5, learn=True):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((1,), float(init)), requires_grad=learn)

    def forward(self, first, second):
        """Gated sum, shape as the inputs."""
        return first + self.gamma * second
