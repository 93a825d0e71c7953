"""A part of the face at its place, the rest black (AdaFace: Kim et al., CVPR 2022, section 4.1)."""
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform, check_range, random_rectangle
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomCrop(RandomTransform):
    """Keep a random rectangle where it is and black out what lies outside.

    Args:
        area (tuple[float, float]): Share of the area that is kept.
        ratio (tuple[float, float]): Width over height.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, area=(0.2, 1.0), ratio=(0.75, 4 / 3), prob=0.2):
        super().__init__(prob)
        self.area = check_range('area', area, 0.01, 1.0)
        self.ratio = check_range('ratio', ratio, 0.1, 10.0)

    def apply(self, image, rng):
        """The image with a black surround."""
        inside = random_rectangle(image.shape, self.area, self.ratio, rng)
        out = np.zeros_like(image)
        out[inside] = image[inside]
        return out
