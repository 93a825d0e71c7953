"""Margins that re-weigh hard classes: MV-Softmax, ArcNegFace, CurricularFace, NPCFace, CircleLoss."""
import math

import torch

from mlaface.models.margins.base import Margin, arc, cos_plus
from mlaface.registry import MARGINS


@MARGINS.register_module()
class MVSoftmax(Margin):
    """MV-Softmax (Wang et al., AAAI 2020, arXiv:1912.00833): where ``c_j > p``, ``t c_j + t - 1``.

    The target is ``p = c_y - m`` (``'am'``) or ``arc(c_y, m)`` (``'arc'``). The choice of hard classes is constant.

    Args:
        kind (str): ``'am'`` or ``'arc'``. Default: ``'am'``.
        t (float): Weight of hard classes, >= 0. Default: 1.2.
        s (float): Scale. Default: 32.
        m (float): Margin, >= 0. Default: 0.35.
    """

    def __init__(self, kind='am', t=1.2, s=32.0, m=0.35):
        super().__init__(s)
        self.require_numbers(t=t, m=m)
        self.require(kind in ('am', 'arc'), f"kind must be 'am' or 'arc', got {kind!r}")
        self.require(t >= 0, f't must not be negative, got {t}')
        self.require(0 <= m < (2 if kind == 'am' else math.pi), f'm is out of range, got {m}')
        self.kind, self.t, self.m = kind, t, m

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds the target with margin, (N,)."""
        return dict(target=target - self.m if self.kind == 'am' else arc(target, self.m))

    def target_logit(self, target, context):
        """``s p``, (N,)."""
        return self.s * context['target']

    def other_logits(self, cosine, context):
        """``s (t c_j + t - 1)`` where hard, ``s c_j`` elsewhere, (N, B)."""
        hard = cosine > context['target'].detach()[:, None]
        return self.s * torch.where(hard, self.t * cosine + self.t - 1, cosine)


@MARGINS.register_module()
class ArcNegFace(Margin):
    """ArcNegFace (Liu et al., Towards Flops-constrained Face Recognition, 2019, arXiv:1909.00632).

    Target ``p = arc(c_y, m)``; others ``s (t c + t - 1)``, ``t_j = alpha exp(-(c_j - p)^2 / sigma)``, constant.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin in radians, in [0, pi). Default: 0.5.
        alpha (float): Height of the weight, > 0. Default: 1.2.
        sigma (float): Width of the weight, > 0. Default: 2.
    """

    def __init__(self, s=64.0, m=0.5, alpha=1.2, sigma=2.0):
        super().__init__(s)
        self.require_numbers(m=m, alpha=alpha, sigma=sigma)
        self.require(0 <= m < math.pi, f'm must lie in [0, pi) radians, got {m}')
        self.require(alpha > 0 and sigma > 0, f'alpha and sigma must be positive, got {alpha} and {sigma}')
        self.m, self.alpha, self.sigma = m, alpha, sigma

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds the target with margin, (N,)."""
        return dict(target=arc(target, self.m))

    def target_logit(self, target, context):
        """``s p``, (N,)."""
        return self.s * context['target']

    def other_logits(self, cosine, context):
        """``s (t_j c_j + t_j - 1)``, (N, B)."""
        distance = (cosine - context['target'][:, None]).detach()
        t = self.alpha * torch.exp(-distance * distance / self.sigma)
        return self.s * (t * cosine + t - 1)


@MARGINS.register_module()
class CurricularFace(Margin):
    """CurricularFace (Huang et al., CVPR 2020, arXiv:2004.00288): where ``c_j > cos(theta_y + m)``, ``c_j (t + c_j)``.

    ``t``, a buffer, is the running mean of the target cosine, moved before use and constant. The gradient flows
    through both factors of ``c_j (t + c_j)``. Target ``arc(c_y, m)``; the bound for hard classes has no guard.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin in radians, in [0, pi). Default: 0.5.
        momentum (float): Weight of the new batch in t, in (0, 1]. Default: 0.01.
    """

    def __init__(self, s=64.0, m=0.5, momentum=0.01):
        super().__init__(s)
        self.require_numbers(m=m, momentum=momentum)
        self.require(0 <= m < math.pi, f'm must lie in [0, pi) radians, got {m}')
        self.require(0 < momentum <= 1, f'momentum must lie in (0, 1], got {momentum}')
        self.m, self.momentum = m, momentum
        self.register_buffer('t', torch.zeros(()))

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """Move t; the context holds it () and the bound for hard classes (N,)."""
        if update:
            self.t.copy_(self.momentum * target.detach().mean() + (1 - self.momentum) * self.t)
        return dict(t=self.t.to(target.dtype).clone(), bound=cos_plus(target, self.m).detach())

    def target_logit(self, target, context):
        """``s arc(c_y, m)``, (N,)."""
        return self.s * arc(target, self.m)

    def other_logits(self, cosine, context):
        """``s c_j (t + c_j)`` where hard, ``s c_j`` elsewhere, (N, B)."""
        hard = cosine > context['bound'][:, None]
        return self.s * torch.where(hard, cosine * (context['t'] + cosine), cosine)


