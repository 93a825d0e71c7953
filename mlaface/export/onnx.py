"""ONNX files of a recognizer, with their preprocessing inside, checked before they are written."""
import copy
import json
import warnings

import numpy as np
import torch
from torch import nn

from mlaface.registry import EXPORTERS
from mlaface.utils.checksums import UNSEALED, seal
from mlaface.utils.files import atomic_path
from mlaface.version import __version__

INPUT, OUTPUT = 'images', 'embeddings'


class _Extractor(nn.Module):
    """What the file computes: images to embeddings, with or without the preprocessor in front."""

    def __init__(self, model, preprocess, flip, normalize):
        super().__init__()
        self.model, self.preprocess, self.flip, self.normalize = model, preprocess, flip, normalize

    def forward(self, images):
        x = self.model.preprocessor(images) if self.preprocess else images
        embeddings = self.model.embed(x)
        if self.flip != 'none':
            mirrored = self.model.embed(x.flip(3))
            embeddings = embeddings + mirrored if self.flip == 'sum' else torch.cat([embeddings, mirrored], 1)
        return nn.functional.normalize(embeddings) if self.normalize else embeddings


def _example(model, preprocess, count, seed=0):
    size = model.input_spec['size']
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 3, *size), dtype=np.uint8))
    return images if preprocess else model.preprocessor(images)


def _metadata(model, preprocess, flip, normalize):
    """What a reader must know to use the file, as text by key."""
    spec = model.input_spec if not preprocess else dict(
        color='RGB', mean=[0.0] * 3, std=[1.0] * 3, size=model.input_spec['size'])
    return {'mlaface': __version__, 'input': json.dumps({**spec, 'dtype': 'uint8' if preprocess else 'float32'}),
            'flip': flip, 'normalized': json.dumps(normalize), 'embedding_size': str(model.embedding_size)}


def _write(extractor, example, path, opset, metadata):
    import onnx
    with warnings.catch_warnings():
        # the checks of shapes that tracing leaves out hold for every image of the stated size; _check runs the file
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        warnings.simplefilter('ignore', DeprecationWarning)
        try:
            torch.onnx.export(extractor, (example,), str(path), input_names=[INPUT], output_names=[OUTPUT],
                              dynamo=False, opset_version=opset,
                              dynamic_axes={INPUT: {0: 'batch'}, OUTPUT: {0: 'batch'}})
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise ValueError(f'the network cannot be written with operator set {opset}: '
                             f'{str(error).splitlines()[0]}') from error
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {**metadata, 'checksum': UNSEALED})
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))
    seal(path)


def _check(extractor, model, preprocess, path, tolerance):
    """Run the file on batches of one and three, and compare with the network.

    Raises:
        ValueError: If embeddings differ by more than ``tolerance`` of their largest element.
    """
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    for count in (1, 3):
        images = _example(model, preprocess, count, seed=count)
        with torch.no_grad():
            expected = extractor(images).numpy()
        found, = session.run([OUTPUT], {INPUT: images.numpy()})
        difference = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
        if found.shape != expected.shape or not difference <= tolerance:
            raise ValueError(f'ONNX Runtime differs from the network by {difference:.2g} of the largest element (limit '
                             f'{tolerance:g}) at batch {count}: the file was not written')


@EXPORTERS.register_module()
def export_onnx(model, path, preprocess=True, flip='none', normalize=False, opset=17, tolerance=1e-4):
    """Write a recognizer as ONNX; the batch is free, the file is whole and checked, or it is absent.

    Args:
        model (FaceRecognizer): The network; a copy on CPU in evaluation mode is exported, it stays as it is.
        path (str | Path): Where to.
        preprocess (bool): True takes RGB uint8 (N, 3, H, W) and normalises inside; False takes normalised float32, and
            the metadata says how to normalise. Default True.
        flip (str): ``'none'``, ``'sum'`` or ``'concat'`` with the mirror image, inside the file. Default 'none'.
        normalize (bool): Give embeddings of unit length. Default False.
        opset (int): ONNX operator set. Default 17.
        tolerance (float): Largest difference to the network, as a share of the largest element. Default 1e-4.

    Returns:
        dict[str, str]: The metadata that is in the file, beside its checksum.

    Raises:
        ValueError: If ``flip`` is unknown, the operator set cannot hold the network, or ONNX Runtime does not
            reproduce it; nothing is written.
    """
    if flip not in ('none', 'sum', 'concat'):
        raise ValueError(f"flip={flip!r} is unknown; choose 'none', 'sum' or 'concat'")
    twin = _copy_without_head(model)
    extractor = _Extractor(twin, preprocess, flip, normalize).eval()
    metadata = _metadata(twin, preprocess, flip, normalize)
    with atomic_path(path) as temporary, torch.no_grad():
        _write(extractor, _example(twin, preprocess, 2), temporary, opset, metadata)
        _check(extractor, twin, preprocess, temporary, tolerance)
    return metadata


def _copy_without_head(model):
    """A float32 copy on CPU for inference; the class centres, which may be gigabytes, are not copied."""
    memo = {id(model.head): None} if model.head is not None else {}
    return copy.deepcopy(model, memo).cpu().float().eval()
