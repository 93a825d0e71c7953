"""Do images show faces where ArcFace's template has them? By a detector's five points."""
from typing import NamedTuple

import cv2
import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE, similarity

NEAR = 7.0  # pixels of 112: faces aligned by their true points are 3.7 to 5.0 off by those of YuNet (docs/doctor.md)
LEAST = 0.5  # share of images with a face, below which nothing is said


class AlignmentCheck(NamedTuple):
    """How far faces are from where they should be.

    Args:
        images (int): Looked at.
        found (int): With a face.
        off (float): Median distance of the five points from the template's, in pixels of an image of 112; NaN without
            faces.
        closer (float): By how much the faces would have to be magnified (median). right (float), down (float): and then
            moved, in pixels of 112.
    """
    images: int
    found: int
    off: float
    closer: float
    right: float
    down: float

    @property
    def known(self):
        """Whether enough faces were found to say anything (bool)."""
        return self.found >= LEAST * self.images

    @property
    def aligned(self):
        """Whether they are where they should be (bool)."""
        return self.off <= NEAR


def check_alignment(detector, images):
    """Detect faces in images that should be aligned, with their edges continued, and compare their points.

    Args:
        detector (object): Has ``detect(image)``.
        images (list[ndarray]): RGB, uint8 (H, W, 3).

    Returns:
        AlignmentCheck: Of the face nearest to the middle of each.
    """
    offs, moves = [], []
    for image in images:
        points = _points(detector, image)
        if points is not None:
            offs.append(np.linalg.norm(points - TEMPLATE, axis=1).mean())
            matrix = similarity(points, TEMPLATE)
            moves.append([np.linalg.norm(matrix[:, 0]), *(matrix @ [56, 56, 1] - 56)])
    closer, right, down = np.median(moves, axis=0) if moves else [np.nan] * 3
    return AlignmentCheck(len(images), len(offs), float(np.median(offs)) if offs else np.nan, float(closer),
                          float(right), float(down))


def _points(detector, image):
    """Five points in pixels of an image of 112 x 112, or None."""
    height, width = image.shape[:2]
    rim = max(height, width) // 2
    around = cv2.copyMakeBorder(image, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
    scale = max(1, 320 / max(around.shape[:2]))  # detectors find small faces less well
    around = cv2.resize(around, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    found = [face.points / scale - rim for face in detector.detect(around)]
    middle = np.array([width, height]) / 2
    nearest = min(found, key=lambda points: np.linalg.norm(points.mean(axis=0) - middle), default=None)
    return None if nearest is None else nearest * (112 / width, 112 / height)
