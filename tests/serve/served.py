"""An application over a network and a detector of the tests' own, and images to send it."""
import io
import threading
import time

import numpy as np
from PIL import Image

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.evaluation.networks.base import Network
from mlaface.inference.detectors.base import Detection, Detector
from mlaface.inference.inferencer import Inferencer
from mlaface.serve.app import make_app
from mlaface.serve.galleries import Galleries
from mlaface.serve.limits import Limits
from mlaface.serve.server import bound, server
from mlaface.serve.service import FaceService

CALIBRATION = dict(flip='none', inputs=['drawn.npz'], thresholds={
    name: dict(far=far, threshold=dict(value=value), tar=dict(value=tar))
    for name, far, value, tar in (('1e-2', 1e-2, 0.6, 0.95), ('1e-3', 1e-3, 0.7, 0.9))})


class Grid(Network):
    """Mean colours of an 8 x 8 grid, less grey: tells drawn faces apart.

    ``batches`` are the sizes that it was given; while ``hold`` is not set it waits; a crop that is all white fails.
    """

    def __init__(self, sha256='5' * 64):
        self.sha256, self.batches, self.hold = sha256, [], threading.Event()
        self.hold.set()

    def embed(self, images):
        self.batches.append(len(images))
        assert self.hold.wait(30)
        if (images == 255).all(axis=(1, 2, 3)).any():
            raise ValueError('white')
        return images.reshape(len(images), 3, 8, 14, 8, 14).mean(axis=(3, 5)).reshape(len(images), -1) - 127.5

    def describe(self):
        return dict(file=None, sha256=self.sha256, name='grid', input=None)


class Tiles(Detector):
    """Every 112 x 112 tile of an image that is not black is a face."""

    def detect(self, image):
        corners = [(x, y) for y in range(0, image.shape[0] - 111, 112) for x in range(0, image.shape[1] - 111, 112)]
        return [Detection(np.float32([x, y, x + 112, y + 112]), np.float32(TEMPLATE + [x, y]), 0.95)
                for x, y in corners if image[y:y + 112, x:x + 112].max() > 60]


def served(folder, network=None, keys=None, attention=None, calibrated=True, **limits):
    """An application whose galleries lie in a folder (or None)."""
    inferencer = Inferencer(network or Grid(), Tiles(), workers=0)
    if calibrated:
        inferencer.calibration = CALIBRATION
    service = FaceService(inferencer, Limits(**limits), attention)
    return make_app(service, Galleries(folder, service.model, observe=service.metrics.searches.observe), keys)


def png(*faces, **settings):
    """The bytes of an image (H, W, 3), or of several side by side."""
    return encoded(np.concatenate(faces, axis=1), 'PNG', **settings)


def encoded(image, kind, **settings):
    """The bytes of an array or a PIL image in a format."""
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, kind, **settings)
    return out.getvalue()


def send(client, path, query='', headers=None, **files):
    """Post images (bytes or a list of them) and texts."""
    parts = [(name, value) for name, given in files.items()
             for value in (given if isinstance(given, list) else [given])]
    return client.post(f'/v1/{path}{query}', headers=headers,
                       files=[(name, ('x', value)) for name, value in parts if isinstance(value, bytes)],
                       data={name: value for name, value in parts if isinstance(value, str)})


class Running:
    """A server in a thread, on a free port of loopback."""

    def __init__(self, app):
        found, socket = [], bound('127.0.0.1', 0)
        self.server = server(app, 5, found.append)
        self.thread = threading.Thread(target=lambda: self.server.run([socket]), daemon=True)
        self.thread.start()
        end = time.monotonic() + 20
        while not found and time.monotonic() < end:
            time.sleep(0.01)
        self.url, = found

    def stop(self):
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()
