"""The marks of strong JPEG compression."""
from mlaface.datasets.formats.jpeg import decode, encode
from mlaface.datasets.transforms._base import RandomTransform, check_range
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class JPEGCompression(RandomTransform):
    """Encode and decode again.

    Args:
        quality (tuple[int, int]): Smallest and largest quality, both possible.
        prob (float): Share of the images; default 0.2.
    """

    def __init__(self, quality=(20, 80), prob=0.2):
        super().__init__(prob)
        self.quality = check_range('quality', quality, 1, 100)

    def apply(self, image, rng):
        """The image as its JPEG shows it."""
        low, high = self.quality
        return decode(encode(image, int(rng.integers(low, high + 1))))
