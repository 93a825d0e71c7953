"""Binary margins: SphereFace2 (Wen et al., ICLR 2022, arXiv:2108.01513), UniFace (Zhou et al., ICCV 2023)."""
import math

import torch
from torch import nn

from mlaface.models.margins.base import Margin
from mlaface.registry import MARGINS


def balancing_bias(positive, negative, s, ratio):
    """The bias at which positives and negatives pull equally: ``sigmoid(-(s p + b)) = ratio sigmoid(s n + b)``.

    Args:
        positive (float): Target logit over s, without bias.
        negative (float): Other logit over s, without bias.
        s (float): Scale.
        ratio (float): Weight of all negatives over that of the positive.

    Returns:
        float: b, by bisection; the left side falls and the right side rises with b.
    """
    def log_sigmoid(x):
        return -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
    low, high = -s * 4 - 100.0, s * 4 + 100.0
    for _ in range(200):
        bias = (low + high) / 2
        surplus = log_sigmoid(-(s * positive + bias)) - math.log(ratio) - log_sigmoid(s * negative + bias)
        low, high = (bias, high) if surplus > 0 else (low, bias)
    return (low + high) / 2


class _Biased(Margin):
    """A binary margin with one learnable scalar ``bias``."""
    objective = 'binary'

    def __init__(self, s):
        super().__init__(s)
        self.bias = nn.Parameter(torch.zeros(()))

    def start_bias(self, value):
        """Set the bias's start value."""
        with torch.no_grad():
            self.bias.fill_(value)


@MARGINS.register_module()
class SphereFace2(_Biased):
    """Binary classifiers, additive ('C') form: ``z_y = s (g(c) - m) + b``, ``z_j = s (g(c) + m) + b``.

    ``g(c) = 2 ((c + 1) / 2)^t - 1``; loss ``lam / s softplus(-z_y) + (1 - lam) / s sum_j softplus(z_j)``.

    Args:
        s (float): Scale. Default: 40.
        m (float): Margin on g, in [0, 2). Default: 0.4.
        t (float): Exponent that spreads the cosines, > 0. Default: 3.
        lam (float): Weight of the positive, in (0, 1). Default: 0.7.
        bias (float | None): Start of the learnable b. Default: None, the value that balances positives and negatives
            when all cosines are 0.
    """

    def __init__(self, s=40.0, m=0.4, t=3.0, lam=0.7, bias=None):
        super().__init__(s)
        self.require_numbers(m=m, t=t, lam=lam, bias=0.0 if bias is None else bias)
        self.require(0 <= m < 2, f'm must lie in [0, 2), got {m}')
        self.require(t > 0, f't must be positive, got {t}')
        self.require(0 < lam < 1, f'lam must lie in (0, 1), got {lam}')
        self.m, self.t, self.given_bias = m, t, bias
        self.positive_weight, self.negative_weight = lam / self.s, (1 - lam) / self.s
        if bias is not None:
            self.start_bias(bias)

    def set_num_classes(self, num_classes, local_classes=None):
        """Balance the bias for C classes, unless it was given."""
        super().set_num_classes(num_classes, local_classes)
        if self.given_bias is None:
            chance = 2 * 0.5 ** self.t - 1
            ratio = self.negative_weight * max(1, num_classes - 1) / self.positive_weight
            self.start_bias(balancing_bias(chance - self.m, chance + self.m, self.s, ratio))

    def spread(self, cosine):
        """``g(c)``, of the same shape; finite gradient at -1."""
        return 2 * ((cosine + 1) / 2).clamp(min=1e-12) ** self.t - 1

    def target_logit(self, target, context):
        """``s (g(c_y) - m) + b``, (N,)."""
        return self.s * (self.spread(target) - self.m) + self.bias

    def other_logits(self, cosine, context):
        """``s (g(c_j) + m) + b``, (N, B)."""
        return self.s * (self.spread(cosine) + self.m) + self.bias


@MARGINS.register_module()
class UniFaceUCE(_Biased):
    """Unified cross-entropy: ``softplus(-z_y) + l sum_j softplus(z_j)``.

    ``z_y = s (c_y - m) - b``, ``z_j = s c_j - b``.

    The learnable threshold b starts at ``ln(C l)``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin on the cosine, in [0, 2). Default: 0.4.
        l (float): Weight of the negatives, > 0. Default: 1.
    """

    def __init__(self, s=64.0, m=0.4, l=1.0):  # noqa: E741 (the paper's name)
        super().__init__(s)
        self.require_numbers(m=m, l=l)
        self.require(0 <= m < 2, f'm must lie in [0, 2), got {m}')
        self.require(l > 0, f'l must be positive, got {l}')
        self.m, self.l, self.negative_weight = m, l, l

    def set_num_classes(self, num_classes, local_classes=None):
        """Start the threshold at ``ln(C l)``."""
        super().set_num_classes(num_classes, local_classes)
        self.start_bias(math.log(num_classes * self.l))

    def target_logit(self, target, context):
        """``s (c_y - m) - b``, (N,)."""
        return self.s * (target - self.m) - self.bias

    def other_logits(self, cosine, context):
        """``s c_j - b``, (N, B)."""
        return self.s * cosine - self.bias


@MARGINS.register_module()
class UniFaceNBCE(UniFaceUCE):
    """Normalised binary cross-entropy: UniFaceUCE with the negatives' sum divided by C - 1.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin on the cosine. Default: 0.4.
        l (float): Weight of the negatives. Default: 1.
    """

    def set_num_classes(self, num_classes, local_classes=None):
        """Start the threshold, and weigh the negatives by ``l / (C - 1)``."""
        super().set_num_classes(num_classes, local_classes)
        self.negative_weight = self.l / max(1, num_classes - 1)
