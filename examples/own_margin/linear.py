"""Li-ArcFace (Li et al., Airface, ICCV workshop 2019): a margin of one's own, in one file."""
import math

from mlaface.models.margins.base import Margin, angle
from mlaface.registry import MARGINS


@MARGINS.register_module()
class LinearMargin(Margin):
    """The logit falls linearly with the angle: ``s (pi - 2 (theta + m)) / pi``; ``m`` at the target only.

    Args:
        s (float): Scale. Default 64.
        m (float): Margin in radians. Default 0.4.
    """

    def __init__(self, s=64.0, m=0.4):
        super().__init__(s)
        self.m = m

    def target_logit(self, target, context):
        """Of each sample's own class, (N,)."""
        return self.s * (math.pi - 2 * (angle(target) + self.m)) / math.pi

    def other_logits(self, cosine, context):
        """Of a block of other classes, (N, C)."""
        return self.s * (math.pi - 2 * angle(cosine)) / math.pi
