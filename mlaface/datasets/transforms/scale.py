"""Another scale and place of the face in the image, as a careless alignment gives it."""
import cv2
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform, check_number, check_range
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomScale(RandomTransform):
    """Scale about the centre and shift; edges are repeated.

    Args:
        scale (tuple[float, float]): Factor.
        shift (float): Largest shift, as a share of the side.
        prob (float): Share of the images; default 0.5.
    """

    def __init__(self, scale=(0.9, 1.1), shift=0.03, prob=0.5):
        super().__init__(prob)
        self.scale = check_range('scale', scale, 0.1, 10.0)
        self.shift = check_number('shift', shift, 0.0, 0.5)

    def apply(self, image, rng):
        """The scaled and shifted image, of the same size."""
        height, width = image.shape[:2]
        factor = rng.uniform(*self.scale)
        right, down = rng.uniform(-self.shift, self.shift, 2) * (width, height)
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.array([[factor, 0, 0], [0, factor, 0]])
        matrix[:, 2] = centre * (1 - factor) + (right, down)
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
