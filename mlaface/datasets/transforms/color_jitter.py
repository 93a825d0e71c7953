"""Other light: brightness, contrast and saturation (AdaFace: Kim et al., CVPR 2022, section 4.1)."""
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform, check_number
from mlaface.registry import TRANSFORMS

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def blend(image, other, factor):
    """``other + factor * (image - other)``, as an image uint8 (H, W, 3); a factor of 1 is the image, 0 the other."""
    other = np.asarray(other, np.float32)
    return np.clip(np.rint(other + np.float32(factor) * (image - other)), 0, 255).astype(np.uint8)


def brightness(image, factor):
    """An image between black (0), itself (1) and beyond."""
    return blend(image, 0, factor)


def contrast(image, factor):
    """An image between its mean grey (0), itself (1) and beyond."""
    return blend(image, (image.astype(np.float32) @ LUMA).mean(), factor)


def saturation(image, factor):
    """An image between grey (0), itself (1) and beyond."""
    return blend(image, (image.astype(np.float32) @ LUMA)[..., None], factor)


STEPS = (brightness, contrast, saturation)


@TRANSFORMS.register_module()
class ColorJitter(RandomTransform):
    """Multiply brightness, contrast and saturation by factors from ``1 - x`` to ``1 + x``.

    Args:
        brightness (float): Default 0.5.
        contrast (float): Default 0.5.
        saturation (float): Default 0.5.
        shuffle (bool): Whether the three are done in a random order and rounded after each, as torchvision's are.
            Default False: brightness, saturation, contrast.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, brightness=0.5, contrast=0.5, saturation=0.5, prob=0.2, shuffle=False):
        super().__init__(prob)
        self.shuffle = shuffle
        self.strength = [check_number(name, value, 0.0, 1.0) for name, value in (
            ('brightness', brightness), ('contrast', contrast), ('saturation', saturation))]

    def apply(self, image, rng):
        """The image in other light."""
        bright, contrast, saturate = (rng.uniform(1 - x, 1 + x) for x in self.strength)
        if self.shuffle:
            factors = (bright, contrast, saturate)
            for number in rng.permutation(3):
                image = STEPS[number](image, factors[number])
            return image
        pixels = image.astype(np.float32) * np.float32(bright)
        grey = pixels @ LUMA
        pixels = grey[..., None] + (pixels - grey[..., None]) * np.float32(saturate)
        pixels = grey.mean() + (pixels - grey.mean()) * np.float32(contrast)
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
