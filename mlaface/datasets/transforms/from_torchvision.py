"""Transforms of torchvision, version 2, by name: ``torchvision.GaussianBlur``."""
import numpy as np
import torch

from mlaface.registry import TRANSFORMS
from mlaface.utils.foreign import Library


class TorchvisionTransform:
    """A transform of torchvision whose randomness is that of the image.

    Args:
        transform (torchvision.transforms.v2.Transform): Draws from torch's generator of the CPU.
    """

    def __init__(self, transform):
        self.transform = transform

    def __call__(self, image, rng):
        """The transformed image, (H, W, 3); see ``transforms/_base.py``."""
        before = torch.get_rng_state()
        torch.default_generator.manual_seed(int(rng.integers(1 << 62)))
        try:
            changed = self.transform(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1))
        finally:
            torch.set_rng_state(before)
        return np.ascontiguousarray(changed.permute(1, 2, 0).numpy())


@TRANSFORMS.register_module(name='torchvision.*')
class OfTorchvision:
    """Transforms of torchvision, version 2 by name, ``torchvision.NAME``."""
    named = Library('torchvision', ['torchvision.transforms.v2'], TorchvisionTransform).named
