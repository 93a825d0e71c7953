"""Something in front of the face (random erasing: Zhong et al., AAAI 2020)."""
from mlaface.datasets.transforms._base import RandomTransform, check_number, check_range, random_rectangle
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomOcclusion(RandomTransform):
    """Cover a rectangle with one colour, or with noise.

    Args:
        area (tuple[float, float]): Share of the image that is covered.
        ratio (tuple[float, float]): Width over height.
        noise (float): Share of noise among the covered; default 0.3.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, area=(0.05, 0.3), ratio=(0.3, 3.3), noise=0.3, prob=0.2):
        super().__init__(prob)
        self.area = check_range('area', area, 0.0, 1.0)
        self.ratio = check_range('ratio', ratio, 0.1, 10.0)
        self.noise = check_number('noise', noise, 0.0, 1.0)

    def apply(self, image, rng):
        """A copy of the image with a rectangle over it."""
        covered = random_rectangle(image.shape, self.area, self.ratio, rng)
        out = image.copy()
        shape = out[covered].shape if rng.random() < self.noise else (1, 1, 3)
        out[covered] = rng.integers(0, 256, shape, dtype='uint8')
        return out
