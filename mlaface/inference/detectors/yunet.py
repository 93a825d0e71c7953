"""YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector"), run by OpenCV's FaceDetectorYN."""
import numpy as np

from mlaface.inference.detectors.base import Detection, Detector, shrunk
from mlaface.registry import DETECTORS


@DETECTORS.register_module('yunet')
class YuNet(Detector):
    """YuNet; docs/inference.md says how small, turned and covered faces may be.

    Args:
        file (str | Path or None): Its ONNX file; None takes ``mlaface.zoo.wheel_files.yunet_file``.
        score (float): Least score of a face. Default 0.6.
        longest (int): Larger images are scaled down to this many pixels for detection. Default 1280.
        overlap (float): Of two boxes with a larger intersection over union the one of lower score goes. Default 0.3.
        device (str): Not used: OpenCV's packages run on the processor.

    Raises:
        MissingDataError: If there is no such file.
    """
    name = 'yunet'

    def __init__(self, file=None, score=0.6, longest=1280, overlap=0.3, device='cpu'):
        import cv2
        if file is None:
            from mlaface.zoo.wheel_files import yunet_file
            file = yunet_file()
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV 5 warns of a target nobody asked for
        try:
            self.network = cv2.FaceDetectorYN.create(str(file), '', (320, 320), score, overlap)
        finally:
            cv2.utils.logging.setLogLevel(level)
        self.longest = longest

    def detect(self, image):
        """Faces of an image uint8 (H, W, 3), RGB; see the base class."""
        small, scale = shrunk(image, self.longest)
        self.network.setInputSize(small.shape[1::-1])
        _, rows = self.network.detect(np.ascontiguousarray(small[..., ::-1]))
        return [] if rows is None else [_detection(row, scale) for row in rows]


def _detection(row, scale):
    """Of x, y, width, height, five points and the score."""
    corner, size = row[:2], row[2:4]
    box = np.concatenate([corner * scale, (corner + size) * scale])
    return Detection(box.astype(np.float32), row[4:14].reshape(5, 2) * scale, float(row[14]))
