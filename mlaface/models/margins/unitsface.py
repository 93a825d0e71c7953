"""UniTSFace (Jia et al., NeurIPS 2023, arXiv:2309.14056): CosFace with a unified sample-to-sample loss."""
import math

import torch
from torch import nn
from torch.nn import functional

from mlaface.models.margins.base import Margin
from mlaface.registry import MARGINS


@MARGINS.register_module()
class UniTSFace(Margin):
    """CosFace + weight x mean_i [mean_p ``softplus(-gamma (g_ip - m_s) + b)`` + ``softplus(lse_n - b)``].

    p are the other samples of the class, g are cosines between embeddings of the global batch, ``lse_n`` is the
    log-sum-exp of ``gamma g_in`` over samples of other classes. Terms without positives or negatives are left out.
    The learnable ``bias`` b starts at ln C.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin on the cosine, in [0, 2). Default: 0.4.
        gamma (float): Scale of the sample-to-sample term, > 0. Default: 64.
        m_s (float): Its margin, in [0, 2). Default: 0.1.
        weight (float): Its weight, >= 0. Default: 1.
    """
    needs_embeddings = True

    def __init__(self, s=64.0, m=0.4, gamma=64.0, m_s=0.1, weight=1.0):
        super().__init__(s)
        self.require_numbers(m=m, gamma=gamma, m_s=m_s, weight=weight)
        self.require(0 <= m < 2 and 0 <= m_s < 2, f'm and m_s must lie in [0, 2), got {m} and {m_s}')
        self.require(gamma > 0, f'gamma must be positive, got {gamma}')
        self.require(weight >= 0, f'weight must not be negative, got {weight}')
        self.m, self.gamma, self.m_s, self.weight = m, gamma, m_s, weight
        self.bias = nn.Parameter(torch.zeros(()))

    def set_num_classes(self, num_classes, local_classes=None):
        """Start the bias at ln C."""
        super().set_num_classes(num_classes, local_classes)
        with torch.no_grad():
            self.bias.fill_(math.log(num_classes))

    def target_logit(self, target, context):
        """``s (c_y - m)``, (N,)."""
        return self.s * (target - self.m)

    def penalty(self, context, embeddings=None, labels=None):
        """The sample-to-sample term of each sample of the global batch, (N,)."""
        unit = functional.normalize(embeddings, dim=1, eps=torch.finfo(embeddings.dtype).tiny)
        scaled = self.gamma * (unit @ unit.T)
        same = labels[:, None] == labels
        positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        pull = functional.softplus(self.gamma * self.m_s + self.bias - scaled, threshold=40)
        pull = (pull * positive).sum(1) / positive.sum(1).clamp(min=1)
        lonely = same.all(1)
        background = torch.logsumexp(scaled.masked_fill(same & ~lonely[:, None], -torch.inf), 1)
        push = functional.softplus(background - self.bias, threshold=40)
        return self.weight * (pull + torch.where(lonely, 0.0, push))
