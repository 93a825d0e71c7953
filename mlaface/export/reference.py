"""The network itself, as what a file of it is compared with."""
import torch

from mlaface.evaluation.networks.base import Network
from mlaface.export.extractor import Extractor, Form


class TorchReference(Network):
    """A recognizer in float32 on CPU that gives what an exported file must give.

    Args:
        model (FaceRecognizer): Stays as it is.
        form (Form): Of the file.
    """

    def __init__(self, model, form):
        self.extractor = Extractor(model, Form('uint8', form.flip, form.normalize))
        self.size, self.flip = self.extractor.size, form.flip

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        with torch.inference_mode():
            return self.extractor(torch.from_numpy(images)).numpy()

    def describe(self):
        """The ``model`` entry of result JSON."""
        return dict(name='float32')
