"""A detector for tests: the whole picture is a face."""
import numpy as np

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.inference.detectors.base import Detection
from mlaface.registry import DETECTORS


@DETECTORS.register_module('whole', force=True)
class Whole:
    sure = 0.5

    def detect(self, image):
        height, width = image.shape[:2]
        return [Detection(np.float32([0, 0, width, height]), np.float32(TEMPLATE), 0.99)]
