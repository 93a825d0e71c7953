"""What a detector is, and images that are scaled and turned for it."""
from typing import NamedTuple

import numpy as np

CLEAR = 0.8  # score from which on a face is one, though the image must be turned for it


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
        sure (float): Score that a face on its side or on its head does not reach, see ``detect_any_way_up``. Default
            0.91: YuNet gives more to 87 to 100% of faces as they stand, and to 1% of those turned by 90 or 180 degrees.
    """
    name = None
    sure = 0.91

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


def detect_any_way_up(detector, image):
    """Faces of an image that may lie on a side or on its head, as photographs do whose EXIF was lost.

    Detectors find some faces there too, with eyes and mouth in each other's place, but are less sure of them: where
    none is sure, the image is looked at on its sides and on its head too, and the turn with the surest face is taken.

    Args:
        detector (Detector): What finds faces; its attribute ``sure`` decides.
        image (ndarray uint8 (H, W, 3)): RGB.

    Returns:
        list[Detection]: In pixels of the image as it came; the left eye is the one that is left on the upright face.
        Without a clear face in another turn, those of the image as it came.
    """
    found = detector.detect(image)
    if _best(found) >= detector.sure:
        return found
    turned = {quarters: detector.detect(np.ascontiguousarray(np.rot90(image, quarters))) for quarters in (1, 2, 3)}
    quarters = max(turned, key=lambda quarters: _best(turned[quarters]))
    if _best(turned[quarters]) < CLEAR or _best(turned[quarters]) <= _best(found):
        return found
    return [_turned_back(detection, quarters, image.shape[:2]) for detection in turned[quarters]]


def _best(detections):
    return max((detection.score for detection in detections), default=0)


def _turned_back(detection, quarters, shape):
    """A detection of an image turned counterclockwise, in pixels of the image before."""
    corners, points, (height, width) = detection.box.reshape(2, 2), detection.points, shape
    for rows in (width, height, width)[:quarters][::-1]:  # a turn made rows of what were columns
        corners = np.stack([rows - corners[:, 1], corners[:, 0]], axis=1)
        points = np.stack([rows - 1 - points[:, 1], points[:, 0]], axis=1)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Detection(box.astype(np.float32), points.astype(np.float32), detection.score)
