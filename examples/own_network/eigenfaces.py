"""Eigenfaces (Turk and Pentland 1991) as a kind of network of one's own, known by the end of its files' names."""
import numpy as np

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import describe
from mlaface.registry import NETWORKS


@NETWORKS.register_module('eigenfaces')
class Eigenfaces(Network):
    """``FILE.eigenfaces.npz`` with ``mean`` (P,) and ``components`` (D, P) of grey images of side sqrt(P).

    Args:
        name (str): The file.
        device (str): Not used: it runs on the processor.
        options (dict or None): None: how images are made stands in this class.
    """

    def __init__(self, name, device='cpu', options=None):
        if options:
            raise ValueError(f'{", ".join(options)}: {name} takes grey images of its own')
        with np.load(name) as file:
            self.path, self.mean, self.components = name, file['mean'], file['components']
        self.side = int(len(self.mean) ** 0.5)

    @classmethod
    def accepts(cls, name):
        """By the end of the name."""
        return name.endswith('.eigenfaces.npz')

    def embed(self, images):
        """Projections float32 (N, D) of images uint8 (N, 3, H, W), H a multiple of the side."""
        block = images.shape[2] // self.side
        grey = images.mean(axis=1).reshape(len(images), self.side, block, self.side, block).mean(axis=(2, 4))
        return ((grey.reshape(len(images), -1) - self.mean) @ self.components.T).astype(np.float32)

    def describe(self):
        """For result JSON."""
        return describe(self.path, dict(color='grey', mean=None, std=None, size=[self.side, self.side], layout=None))
