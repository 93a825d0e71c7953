"""CosFace (Wang et al., CVPR 2018, arXiv:1801.09414), the same as AM-Softmax (arXiv:1801.05599)."""
from mlaface.models.margins.base import Margin
from mlaface.registry import MARGINS


@MARGINS.register_module()
class CosFace(Margin):
    """Additive cosine margin: ``z_y = s (c_y - m)``.

    Args:
        s (float): Scale. Default: 64.
        m (float): Margin on the cosine, in [0, 2). Default: 0.35; public WebFace and Glint recipes take 0.4.
    """

    def __init__(self, s=64.0, m=0.35):
        super().__init__(s)
        self.require_numbers(m=m)
        self.require(0 <= m < 2, f'm must lie in [0, 2), got {m}')
        self.m = m

    def target_logit(self, target, context):
        """``s (c_y - m)``, (N,)."""
        return self.s * (target - self.m)
