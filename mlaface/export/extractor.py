"""What an exported file computes, and what it says of itself."""
import copy
import json
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.utils.errors import InputError
from mlaface.version import __version__

FLIPS = ('none', 'sum', 'concat')
INPUTS = ('uint8', 'raw', 'insightface')
INSIGHTFACE = dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3)  # what its ArcFaceONNX hands over


@dataclass(frozen=True)
class Form:
    """What goes in and what comes out of an exported file.

    Args:
        input (str): ``'uint8'``: RGB (N, 3, H, W), normalised inside. ``'raw'``: float32, normalised as the network
            wants it, which the file says. ``'insightface'``: float32, RGB, (x - 127.5) / 127.5 whatever the network
            wants, as the package ``insightface`` hands over.
        flip (str): ``'none'``, ``'sum'`` or ``'concat'`` with the mirror image, inside the file.
        normalize (bool): Give embeddings of unit length.

    Raises:
        InputError: If ``input`` or ``flip`` is unknown.
    """
    input: str = 'uint8'
    flip: str = 'none'
    normalize: bool = False

    def __post_init__(self):
        for name, value, known in (('input', self.input, INPUTS), ('flip', self.flip, FLIPS)):
            if value not in known:
                raise InputError(f'{name}={value!r} is unknown; choose {", ".join(map(repr, known))}')


class Extractor(nn.Module):
    """Images to embeddings, as a file of this form does it; a copy of the network without its class centres.

    Args:
        model (FaceRecognizer): Stays as it is; the copy is on CPU, in evaluation mode, without gradients.
        form (Form): What goes in and out.
        dtype (torch.dtype): Of weights and maps; embeddings are float32. Default float32.
    """

    def __init__(self, model, form, dtype=torch.float32):
        super().__init__()
        memo = {id(model.head): None} if model.head is not None else {}  # class centres may be gigabytes
        self.model = copy.deepcopy(model, memo).cpu().to(dtype).eval().requires_grad_(False)
        self.form, self.dtype = form, dtype
        self.eval()

    def forward(self, images):
        """uint8 RGB, or normalised float32, (N, 3, H, W) to embeddings float32 (N, D)."""
        x = self._normalised(images)
        embeddings = self.model.embed(x).float()
        if self.form.flip != 'none':
            mirrored = self.model.embed(x.flip(3)).float()
            embeddings = embeddings + mirrored if self.form.flip == 'sum' else torch.cat([embeddings, mirrored], 1)
        return nn.functional.normalize(embeddings) if self.form.normalize else embeddings

    def _normalised(self, images):
        if self.form.input == 'uint8':
            return self.model.preprocessor(images)
        x, spec = images.to(self.dtype), self.model.input_spec
        if self.form.input == 'raw' or all(spec[key] == INSIGHTFACE[key] for key in INSIGHTFACE):
            return x
        mean, std = self.model.preprocessor.mean, self.model.preprocessor.std
        return ((x.flip(1) if spec['color'] == 'BGR' else x) * 127.5 + (127.5 - mean)) / std

    def prepare(self, images):
        """Images as the file takes them, (N, 3, H, W), of uint8 ones, RGB (Tensor)."""
        if self.form.input == 'uint8':
            return images
        if self.form.input == 'insightface':
            return (images.float() - 127.5) / 127.5
        return self.model.preprocessor(images).float()

    def example(self):
        """Two images of noise as the file takes them (Tensor)."""
        return self.prepare(torch.from_numpy(noise(2, self.size)))

    @property
    def size(self):
        """Height and width of its images (tuple[int])."""
        return tuple(self.model.input_spec['size'])

    @property
    def embedding_size(self):
        """Numbers of an embedding (int)."""
        return self.model.embedding_size * (2 if self.form.flip == 'concat' else 1)


def noise(count, size, seed=0):
    """Images of random pixels, uint8 (count, 3, H, W)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3, *size), dtype=np.uint8)


def shades(count, size, seed=0):
    """Images of random pixels, each in a range of its own between black and white, uint8 (count, 3, H, W)."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.integers(0, 256, (2, count, 1, 1, 1)), 0)
    return rng.integers(low, high, (count, 3, *size), dtype=np.uint8, endpoint=True)


def metadata_of(extractor, precision='float32', source=None, thresholds=None):
    """What a reader must know to use the file.

    Args:
        extractor (Extractor): What is in the file.
        precision (str): Of its numbers.
        source (dict, optional): ``file`` and ``sha256`` of the checkpoint.
        thresholds (dict, optional): Of the checkpoint, as ``evaluation.results.thresholds`` reads them.

    Returns:
        dict[str, str]: JSON by key, but for plain words: ``mlaface``, ``input``, ``flip``, ``normalized``,
        ``embedding_size``, ``precision``, ``template`` (five points, x and y in pixels of the image), and ``model``
        and ``thresholds`` where they are given.
    """
    form, spec = extractor.form, extractor.model.input_spec
    stated = dict(uint8=dict(color='RGB', mean=[0.0] * 3, std=[1.0] * 3), raw={}, insightface=INSIGHTFACE)[form.input]
    dtype = 'uint8' if form.input == 'uint8' else 'float32'
    height, width = extractor.size
    template = TEMPLATE * (width / 112, height / 112)
    found = {'mlaface': __version__, 'input': json.dumps({**spec, **stated, 'dtype': dtype}),
             'flip': form.flip, 'normalized': json.dumps(form.normalize),
             'embedding_size': str(extractor.embedding_size), 'precision': precision,
             'template': json.dumps(template.round(4).tolist())}
    known = dict(model=source, thresholds=thresholds)
    return {**found, **{key: json.dumps(value) for key, value in known.items() if value is not None}}
