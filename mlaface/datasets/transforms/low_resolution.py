"""Fewer pixels: what a distant camera sees (AdaFace: Kim et al., CVPR 2022, section 4.1)."""
import cv2

from mlaface.datasets.transforms._base import RandomTransform, check_range
from mlaface.registry import TRANSFORMS

METHODS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


@TRANSFORMS.register_module()
class LowResolution(RandomTransform):
    """Shrink and enlarge again, each by a random interpolation.

    Args:
        scale (tuple[float, float]): Side of the small image as a share of the side.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, scale=(0.2, 1.0), prob=0.2):
        super().__init__(prob)
        self.scale = check_range('scale', scale, 0.01, 1.0)

    def apply(self, image, rng):
        """The image with less detail, of the same size."""
        height, width = image.shape[:2]
        factor = rng.uniform(*self.scale)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        shrink, enlarge = rng.integers(len(METHODS), size=2)
        return cv2.resize(cv2.resize(image, size, interpolation=METHODS[shrink]), (width, height),
                          interpolation=METHODS[enlarge])
