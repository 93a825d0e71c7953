"""Margins by feature norm: MagFace (Meng et al., CVPR 2021) and AdaFace (Kim et al., CVPR 2022)."""
import math

import torch

from mlaface.models.margins.base import Margin, angle, arc
from mlaface.registry import MARGINS


@MARGINS.register_module()
class MagFace(Margin):
    """MagFace (arXiv:2103.06627): target ``arc(c_y, m(a))``, a the norm clamped to [l_a, u_a].

    m(a) is linear from l_m to u_m; cross-entropy + ``lambda_g mean(a / u_a^2 + 1 / a)``. Gradient flows through a.

    Args:
        s (float): Scale. Default: 64.
        l_a (float): Lower bound of the norm, > 0. Default: 10.
        u_a (float): Upper bound of the norm, > l_a. Default: 110.
        l_m (float): Margin at l_a, radians. Default: 0.45.
        u_m (float): Margin at u_a, radians, >= l_m. Default: 0.8.
        lambda_g (float): Weight of the norm's term, at least the bound of the paper under which large norms would not
            pay: ``s (u_m - l_m) / (u_a - l_a) u_a^2 l_a^2 / (u_a^2 - l_a^2)``. Default: 35.
    """
    needs_norms = True

    def __init__(self, s=64.0, l_a=10.0, u_a=110.0, l_m=0.45, u_m=0.8, lambda_g=35.0):
        super().__init__(s)
        self.require_numbers(l_a=l_a, u_a=u_a, l_m=l_m, u_m=u_m, lambda_g=lambda_g)
        self.require(0 < l_a < u_a, f'norms need 0 < l_a < u_a, got {l_a} and {u_a}')
        self.require(0 <= l_m <= u_m < math.pi, f'margins need 0 <= l_m <= u_m < pi, got {l_m} and {u_m}')
        bound = s * (u_m - l_m) / (u_a - l_a) * u_a ** 2 * l_a ** 2 / (u_a ** 2 - l_a ** 2)
        self.require(lambda_g >= bound, f'lambda_g must be at least {bound:.4g} with these bounds, got {lambda_g}')
        self.l_a, self.u_a, self.l_m, self.u_m, self.lambda_g = l_a, u_a, l_m, u_m, lambda_g

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds the clamped norms, (N,)."""
        return dict(norms=norms.clamp(self.l_a, self.u_a))

    def target_logit(self, target, context):
        """``s arc(c_y, m(a))``, (N,)."""
        slope = (self.u_m - self.l_m) / (self.u_a - self.l_a)
        return self.s * arc(target, self.l_m + slope * (context['norms'] - self.l_a))

    def penalty(self, context, embeddings=None, labels=None):
        """``lambda_g (a / u_a^2 + 1 / a)``, (N,)."""
        norms = context['norms']
        return self.lambda_g * (norms / self.u_a ** 2 + 1 / norms)


@MARGINS.register_module()
class AdaFace(Margin):
    """AdaFace (arXiv:2204.00964): ``cos(clamp(theta - m q)) - (m + m q)``, q the norm measured by running statistics.

    The norm, clamped to [1e-3, 100], is constant. Batch mean and deviation (n - 1; 0 for a batch of one) enter the
    buffers ``batch_mean`` (20) and ``batch_std`` (100) with weight ``t_alpha`` before use;
    ``q = clamp(h (n - mean) / (std + 1e-3), -1, 1)``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin, in [0, pi / 2). Default: 0.4.
        h (float): Concentration, > 0. Default: 0.333.
        t_alpha (float): Weight of the new batch, in (0, 1]. Default: 0.01.
        clamp_cosine (float): Clamp all cosines to +-(1 - this), as the public code does with 1e-3. Default: 0.
    """
    needs_norms = True

    def __init__(self, s=64.0, m=0.4, h=0.333, t_alpha=0.01, clamp_cosine=0.0):
        super().__init__(s)
        self.require_numbers(m=m, h=h, t_alpha=t_alpha, clamp_cosine=clamp_cosine)
        self.require(0 <= m < math.pi / 2, f'm must lie in [0, pi / 2), got {m}')
        self.require(h > 0, f'h must be positive, got {h}')
        self.require(0 < t_alpha <= 1, f't_alpha must lie in (0, 1], got {t_alpha}')
        self.require(0 <= clamp_cosine < 1, f'clamp_cosine must lie in [0, 1), got {clamp_cosine}')
        self.m, self.h, self.t_alpha, self.limit = m, h, t_alpha, 1 - clamp_cosine
        self.clamps = clamp_cosine > 0
        self.register_buffer('batch_mean', torch.tensor(20.0))
        self.register_buffer('batch_std', torch.tensor(100.0))

    @torch.no_grad()
    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """Move the statistics; the context holds the quality q in [-1, 1], (N,)."""
        norms = norms.detach().clamp(1e-3, 100)
        if update:
            deviation = norms.std() if len(norms) > 1 else norms.new_zeros(())
            self.batch_mean.copy_(self.t_alpha * norms.mean() + (1 - self.t_alpha) * self.batch_mean)
            self.batch_std.copy_(self.t_alpha * deviation + (1 - self.t_alpha) * self.batch_std)
        quality = self.h * (norms - self.batch_mean) / (self.batch_std + 1e-3)
        return dict(quality=quality.clamp(-1, 1))

    def target_logit(self, target, context):
        """``s (cos(clamp(theta - m q, 1e-3, pi - 1e-3)) - (m + m q))``, (N,)."""
        turn = self.m * context['quality']
        target = target.clamp(-self.limit, self.limit) if self.clamps else target
        return self.s * (torch.cos((angle(target) - turn).clamp(1e-3, math.pi - 1e-3)) - (self.m + turn))

    def other_logits(self, cosine, context):
        """``s c_j``, (N, B)."""
        return self.s * (cosine.clamp(-self.limit, self.limit) if self.clamps else cosine)
