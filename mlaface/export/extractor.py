"""What an exported file computes, and what it says of itself."""
import copy
import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.utils.errors import InputError
from mlaface.version import __version__

FLIPS = ('none', 'sum', 'concat')


@dataclass(frozen=True)
class Form:
    """What goes in and what comes out of an exported file.

    Args:
        preprocess (bool): True takes RGB uint8 (N, 3, H, W) and normalises inside; False takes normalised float32, and
            the file says how to normalise.
        flip (str): ``'none'``, ``'sum'`` or ``'concat'`` with the mirror image, inside the file.
        normalize (bool): Give embeddings of unit length.

    Raises:
        InputError: If ``flip`` is unknown.
    """
    preprocess: bool = True
    flip: str = 'none'
    normalize: bool = False

    def __post_init__(self):
        if self.flip not in FLIPS:
            raise InputError(f"flip={self.flip!r} is unknown; choose 'none', 'sum' or 'concat'")


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
        x = self.model.preprocessor(images) if self.form.preprocess else images.to(self.dtype)
        embeddings = self.model.embed(x).float()
        if self.form.flip != 'none':
            mirrored = self.model.embed(x.flip(3)).float()
            embeddings = embeddings + mirrored if self.form.flip == 'sum' else torch.cat([embeddings, mirrored], 1)
        return nn.functional.normalize(embeddings) if self.form.normalize else embeddings

    def example(self, count=2):
        """Images that it takes: noise, (count, 3, H, W)."""
        images = torch.from_numpy(noise(count, self.size))
        return images if self.form.preprocess else self.model.preprocessor.float()(images)

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
    if form.preprocess:
        spec = dict(color='RGB', mean=[0.0] * 3, std=[1.0] * 3, size=spec['size'])
    height, width = extractor.size
    template = TEMPLATE * (width / 112, height / 112)
    found = {'mlaface': __version__, 'input': json.dumps({**spec, 'dtype': 'uint8' if form.preprocess else 'float32'}),
             'flip': form.flip, 'normalized': json.dumps(form.normalize),
             'embedding_size': str(extractor.embedding_size), 'precision': precision,
             'template': json.dumps(template.round(4).tolist())}
    stated = dict(model=source, thresholds=thresholds)
    return {**found, **{key: json.dumps(value) for key, value in stated.items() if value is not None}}


def form_of(metadata):
    """The ``Form`` of a file from its metadata, as a dict."""
    return asdict(Form(json.loads(metadata['input'])['dtype'] == 'uint8', metadata['flip'],
                       json.loads(metadata['normalized'])))
