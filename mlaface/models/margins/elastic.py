"""ElasticFace (Boutros et al., CVPRW 2022, arXiv:2109.09416): margins drawn anew for each sample."""
import math

import torch

from mlaface.models.margins.base import Margin, arc
from mlaface.registry import MARGINS


class _Elastic(Margin):
    """Draws of Normal(m, sigma), from a generator that is a function of the seed and the number of the batch.

    Without update (validation, ``logits``) and without given draws the margin is m.
    """

    def __init__(self, s, m, sigma, plus, seed, drawn, largest):
        super().__init__(s)
        self.require_numbers(m=m, sigma=sigma)
        self.require(0 <= m < largest, f'm must lie in [0, {largest:.4g}), got {m}')
        self.require(sigma >= 0, f'sigma must not be negative, got {sigma}')
        self.require(isinstance(seed, int), f'seed must be a whole number, got {seed!r}')
        self.m, self.sigma, self.plus, self.seed = m, sigma, plus, seed
        self.drawn = None if drawn is None else torch.as_tensor(drawn)
        self.step = 0

    def get_extra_state(self):
        """The number of batches drawn for: with the seed it is the whole state of the draws."""
        return dict(step=self.step)

    def set_extra_state(self, state):
        """Put back what ``get_extra_state`` gave."""
        self.step = int(state['step'])

    def begin(self, target, labels, *, norms=None, drawn=None, classes=None, update=False):
        """The context holds each sample's margin, (N,)."""
        drawn = self.drawn if drawn is None else drawn
        if drawn is None:
            drawn = self._draw(len(target)) if update else target.new_full(target.shape, self.m)
        if drawn.shape != target.shape:
            raise ValueError(f'{type(self).__name__}: drawn must be ({len(target)},), got {tuple(drawn.shape)}')
        drawn = drawn.to(target, non_blocking=True)
        return dict(margin=self._ordered(target.detach(), drawn) if self.plus else drawn)

    def _draw(self, count):
        self.step += 1
        generator = torch.Generator().manual_seed((self.seed * 0x9e3779b1 + self.step) & 0xffffffff)
        return torch.empty(count, dtype=torch.float64).normal_(self.m, self.sigma, generator=generator)

    @staticmethod
    def _ordered(target, drawn):
        """The smallest margin for the largest target cosine, (N,)."""
        ordered = torch.empty_like(drawn)
        ordered[target.argsort(descending=True, stable=True)] = drawn.sort().values
        return ordered


@MARGINS.register_module()
class ElasticArcFace(_Elastic):
    """ArcFace with a drawn margin: ``z_y = s arc(c_y, m_i)``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Mean margin in radians, in [0, pi). Default: 0.5.
        sigma (float): Its standard deviation, >= 0. Default: 0.0125.
        plus (bool): Sort: the sample with the largest target cosine of the global batch gets the smallest margin. The
            public code scatters the sorted margins without reordering rows. Default: False.
        seed (int): Seed of the draws. Default: 0.
        drawn (Tensor | None): Given draws (N,) for every batch, for tests. Default: None.
    """

    def __init__(self, s=64.0, m=0.5, sigma=0.0125, plus=False, seed=0, drawn=None):
        super().__init__(s, m, sigma, plus, seed, drawn, math.pi)

    def target_logit(self, target, context):
        """``s arc(c_y, m_i)``, (N,)."""
        return self.s * arc(target, context['margin'])


@MARGINS.register_module()
class ElasticCosFace(_Elastic):
    """CosFace with a drawn margin: ``z_y = s (c_y - m_i)``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Mean margin on the cosine, in [0, 2). Default: 0.35.
        sigma (float): Its standard deviation, >= 0. Default: 0.0125.
        plus (bool): As in ``ElasticArcFace``. Default: False.
        seed (int): Seed of the draws. Default: 0.
        drawn (Tensor | None): Given draws (N,) for every batch, for tests. Default: None.
    """

    def __init__(self, s=64.0, m=0.35, sigma=0.0125, plus=False, seed=0, drawn=None):
        super().__init__(s, m, sigma, plus, seed, drawn, 2.0)

    def target_logit(self, target, context):
        """``s (c_y - m_i)``, (N,)."""
        return self.s * (target - context['margin'])
