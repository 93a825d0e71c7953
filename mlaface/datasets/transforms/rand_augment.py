"""Some changes out of a list, all of one strength (Cubuk et al., RandAugment, CVPR workshops 2020), as suits faces."""
import cv2
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform
from mlaface.datasets.transforms.color_jitter import brightness, contrast, saturation
from mlaface.registry import TRANSFORMS

LEVELS = 30
SOFT = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13  # PIL's, of its sharpness


def sharpness(image, factor):
    """An image between a smoothed one (0), itself (1) and beyond; the border as it is."""
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, SOFT)[1:-1, 1:-1]
    return np.clip(np.rint(smooth + np.float32(factor) * (image.astype(np.float32) - smooth)), 0, 255).astype(np.uint8)


def posterize(image, bits):
    """The first ``bits`` bits of each value."""
    return image & np.uint8(256 - (1 << (8 - bits)))


def autocontrast(image):
    """Each colour stretched to 0 .. 255."""
    low, high = image.min((0, 1)).astype(np.float32), image.max((0, 1)).astype(np.float32)
    scale = np.where(high > low, 255 / np.maximum(high - low, 1), 1)
    low = np.where(high > low, low, 0)
    return np.clip((image - low) * scale, 0, 255).astype(np.uint8)


def equalize(image):
    """Each colour with its values spread evenly."""
    return np.dstack([cv2.equalizeHist(np.ascontiguousarray(image[..., c])) for c in range(3)])


def warp(image, matrix):
    """An image moved by a matrix (2, 2) about its centre and a shift, as (2, 3); edges are repeated."""
    height, width = image.shape[:2]
    matrix = np.array(matrix, np.float64)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix[:, 2] += centre - matrix[:, :2] @ centre
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _turn(angle):
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return [[c, -s, 0], [s, c, 0]]


# name: change of an image, by the strength s in [0, 1] and with a random sign for those that have a direction
SIGNED = {
    'brightness': lambda image, s: brightness(image, 1 + 0.9 * s),
    'contrast': lambda image, s: contrast(image, 1 + 0.9 * s),
    'saturation': lambda image, s: saturation(image, 1 + 0.9 * s),
    'sharpness': lambda image, s: sharpness(image, 1 + 0.9 * s),
    'rotate': lambda image, s: warp(image, _turn(10 * s)),
    'shear_x': lambda image, s: warp(image, [[1, 0.1 * s, 0], [0, 1, 0]]),
    'shear_y': lambda image, s: warp(image, [[1, 0, 0], [0.1 * s, 1, 0]]),
    'translate_x': lambda image, s: warp(image, [[1, 0, 0.1 * s * image.shape[1]], [0, 1, 0]]),
    'translate_y': lambda image, s: warp(image, [[1, 0, 0], [0, 1, 0.1 * s * image.shape[0]]]),
}
UNSIGNED = {
    'identity': lambda image, s: image,
    'autocontrast': lambda image, s: autocontrast(image),
    'equalize': lambda image, s: equalize(image),
    'posterize': lambda image, s: posterize(image, 8 - round(4 * s)),
}
CHANGES = (*SIGNED, *UNSIGNED)


@TRANSFORMS.register_module()
class RandAugment(RandomTransform):
    """``n`` changes, drawn with repeats out of a list, at one magnitude.

    The list is the paper's without solarize, which makes another face; light, colour, sharpness and posterize in the
    ranges of torchvision; turns, shears and shifts in a third of them (10 degrees, 0.1, 10%), since faces come aligned.

    Args:
        n (int): Changes an image; default 2.
        magnitude (int): 0 (nothing) to 30; default 9.
        changes (Sequence[str], optional): Names of those to draw from. Default all: brightness, contrast, saturation,
            sharpness, rotate, shear_x, shear_y, translate_x, translate_y, identity, autocontrast, equalize, posterize.
        prob (float): Share of the images; default 1.

    Raises:
        ValueError: If a number is out of range or a change is unknown.
    """

    def __init__(self, n=2, magnitude=9, changes=None, prob=1.0):
        super().__init__(prob)
        changes = CHANGES if changes is None else tuple(changes)
        if n < 0 or not 0 <= magnitude <= LEVELS:
            raise ValueError(f'n={n}, magnitude={magnitude}; n is at least 0, magnitude 0 to {LEVELS}')
        if not changes or set(changes) - set(CHANGES):
            raise ValueError(f'changes is {list(changes)}; choose of {", ".join(CHANGES)}')
        self.n, self.strength, self.changes = n, magnitude / LEVELS, changes

    def apply(self, image, rng):
        """The changed image."""
        for name in rng.choice(self.changes, self.n):
            sign = 1 if rng.random() < 0.5 else -1
            image = (SIGNED[name](image, sign * self.strength) if name in SIGNED
                     else UNSIGNED[name](image, self.strength))
        return image
