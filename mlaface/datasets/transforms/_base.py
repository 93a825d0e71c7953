"""What every transform of an image is.

A transform is called as ``transform(image, rng) -> image``. The image is RGB, uint8, height before width before colour
``(H, W, 3)``, as OpenCV works on it; the data set puts colour first afterwards. All randomness comes from ``rng``, the
image's own generator, so that an augmented image depends on seed, epoch and index alone.
"""
import math


class RandomTransform:
    """A transform that is applied to a share of the images.

    A subclass gives ``apply(image, rng)``.

    Args:
        prob (float): Share of the images, in [0, 1].

    Raises:
        ValueError: If ``prob`` is no share.
    """

    def __init__(self, prob):
        self.prob = check_number('prob', prob, 0, 1)

    def __call__(self, image, rng):
        """Apply the transform, or leave the image.

        Args:
            image (ndarray): RGB, uint8 (H, W, 3).
            rng (numpy.random.Generator): The image's random numbers.

        Returns:
            ndarray: RGB, uint8, of the same shape.
        """
        return self.apply(image, rng) if rng.random() < self.prob else image

    def apply(self, image, rng):
        """The transformed image, uint8 (H, W, 3)."""
        raise NotImplementedError


def check_range(name, values, low, high):
    """Refuse a range that is none or leaves its bounds.

    Raises:
        ValueError: If not ``low <= values[0] <= values[1] <= high``.
    """
    if len(values) != 2 or not low <= values[0] <= values[1] <= high:
        raise ValueError(f'{name} is {values}; it must be a pair (smallest, largest) in [{low}, {high}]')
    return tuple(values)


def check_number(name, value, low, high):
    """Refuse a number that leaves its bounds.

    Raises:
        ValueError: If not ``low <= value <= high``.
    """
    if not low <= value <= high:
        raise ValueError(f'{name} is {value}; it must be in [{low}, {high}]')
    return value


def random_rectangle(shape, area, ratio, rng):
    """A rectangle anywhere inside an image, as the crops of torchvision (``RandomResizedCrop.get_params``) are drawn.

    Ten sizes are drawn until one fits, the area uniformly and the ratio on a logarithmic scale; if none does, the whole
    image's nearest of an allowed ratio is taken.

    Args:
        shape (tuple[int, ...]): The image's, (H, W, ...).
        area (tuple[float, float]): Its share of the image, drawn between these.
        ratio (tuple[float, float]): Its width over its height.
        rng (numpy.random.Generator): The image's random numbers.

    Returns:
        tuple[slice, slice]: Its rows and columns.
    """
    height, width = shape[:2]
    for _ in range(10):
        size, over = rng.uniform(*area) * height * width, math.exp(rng.uniform(*map(math.log, ratio)))
        w, h = max(1, round((size * over) ** 0.5)), max(1, round((size / over) ** 0.5))
        if w <= width and h <= height:
            break
    else:
        over = min(max(width / height, ratio[0]), ratio[1])
        w, h = min(width, round(height * over)), min(height, round(width / over))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    return slice(top, top + h), slice(left, left + w)
