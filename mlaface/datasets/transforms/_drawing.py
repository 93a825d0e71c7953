"""Things drawn onto an aligned face, by the five points of the template."""
import cv2
import numpy as np

from mlaface.utils.template import TEMPLATE

SHIFT = 4  # bits of a pixel's fractions in OpenCV's drawing


def points_of(shape, points):
    """Points of the 112 x 112 template's plane as those of an image of another size.

    Args:
        shape (tuple[int, ...]): The image's, (H, W, ...).
        points (ndarray): (K, 2), x and y.

    Returns:
        ndarray: (K, 2), pixels.
    """
    return np.asarray(points, np.float64) * (shape[1] / 112, shape[0] / 112)


def five_points(rng, jitter):
    """The template's five points, each a little elsewhere, as no face fits it exactly: (5, 2)."""
    return TEMPLATE + rng.normal(0, jitter, TEMPLATE.shape)


def rounded(points, times=3):
    """A closed outline with its corners cut ``times`` times (Chaikin, 1974), (K * 2 ** times, 2)."""
    for _ in range(times):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after], 1).reshape(-1, 2)
    return points


def fixed(points):
    """Points as OpenCV draws them, int32 (K, 1, 2) in fractions of a pixel."""
    return np.rint(np.asarray(points) * (1 << SHIFT)).astype(np.int32)[:, None]


def filled(shape, outline):
    """How much of each pixel lies inside an outline, float32 (H, W, 1) in [0, 1]."""
    cover = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(cover, [fixed(outline)], 255, cv2.LINE_AA, SHIFT)
    return cover.astype(np.float32)[..., None] / 255


def stroked(shape, lines, thickness):
    """How much of each pixel lies under lines, float32 (H, W, 1) in [0, 1].

    Args:
        shape (tuple[int, ...]): The image's.
        lines (Sequence[ndarray]): Each (K, 2).
        thickness (float): Pixels.
    """
    cover = np.zeros(shape[:2], np.uint8)
    cv2.polylines(cover, [fixed(line) for line in lines], False, 255, max(1, round(thickness)), cv2.LINE_AA, SHIFT)
    return cover.astype(np.float32)[..., None] / 255


def over(image, color, cover):
    """Colour (3,) or (H, W, 3) laid over an image by cover (H, W, 1), uint8."""
    return np.clip(np.rint(image + (np.asarray(color, np.float32) - image) * cover), 0, 255).astype(np.uint8)
