"""A trained network whose embeddings another learns from."""
from importlib import import_module

import numpy as np
import torch

from mlaface.models.losses.base import FaceLoss, random_numbers_kept


class TaughtLoss(FaceLoss):
    """A loss against the embeddings of a teacher, which is opened when the first batch comes and never learns.

    The teacher sees the images that the student sees, augmented as they are. It is no part of the model: no checkpoint
    holds it, and a resumed run opens it again.

    Args:
        teacher (str): Named as any model is: a checkpoint, a published file, an ONNX file, a name of the zoo.

    Raises:
        ValueError: If no teacher is named.
    """

    needs_images = True

    def __init__(self, teacher):
        super().__init__()
        if not isinstance(teacher, str) or not teacher:
            raise ValueError(f'{type(self).__name__}: teacher is {teacher!r}; name a model: a checkpoint, a published '
                             'file, an ONNX file, or a name of the zoo')
        self.teacher = teacher
        self._opened = {}  # by device; in a dict, so that it is no module of this one

    def __deepcopy__(self, memo):
        return type(self)(**self._arguments())

    def _arguments(self):
        return dict(teacher=self.teacher)

    def targets(self, images):
        """The teacher's embeddings of uint8 images (N, 3, H, W), float32 (N, K)."""
        device = str(images.device)
        if device not in self._opened:
            with random_numbers_kept(images.device):  # a network is drawn before it is loaded
                networks = import_module('mlaface.apis.networks')  # by name: models do not know who opens files
                self._opened[device] = networks.open_network(self.teacher, device=device)
        network = self._opened[device]
        if not len(images):
            return torch.empty(0, self._width(network, images), device=images.device)
        model = getattr(network, 'model', None)
        if hasattr(model, 'extract'):  # one of ours: nothing leaves the device
            return model.extract(images)
        return torch.from_numpy(np.asarray(network.embed(images.cpu().numpy()))).to(images.device)

    def _width(self, network, images):
        """D of the teacher, asked by one black image."""
        return network.embed(np.zeros((1, *images.shape[1:]), np.uint8)).shape[1]
