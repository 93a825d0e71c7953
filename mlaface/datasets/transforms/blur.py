"""A lens out of focus, or a hand that moved."""
import cv2
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform, check_number, check_range
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomBlur(RandomTransform):
    """Gaussian blur, or motion blur along a line.

    Args:
        sigma (tuple[float, float]): Of the Gaussian, in pixels.
        length (tuple[int, int]): Of the motion, in pixels.
        motion (float): Share of motion blur among the blurred; default 0.3.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, sigma=(0.5, 2.5), length=(3, 9), motion=0.3, prob=0.2):
        super().__init__(prob)
        self.sigma = check_range('sigma', sigma, 0.01, 50.0)
        self.length = check_range('length', length, 1, 63)
        self.motion = check_number('motion', motion, 0.0, 1.0)

    def apply(self, image, rng):
        """The blurred image."""
        if rng.random() >= self.motion:
            return cv2.GaussianBlur(image, (0, 0), rng.uniform(*self.sigma))
        return cv2.filter2D(image, -1, motion_kernel(int(rng.integers(self.length[0], self.length[1] + 1)),
                                                     rng.uniform(0, np.pi)))


def motion_kernel(length, angle):
    """A line of weights that sum to 1.

    Args:
        length (int): In pixels.
        angle (float): In radians.

    Returns:
        ndarray: Float32 (K, K), K odd.
    """
    half = length // 2
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    right, down = half * np.cos(angle), half * np.sin(angle)
    ends = [(round(half + sign * right), round(half + sign * down)) for sign in (-1, 1)]
    cv2.line(kernel, *ends, 1.0)
    return kernel / kernel.sum()
