"""Faces cut out of images as the field's networks want them."""
import cv2
import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE, similarity


def align(image, points, size=(112, 112)):
    """A face, moved by the similarity that brings its five points nearest to ArcFace's template.

    Args:
        image (ndarray uint8 (H, W, 3)): RGB.
        points (ndarray (5, 2)): Pixels, x and y.
        size (tuple[int]): Height and width of the face.

    Returns:
        ndarray uint8 (3, *size): Bilinear; black where the image ends.

    Source:
        InsightFace, ``face_align.norm_crop``.
    """
    height, width = size
    matrix = similarity(np.asarray(points, np.float64), TEMPLATE * (width / 112, height / 112))
    return np.ascontiguousarray(cv2.warpAffine(image, matrix, (width, height)).transpose(2, 0, 1))


def as_aligned(image, size=(112, 112)):
    """An image that shows an aligned face already, of the size that a network takes.

    Args:
        image (ndarray uint8 (H, W, 3)): RGB.
        size (tuple[int]): Height and width.

    Returns:
        ndarray uint8 (3, *size): Scaled where it has another size.
    """
    height, width = size
    if image.shape[:2] != (height, width):
        method = cv2.INTER_AREA if image.shape[0] > height else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=method)
    return np.ascontiguousarray(image.transpose(2, 0, 1))
