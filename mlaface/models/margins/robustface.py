"""RobustFace (2024): hard samples are mined and noisy labels disarmed in the loss itself."""
import math

import torch

from mlaface.models.margins.base import Margin, angle, arc
from mlaface.registry import MARGINS


@MARGINS.register_module()
class RobustFace(Margin):
    """ArcFace whose other classes are clean, hard (``c_j > p``) or suspected of being the true one (``c_j > q``).

    ``p = arc(c_y, m)``, ``q = cos(max(theta_y - m1, 0))``, both constant. A hard cosine is multiplied by ``1 + t``, a
    suspected one becomes ``max(0, c_j (1 - phi / clear)^2)``. In training first ``m1 *= max(0, 1 - phi / clear)``, then
    ``phi = 0.01 (share of all N x C cosines not above p) + 0.99 phi``; buffers ``phi`` (0) and ``m1``.
    ``clear = 1 - noise_rate``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin in radians, in [0, pi). Default: 0.5.
        m1 (float): Start of the noise margin in radians, in [0, pi). Default: 0.15.
        t (float): Weight of hard classes, >= 0. Default: 0.2.
        noise_rate (float): Expected share of wrong labels, in [0, 1). Default: 0.2.
        m1_schedule (str): ``'shrink'`` as above, every step, or ``'fixed'``. Default: ``'shrink'``.
    """
    needs_row = 'update'

    def __init__(self, s=64.0, m=0.5, m1=0.15, t=0.2, noise_rate=0.2, m1_schedule='shrink'):
        super().__init__(s)
        self.require_numbers(m=m, m1=m1, t=t, noise_rate=noise_rate)
        self.require(0 <= m < math.pi, f'm must lie in [0, pi) radians, got {m}')
        self.require(0 <= m1 < math.pi, f'm1 must lie in [0, pi) radians, got {m1}')
        self.require(t >= 0, f't must not be negative, got {t}')
        self.require(0 <= noise_rate < 1, f'noise_rate must lie in [0, 1), got {noise_rate}')
        self.require(m1_schedule in ('shrink', 'fixed'), f"m1_schedule is 'shrink' or 'fixed', got {m1_schedule!r}")
        self.m, self.t, self.clear, self.m1_schedule = m, t, 1 - noise_rate, m1_schedule
        self.register_buffer('phi', torch.zeros(()))
        self.register_buffer('m1', torch.tensor(float(m1)))

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """Shrink m1; the context holds both bounds, (N,), and the factor of suspected cosines, ()."""
        if update and self.m1_schedule == 'shrink':
            self.m1 *= (1 - self.phi / self.clear).clamp(min=0)
        plain = target.detach()
        return dict(target=arc(target, self.m), noise=torch.cos((angle(plain) - self.m1).clamp(min=0)),
                    press=self._press())

    def _press(self):
        return (1 - self.phi / self.clear) ** 2

    def row_sums(self, cosine, valid, context):
        """Number of easy cosines and of all, (N, 2)."""
        easy = (cosine <= context['target'][:, None]) & valid
        return torch.stack([easy.sum(1), valid.sum(1)], dim=1).to(cosine.dtype)

    @torch.no_grad()
    def finish(self, target, context, sums, update=False):
        """Move phi by the share of easy cosines, own classes among them."""
        easy = sums[:, 0].sum() + (target <= context['target']).sum()
        share = easy / (sums[:, 1].sum() + len(target))
        self.phi.copy_(0.01 * share + 0.99 * self.phi)
        return dict(context, press=self._press())

    def target_logit(self, target, context):
        """``s arc(c_y, m)``, (N,)."""
        return self.s * context['target']

    def other_logits(self, cosine, context):
        """Clean ``s c_j``, hard ``s c_j (1 + t)``, suspected ``s max(0, c_j (1 - phi / clear)^2)``, (N, B)."""
        hard = cosine > context['target'].detach()[:, None]
        noise = cosine > context['noise'][:, None]
        kept = torch.where(hard, cosine * (1 + self.t), cosine)
        return self.s * torch.where(noise, (cosine * context['press']).clamp(min=0), kept)
