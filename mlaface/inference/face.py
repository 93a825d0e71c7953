"""A face that was found in an image."""
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Face:
    """A face.

    Args:
        box (ndarray float32 (4,)): x1, y1, x2, y2 in pixels of the upright image.
        points (ndarray float32 (5, 2)): Eyes, nose, corners of the mouth, the left one in the image first.
        score (float): Of the detector, in [0, 1]; 1 for an image that was aligned already.
        crop (ndarray uint8 (3, H, W)): RGB, aligned.
        embedding (ndarray float32 (D,) or None): Of unit length.
        quality (dict): ``norm`` of the embedding before it was scaled, ``sharpness``, ``size`` in pixels, ``yaw``,
            ``pitch`` and ``roll`` in degrees; see ``inference.quality``.
        source (str): Name of the image.
    """
    box: np.ndarray
    points: np.ndarray
    score: float
    crop: np.ndarray
    embedding: np.ndarray | None = None
    quality: dict = field(default_factory=dict)
    source: str = ''

    @property
    def area(self):
        """Of the box, in pixels."""
        return float(np.prod(np.maximum(self.box[2:] - self.box[:2], 0)))

    def record(self):
        """What JSON takes of it: without the crop and the embedding."""
        return dict(source=self.source, box=[round(float(x), 1) for x in self.box], score=round(self.score, 4),
                    points=[[round(float(x), 1) for x in point] for point in self.points],
                    quality={key: round(float(value), 4) for key, value in self.quality.items()})
