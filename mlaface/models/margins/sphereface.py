"""SphereFace (Liu et al., CVPR 2017, arXiv:1704.08063) and SphereFace-R (Liu et al., TPAMI 2022, arXiv:2109.05565)."""
import math

import torch

from mlaface.models.margins.base import Margin, angle
from mlaface.registry import MARGINS


@MARGINS.register_module()
class SphereFace(Margin):
    """A-Softmax with annealing: target ``|x| (lambda c + psi) / (1 + lambda)``, others ``|x| c_j``.

    ``psi = (-1)^k cos(m theta) - 2k`` with ``k = floor(m theta / pi)``, constant, at most m - 1;
    ``lambda = max(lambda_min, base (1 + gamma step)^-power)``. ``step`` counts training batches and is raised before
    use. The gradient flows through the norms too.

    Args:
        m (int): Factor on the angle, >= 1. Default: 4.
        base (float): Start of lambda, >= 0. Default: 1000.
        gamma (float): Speed of its fall, >= 0. Default: 0.12.
        power (float): Power of its fall, >= 0. Default: 1.
        lambda_min (float): Its end, >= 0. Default: 5.
    """
    needs_norms = True

    def __init__(self, m=4, base=1000.0, gamma=0.12, power=1.0, lambda_min=5.0):
        super().__init__(s=1.0)
        self.require_numbers(m=m, base=base, gamma=gamma, power=power, lambda_min=lambda_min)
        self.require(m == int(m) and m >= 1, f'm must be a whole number of at least 1, got {m}')
        self.require(min(base, gamma, power, lambda_min) >= 0, 'base, gamma, power and lambda_min must not be negative')
        self.m, self.base, self.gamma, self.power, self.lambda_min = int(m), base, gamma, power, lambda_min
        self.register_buffer('step', torch.zeros((), dtype=torch.int64))

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """Raise ``step``; the context holds the norms (N,) and lambda ()."""
        if update:
            self.step += 1
        fall = self.base * (1 + self.gamma * self.step.to(target.dtype)) ** -self.power
        return dict(norms=norms, weight=fall.clamp(min=self.lambda_min))

    def target_logit(self, target, context):
        """``|x| (lambda c + psi) / (1 + lambda)``, (N,)."""
        turned = self.m * angle(target)
        turn = (turned.detach() / math.pi).floor().clamp(max=self.m - 1)
        psi = (1 - 2 * (turn % 2)) * torch.cos(turned) - 2 * turn
        return context['norms'] * (context['weight'] * target + psi) / (1 + context['weight'])

    def other_logits(self, cosine, context):
        """``|x| c_j``, (N, B)."""
        return context['norms'][:, None] * cosine


@MARGINS.register_module()
class SphereFaceR(Margin):
    """SphereFace-R, version 1, hard feature normalisation: ``z_y = s cos(min(m theta, pi))``.

    Args:
        s (float): Scale. Default: 30.
        m (float): Factor on the angle, >= 1. Default: 1.4.
    """

    def __init__(self, s=30.0, m=1.4):
        super().__init__(s)
        self.require_numbers(m=m)
        self.require(m >= 1, f'm must be at least 1, got {m}')
        self.m = m

    def target_logit(self, target, context):
        """``s cos(min(m theta, pi))``, (N,)."""
        return self.s * torch.cos((self.m * angle(target)).clamp(max=math.pi))
