"""Left for right."""
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFlip(RandomTransform):
    """Mirror the image.

    Args:
        prob (float): Share of the images; default 0.5.
    """

    def __init__(self, prob=0.5):
        super().__init__(prob)

    def apply(self, image, rng):
        """The mirrored image."""
        return np.ascontiguousarray(image[:, ::-1])
