"""Alignment of faces: the similarity that brings five points nearest to those of ArcFace's template."""
import numpy as np

from mlaface.utils.template import TEMPLATE

__all__ = ['TEMPLATE', 'can_align', 'similarity']


def can_align(points):
    """Which faces have five points that a similarity can be found for: finite, and not all in one place.

    Args:
        points (ndarray (N, 5, 2)): Of the faces.

    Returns:
        ndarray (N,): bool.
    """
    finite = np.isfinite(points).all(axis=(1, 2))
    return finite & (np.ptp(np.where(np.isfinite(points), points, 0), axis=1).max(axis=1) > 0)


def similarity(points, target):
    """The similarity that brings points nearest to a target (Umeyama 1991).

    Args:
        points (ndarray (K, 2)): From.
        target (ndarray (K, 2)): To.

    Returns:
        ndarray (2, 3): Rotation, scale and shift.
    """
    centre, aim = points.mean(axis=0), target.mean(axis=0)
    away, wanted = points - centre, target - aim
    left, lengths, right = np.linalg.svd(wanted.T @ away)
    turn = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    matrix = (left * turn) @ right * ((lengths * turn).sum() / (away ** 2).sum())
    return np.concatenate([matrix, (aim - matrix @ centre)[:, None]], axis=1)