@MARGINS.register_module()
class NPCFace(Margin):
    """NPCFace (Zeng et al., 2020, arXiv:2007.10172): the target's margin grows with its hard negatives.

    ``hard_j = c_j > cos(theta_y + m0)``; others hard: ``t c_j + a``; target ``arc(c_y, m0 + m1 h)``, h the mean of the
    hard ``c_j`` (0 if none), constant. The bound has no guard.

    Args:
        s (float): Scale. Default: 64.
        m0 (float): Margin in radians, in [0, pi). Default: 0.4.
        m1 (float): Weight of the hard mean, >= 0. Default: 0.2.
        t (float): Factor of hard classes, >= 0. Default: 1.1.
        a (float): Addend of hard classes. Default: 0.2.
    """
    needs_row = 'always'

    def __init__(self, s=64.0, m0=0.4, m1=0.2, t=1.1, a=0.2):
        super().__init__(s)
        self.require_numbers(m0=m0, m1=m1, t=t, a=a)
        self.require(0 <= m0 < math.pi, f'm0 must lie in [0, pi) radians, got {m0}')
        self.require(0 <= m1 <= math.pi - m0, f'm1 must lie in [0, pi - m0] radians, got {m1}')
        self.require(t >= 0, f't must not be negative, got {t}')
        self.m0, self.m1, self.t, self.a = m0, m1, t, a

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds the bound for hard classes, (N,)."""
        return dict(bound=cos_plus(target, self.m0).detach())

    def row_sums(self, cosine, valid, context):
        """Sum and number of hard cosines, (N, 2)."""
        hard = (cosine > context['bound'][:, None]) & valid
        return torch.stack([(cosine * hard).sum(1), hard.sum(1).to(cosine.dtype)], dim=1)

    def finish(self, target, context, sums, update=False):
        """Add each sample's margin ``m0 + m1 h``, (N,)."""
        return dict(context, margin=self.m0 + self.m1 * sums[:, 0] / sums[:, 1].clamp(min=1))

    def target_logit(self, target, context):
        """``s arc(c_y, m0 + m1 h)``, (N,)."""
        return self.s * arc(target, context['margin'])

    def other_logits(self, cosine, context):
        """``s (t c_j + a)`` where hard, ``s c_j`` elsewhere, (N, B)."""
        hard = cosine > context['bound'][:, None]
        return self.s * torch.where(hard, self.t * cosine + self.a, cosine)


@MARGINS.register_module()
class CircleLoss(Margin):
    """Circle loss (Sun et al., CVPR 2020, arXiv:2002.10857), class level.

    ``z_y = s a_p (c_y - (1 - m))``, ``z_j = s a_n (c_j - m)`` with ``a_p = max(0, 1 + m - c_y)`` and
    ``a_n = max(0, c_j + m)``, both constant.

    Args:
        s (float): Scale (gamma in the paper). Default: 256.
        m (float): Relaxation, in [0, 1]. Default: 0.25.
    """

    def __init__(self, s=256.0, m=0.25):
        super().__init__(s)
        self.require_numbers(m=m)
        self.require(0 <= m <= 1, f'm must lie in [0, 1], got {m}')
        self.m = m

    def target_logit(self, target, context):
        """``s a_p (c_y - (1 - m))``, (N,)."""
        pull = (1 + self.m - target).clamp(min=0).detach()
        return self.s * pull * (target - (1 - self.m))

    def other_logits(self, cosine, context):
        """``s a_n (c_j - m)``, (N, B)."""
        push = (cosine + self.m).clamp(min=0).detach()
        return self.s * push * (cosine - self.m)
