"""Transforms of albumentations (Buslaev et al., 2020) by name: ``albumentations.Blur``."""
import random

from mlaface.registry import TRANSFORMS
from mlaface.utils.foreign import Library


class Albumentation:
    """A transform of albumentations whose randomness is that of the image.

    Args:
        transform (BasicTransform | BaseCompose): Of albumentations, from version 2 on.
    """

    def __init__(self, transform):
        self.transform = transform

    def __call__(self, image, rng):
        """The transformed image, uint8 (H, W, 3); see ``transforms/_base.py``."""
        self.transform.set_random_state(rng, random.Random(int(rng.integers(1 << 62))))
        return self.transform(image=image)['image']


@TRANSFORMS.register_module(name='albumentations.*')
class OfAlbumentations:
    """Transforms of albumentations by name, ``albumentations.NAME``."""
    named = Library('albumentations', ['albumentations'], Albumentation).named
