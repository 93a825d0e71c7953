"""The learned scalar where two signals meet, and the functions that open and close a gate."""
import torch
from torch import nn

from mlaface.registry import did_you_mean


def twice_sigmoid(x):
    """``2 sigmoid(x)``, in (0, 2): open, at 1, where the sigmoid's gate is half closed."""
    return 2 * torch.sigmoid(x)


def one_plus_tanh(x):
    """``1 + tanh(x)``, which is ``2 sigmoid(2 x)``: open at 0, and twice as steep there as ``2 sigmoid``."""
    return 1 + torch.tanh(x)


GATE_FUNCTIONS = {'sigmoid': torch.sigmoid, '2 sigmoid': twice_sigmoid, '1 + tanh': one_plus_tanh}


def gate_function(name):
    """The function of that name, of any tensor to a gate of its shape.

    Raises:
        ValueError: If the name is unknown; names the nearest one.
    """
    if name not in GATE_FUNCTIONS:
        raise ValueError(f'gate={name!r} is unknown{did_you_mean(name, GATE_FUNCTIONS)} Choose one of '
                         f'{", ".join(map(repr, GATE_FUNCTIONS))}')
    return GATE_FUNCTIONS[name]


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
