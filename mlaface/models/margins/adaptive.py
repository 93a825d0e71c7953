"""Adaptive scale and margin: AdaCos (Zhang et al., CVPR 2019), AdaM-Softmax (Liu et al., CVPR 2019)."""
import math

import torch
from torch import nn

from mlaface.models.margins.base import Margin, angle
from mlaface.registry import MARGINS


@MARGINS.register_module()
class AdaCos(Margin):
    """AdaCos (arXiv:1905.00292): no margin, a scale that follows training; buffer ``s``, starting at sqrt2 ln(C - 1).

    ``dynamic``: B = batch mean of ``sum_{j != y} exp(s_prev c_j)``; ``s = ln B / cos(min(pi / 4, median theta_y))``;
    the median is the lower middle element. The scale is a constant to the gradient.

    Args:
        dynamic (bool): Move the scale with each training batch. Default: True.
    """

    def __init__(self, dynamic=True):
        super().__init__()
        del self.s
        self.register_buffer('s', torch.tensor(math.nan))
        self.dynamic = dynamic
        self.needs_row = 'update' if dynamic else None

    def set_num_classes(self, num_classes, local_classes=None):
        """Start the scale.

        Raises:
            ValueError: If C < 3, for which the scale would be 0 or infinite.
        """
        self.require(num_classes >= 3, f'needs 3 classes at least (its scale is ln(C - 1)), got {num_classes}')
        super().set_num_classes(num_classes, local_classes)
        self.s.fill_(math.sqrt(2) * math.log(num_classes - 1))

    def row_sums(self, cosine, valid, context):
        """``sum_j exp(s (c_j - 1))``, (N, 1): the shift keeps it finite at any scale."""
        return (torch.exp(self.s * (cosine - 1)) * valid).sum(1, keepdim=True)

    @torch.no_grad()
    def finish(self, target, context, sums, update=False):
        """Move the scale."""
        background = sums.mean().clamp(min=torch.finfo(sums.dtype).tiny).log() + self.s
        middle = angle(target).median().clamp(max=math.pi / 4)
        self.s.copy_(background / torch.cos(middle))
        return context

    def target_logit(self, target, context):
        """``s c_y``, (N,), by the scale as it stands."""
        return self.s.to(target.dtype).clone() * target

    def other_logits(self, cosine, context):
        """``s c_j``, (N, B)."""
        return self.s.to(cosine.dtype).clone() * cosine


@MARGINS.register_module()
class AdaMSoftmax(Margin):
    """AdaM-Softmax (AdaptiveFace): target ``s (c_y - m_y)`` with a learnable margin a class; loss - lam mean_c m_c.

    Margins are used clamped to [0, 1]; the parameter ``class_margin`` is split over ranks with the classes.

    Args:
        s (float): Scale. Default: 30.
        m (float): Start of the margins, in [0, 1]. Default: 0.4.
        lam (float): Weight of the term that keeps margins large, >= 0. Default: 1.
    """
    class_parameters = ('class_margin',)

    def __init__(self, s=30.0, m=0.4, lam=1.0):
        super().__init__(s)
        self.require_numbers(m=m, lam=lam)
        self.require(0 <= m <= 1, f'm must lie in [0, 1], got {m}')
        self.require(lam >= 0, f'lam must not be negative, got {lam}')
        self.m, self.lam = m, lam
        self.register_parameter('class_margin', None)

    def set_num_classes(self, num_classes, local_classes=None):
        """Make the margins of this rank's classes."""
        super().set_num_classes(num_classes, local_classes)
        local = num_classes if local_classes is None else local_classes
        self.class_margin = nn.Parameter(torch.full((local,), float(self.m)))

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds the margin of each sample's class, (N,)."""
        return dict(margin=classes['class_margin'].clamp(0, 1))

    def target_logit(self, target, context):
        """``s (c_y - m_y)``, (N,)."""
        return self.s * (target - context['margin'])

    def class_penalty(self):
        """``-lam sum_c m_c / C`` over this rank's classes, a scalar."""
        return -self.lam * self.class_margin.clamp(0, 1).sum() / self.num_classes
