"""An ONNX file as a network."""
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import as_embeddings, describe, first_line
from mlaface.evaluation.networks.input_format import InputFormat, overrides, stated_input, stated_thresholds
from mlaface.registry import NETWORKS
from mlaface.utils.checksums import check_seal
from mlaface.utils.packages import import_optional

TYPES = {'tensor(float)': np.float32, 'tensor(float16)': np.float16, 'tensor(double)': np.float64,
         'tensor(uint8)': np.uint8}


@NETWORKS.register_module('onnx')
class OnnxNetwork(Network):
    """An ONNX file in ONNX Runtime; ours says in its metadata how its images are made, foreign files follow options.

    Args:
        path (str): The file.
        device (str): ``'cpu'`` or ``'cuda'``.
        options (dict or None): Fields of ``InputFormat``; they stand above what the file says.

    Raises:
        ValueError: If it is no ONNX file, or one of ours that is damaged, or none that makes embeddings of images as
            the options say; names it.
    """

    def __init__(self, path, device='cpu', options=None):
        self.path, self.session = path, _open(path, device)
        self.input, self.output = _only_input(self.session, path), _embedding_output(self.session, path)
        self.bytes = self.input.type == 'tensor(uint8)'
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.flip, self.thresholds = metadata.get('flip', 'none'), stated_thresholds(metadata)
        self.overridden = overrides(metadata, options)
        self.format = replace(InputFormat(), **{**self._stated(metadata), **(options or {})})
        self._check(options or {})
        self.size = self.format.size
        batch = self.input.shape[0]
        self.batch = batch if isinstance(batch, int) else None

    @classmethod
    def accepts(cls, name):
        """A file ``.onnx``; see the base class."""
        return name.endswith('.onnx') and Path(name).is_file()

    def _stated(self, metadata):
        """Fields of ``InputFormat`` in the file: its metadata, and the shape of its input."""
        found = stated_input(metadata)
        shape = self.input.shape
        last = shape[3] == 3 and shape[1] != 3
        height, width = shape[1:3] if last else shape[2:4]
        found.setdefault('layout', 'NHWC' if last else 'NCHW')
        if isinstance(height, int) and isinstance(width, int):
            found.setdefault('size', (height, width))
        return found

    def _check(self, options):
        """Refuse what the file cannot take, before an image is read."""
        unused = {'mean', 'std'} & set(options) if self.bytes else ()
        if unused:
            raise ValueError(f'{", ".join(sorted(unused))}: {self.path} takes bytes and normalises them itself')
        wanted = self.input.shape[1:]
        given = (*self.format.size, 3) if self.format.layout == 'NHWC' else (3, *self.format.size)
        if any(isinstance(there, int) and there != here for there, here in zip(wanted, given)):
            raise ValueError(f'{self.path} takes images of shape {tuple(wanted)}, and they would be {given}: see '
                             '--size and --layout; three channels are needed')

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        prepared = self.format.prepare_bytes(images) if self.bytes else self.format.prepare(images)
        prepared = prepared.astype(TYPES[self.input.type], copy=False)
        step = self.batch or len(prepared)
        return np.concatenate([self._run(prepared[start:start + step]) for start in range(0, len(prepared), step)])

    def _run(self, prepared):
        missing = (self.batch or len(prepared)) - len(prepared)
        padded = np.concatenate([prepared, np.repeat(prepared[-1:], missing, axis=0)]) if missing else prepared
        try:
            output, = self.session.run([self.output], {self.input.name: padded})
        except Exception as error:  # ONNX Runtime's classes of errors are not importable by a stable name
            raise ValueError(f'{self.path} cannot take images of shape {padded.shape}: {first_line(error)}. '
                             'See --size and --layout') from error
        return as_embeddings(output, len(padded), self.path)[:len(prepared)]

    def describe(self):
        """The ``model`` entry of result JSON."""
        return describe(self.path, asdict(self.format))


def _open(path, device):
    onnxruntime = import_optional('onnxruntime', path)
    check_seal(path)
    providers = ['CPUExecutionProvider']
    if str(device).startswith('cuda'):
        providers.insert(0, ('CUDAExecutionProvider', dict(device_id=_number_of(device))))
    try:
        return onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # see OnnxNetwork._run
        raise ValueError(f'{path} cannot be opened as an ONNX file: {first_line(error)}') from error


def _number_of(device):
    """The number of a GPU; of ``'cuda'`` that of this process, as torch has it where it is in use."""
    number = str(device).partition(':')[2]
    torch = sys.modules.get('torch')
    if number or torch is None or not torch.cuda.is_initialized():
        return int(number or 0)
    return torch.cuda.current_device()


def _only_input(session, path):
    """The input that takes images."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise ValueError(f'{path} has {len(inputs)} inputs ({", ".join(node.name for node in inputs)}); a network of '
                         'images alone is needed')
    only, = inputs
    if len(only.shape) != 4:
        raise ValueError(f'{path}: its input {only.name!r} has shape {only.shape}; images are 4-dimensional')
    if only.type not in TYPES:
        raise ValueError(f'{path}: its input {only.name!r} is {only.type}; it must be one of {", ".join(TYPES)}')
    return only


def _embedding_output(session, path):
    """The name of the output that is the embedding: the only one, or the only one of two dimensions."""
    outputs = session.get_outputs()
    matrices = outputs if len(outputs) == 1 else [node for node in outputs if len(node.shape) == 2]
    if len(matrices) != 1:
        listed = ', '.join(f'{node.name} {node.shape}' for node in outputs)
        raise ValueError(f'{path} has several outputs, {listed}, and it is not plain which of them is the embedding: '
                         'cut the file to one with onnx.utils.extract_model')
    return matrices[0].name
