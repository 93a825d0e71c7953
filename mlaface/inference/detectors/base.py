"""What a detector is, and images that are scaled for it."""
from typing import NamedTuple

import numpy as np


class Detection(NamedTuple):
    """A face in an image.

    Args:
        box (ndarray float32 (4,)): x1, y1, x2, y2 in pixels.
        points (ndarray float32 (5, 2)): Eyes, nose, corners of the mouth, the left one in the image first.
        score (float): In [0, 1].
    """
    box: np.ndarray
    points: np.ndarray
    score: float


class Detector:
    """Finds faces; a subclass in one file is all that a detector of one's own needs.

    Attributes:
        name (str): For messages and records.
    """
    name = None

    def detect(self, image):
        """Faces of an image, in any order.

        Args:
            image (ndarray uint8 (H, W, 3)): RGB; in memory row by row.

        Returns:
            list[Detection]: Empty where there is none. It is never called by two threads at once.
        """
        raise NotImplementedError


def shrunk(image, longest):
    """An image whose longer side is at most so many pixels.

    Args:
        image (ndarray (H, W, 3)): Any image.
        longest (int): Pixels.

    Returns:
        tuple: The image, and by what its coordinates are multiplied to give those of the image that came (float (2,),
        x and y).
    """
    import cv2
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image, np.ones(2, np.float32)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small, np.float32([width / size[0], height / size[1]])
