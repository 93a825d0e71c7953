"""A model of this framework as a network."""
import numpy as np

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import describe


class RecognizerNetwork(Network):
    """A model of this framework, which normalises its images itself.

    Args:
        model (nn.Module): Has ``extract(images, flip='none')``, as ``FaceRecognizer``.
        path (str): Its file, for the result.
        device (str): Where it runs.
        size (tuple[int]): Height and width of its images.
    """

    def __init__(self, model, path=None, device='cpu', size=(112, 112)):
        self.model, self.path, self.device, self.size = model.eval().to(device), path, device, tuple(size)

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        import torch
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(images)).to(self.device)
            return self.model.extract(images, flip='none').float().cpu().numpy()

    def describe(self):
        """The ``model`` entry of result JSON."""
        return describe(self.path, dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3, size=list(self.size)))
