"""Softmax, and NormFace (Wang et al., ACM MM 2017, arXiv:1704.06369): no margin at all."""
from mlaface.models.margins.base import Margin
from mlaface.registry import MARGINS


@MARGINS.register_module()
class Softmax(Margin):
    """Plain softmax: ``z = W x``, not normalised, no bias, no scale."""
    normalized = False

    def __init__(self):
        super().__init__(s=1.0)


@MARGINS.register_module()
class NormFace(Margin):
    """Softmax of scaled cosines: ``z = s c``.

    Args:
        s (float): Scale. Default: 64.
    """
