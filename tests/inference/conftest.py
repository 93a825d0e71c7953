"""A network and a detector of the tests' own."""
import numpy as np
import pytest

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.evaluation.networks.base import Network
from mlaface.inference.detectors.base import Detection, Detector


class Grid(Network):
    """Mean colours of an 8 x 8 grid, less grey: a network that tells drawn faces apart."""
    batches = ()

    def embed(self, images):
        self.batches = (*self.batches, len(images))
        return images.reshape(len(images), 3, 8, 14, 8, 14).mean(axis=(3, 5)).reshape(len(images), -1) - 127.5

    def describe(self):
        return dict(file=None, sha256=None, name='grid', input=None)


class Tiles(Detector):
    """Every 112 x 112 tile of an image that is not black is a face."""

    def detect(self, image):
        corners = [(x, y) for y in range(0, image.shape[0] - 111, 112) for x in range(0, image.shape[1] - 111, 112)]
        return [Detection(np.float32([x, y, x + 112, y + 112]), np.float32(TEMPLATE + [x, y]), 0.95)
                for x, y in corners if image[y:y + 112, x:x + 112].any()]


@pytest.fixture
def grid():
    return Grid()


@pytest.fixture
def tiles():
    return Tiles()
