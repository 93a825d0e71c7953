"""ArcFace (Deng et al., CVPR 2019, arXiv:1801.07698), its combined margin, and the sub-center form (ECCV 2020)."""
import math

import torch

from mlaface.models.margins.base import Margin, angle, arc, cos_plus
from mlaface.registry import MARGINS


@MARGINS.register_module()
class ArcFace(Margin):
    """Additive angular margin: ``z_y = s cos(theta_y + m)``, with the monotone guard ``c - m sin(m)`` near pi.

    Gradient modes: ``'analytic'`` differentiates the formula; ``'straight_through'`` has the value cos(theta + m)
    without guard and derivative 1 with respect to the cosine, which is what the most used public trainer trains.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin in radians, in [0, pi). Default: 0.5.
        gradient (str): ``'analytic'`` or ``'straight_through'``. Default: ``'analytic'``.
        easy_margin (bool): Margin only where the cosine is positive, ``c`` elsewhere. Default: False.
    """

    def __init__(self, s=64.0, m=0.5, gradient='analytic', easy_margin=False):
        super().__init__(s)
        self.require_numbers(m=m)
        self.require(0 <= m < math.pi, f'm must lie in [0, pi) radians, got {m}')
        self.require(gradient in ('analytic', 'straight_through'),
                     f"gradient must be 'analytic' or 'straight_through', got {gradient!r}")
        self.require(not (easy_margin and gradient == 'straight_through'),
                     'easy_margin has no straight_through form')
        self.m, self.gradient, self.easy_margin = m, gradient, easy_margin

    def target_logit(self, target, context):
        """``s arc(c_y, m)``, (N,)."""
        if self.gradient == 'straight_through':
            return self.s * (target + (cos_plus(target, self.m) - target).detach())
        if self.easy_margin:
            return self.s * torch.where(target > 0, cos_plus(target, self.m), target)
        return self.s * arc(target, self.m)


@MARGINS.register_module()
class SubCenterArcFace(ArcFace):
    """Sub-center ArcFace (Deng et al., ECCV 2020): k centres a class, the nearest one counts.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin in radians. Default: 0.5.
        k (int): Centres a class, >= 1; rows ``c k .. c k + k - 1`` of the weight. Default: 3.
        gradient (str): As in ``ArcFace``. Default: ``'analytic'``.
        easy_margin (bool): As in ``ArcFace``. Default: False.
    """

    def __init__(self, s=64.0, m=0.5, k=3, gradient='analytic', easy_margin=False):
        super().__init__(s, m, gradient, easy_margin)
        self.require(isinstance(k, int) and k >= 1, f'k must be a whole number of at least 1, got {k}')
        self.centers_per_class = k


@MARGINS.register_module()
class CombinedMargin(Margin):
    """Combined margin (ArcFace paper, equation 4): ``cos(m1 theta + m2) - m3``, beyond pi ``-2 - cos(.) - m3``.

    Args:
        s (float): Scale. Default: 64.
        m1 (float): Factor on the angle, >= 1e-3. Default: 1.
        m2 (float): Margin in radians, >= 0. Default: 0.3, the paper's CM2 with m3 0.2.
        m3 (float): Margin on the cosine, >= 0. Default: 0.2.
    """

    def __init__(self, s=64.0, m1=1.0, m2=0.3, m3=0.2):
        super().__init__(s)
        self.require_numbers(m1=m1, m2=m2, m3=m3)
        self.require(m1 >= 1e-3, f'm1 must be positive, got {m1}')
        self.require(m2 >= 0 and m3 >= 0, f'm2 and m3 must not be negative, got {m2} and {m3}')
        self.require(m1 * math.pi + m2 <= 2 * math.pi,
                     f'm1 pi + m2 must not pass 2 pi, beyond which the logit would rise again; got {m1} and {m2}')
        self.m1, self.m2, self.m3 = m1, m2, m3

    def target_logit(self, target, context):
        """The margin of equation 4, monotone in the angle, (N,)."""
        moved = self.m1 * angle(target) + self.m2
        cosine = torch.cos(moved)
        return self.s * (torch.where(moved <= math.pi, cosine, -2 - cosine) - self.m3)
