"""Any model behind one face: uint8 RGB images in, embeddings out.

A network has ``embed(images uint8 (N, 3, H, W)) -> float32 (N, D)``, ``size`` (H, W) and ``describe()``, the
``model`` entry of result JSON; one that joins an image with its mirror image by itself says how as ``flip``.
Checkpoints are opened by whoever knows the models, and come as ``RecognizerNetwork``.
"""
import json
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from mlaface.evaluation.input_format import InputFormat
from mlaface.evaluation.result import file_sha256


class RecognizerNetwork:
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
        return _describe(self.path, dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3, size=list(self.size)))


class OnnxNetwork:
    """An ONNX file in ONNX Runtime; ours says in its metadata how its images are made, foreign files follow options.

    Args:
        path (str): The file.
        device (str): ``'cpu'`` or ``'cuda'``.
        options (dict or None): Fields of ``InputFormat``; they stand above what the file says.
    """

    def __init__(self, path, device='cpu', options=None):
        import onnxruntime
        providers = ['CPUExecutionProvider']
        if str(device).startswith('cuda'):
            providers.insert(0, 'CUDAExecutionProvider')
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=providers)
        except Exception as error:  # ONNX Runtime's classes of errors are not importable by a stable name
            raise ValueError(f'{path} cannot be opened as an ONNX file: {str(error).splitlines()[0]}') from error
        self.path = path
        self.flip = self.session.get_modelmeta().custom_metadata_map.get('flip', 'none')
        self.input = self.session.get_inputs()[0]
        self.format = replace(InputFormat(), **{**self._stated(), **(options or {})})
        unused = {'mean', 'std'} & set(options or {}) if self.input.type == 'tensor(uint8)' else ()
        if unused:
            raise ValueError(f'{", ".join(sorted(unused))}: {path} takes bytes and normalises them itself')
        self.size = self.format.size
        batch = self.input.shape[0]
        self.batch = batch if isinstance(batch, int) else None

    def _stated(self):
        """Fields of ``InputFormat`` in the file: its metadata, and the shape of its input."""
        metadata = self.session.get_modelmeta().custom_metadata_map
        stated = json.loads(metadata.get('input', '{}')) if 'mlaface' in metadata else {}
        found = {key: tuple(stated[key]) for key in ('mean', 'std', 'size') if key in stated}
        found.update({key: stated[key] for key in ('color', 'layout') if key in stated})
        shape = self.input.shape
        if len(shape) != 4:
            raise ValueError(f'{self.path}: its input {self.input.name!r} has shape {shape}; images are 4-dimensional')
        last = shape[3] == 3 and shape[1] != 3
        height, width = shape[1:3] if last else shape[2:4]
        found.setdefault('layout', 'NHWC' if last else 'NCHW')
        if isinstance(height, int) and isinstance(width, int):
            found.setdefault('size', (height, width))
        return found

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        if self.input.type == 'tensor(uint8)':  # the network normalises by itself
            prepared = self.format.prepare_bytes(images)
        else:
            prepared = self.format.prepare(images)
            if self.input.type == 'tensor(float16)':
                prepared = prepared.astype(np.float16)
        step = self.batch or len(prepared)
        return np.concatenate([self._run(prepared[start:start + step]) for start in range(0, len(prepared), step)])

    def _run(self, prepared):
        missing = (self.batch or len(prepared)) - len(prepared)
        padded = np.concatenate([prepared, np.repeat(prepared[-1:], missing, axis=0)]) if missing else prepared
        try:
            output = self.session.run(None, {self.input.name: padded})[0]
        except Exception as error:  # see above
            raise ValueError(f'{self.path} cannot take images of shape {padded.shape}: {str(error).splitlines()[0]}. '
                             'See --size and --layout') from error
        return _matrix(output, len(padded), self.path)[:len(prepared)]

    def describe(self):
        """The ``model`` entry of result JSON."""
        return _describe(self.path, asdict(self.format))


class ScriptNetwork:
    """A TorchScript file.

    Args:
        path (str): The file.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat``.
    """

    def __init__(self, path, device='cpu', options=None):
        import torch
        try:
            self.model = torch.jit.load(str(path), map_location=device).eval()
        except RuntimeError as error:
            raise ValueError(f'{path} cannot be opened as TorchScript: {str(error).splitlines()[0]}') from error
        self.path, self.device, self.format = path, device, InputFormat(**(options or {}))
        self.size = self.format.size

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        import torch
        prepared = self.format.prepare(images)
        try:
            with torch.inference_mode():
                output = self.model(torch.from_numpy(prepared).to(self.device))
        except RuntimeError as error:
            raise ValueError(f'{self.path} cannot take images of shape {prepared.shape}: '
                             f'{str(error).splitlines()[-1]}. See --size and --layout') from error
        return _matrix(output.float().cpu().numpy(), len(images), self.path)

    def describe(self):
        """The ``model`` entry of result JSON."""
        return _describe(self.path, asdict(self.format))


class CallableNetwork:
    """A Python function, named ``module:function``: images float32, prepared as the options say, to (N, D).

    Args:
        name (str): Import path.
        device (str): Not used: the function knows.
        options (dict or None): Fields of ``InputFormat``.
    """

    def __init__(self, name, device='cpu', options=None):
        module, _, attribute = name.partition(':')
        try:
            self.function = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f'{name!r} names no function: {error}. Write it as module:function, and see that the '
                             'module is on PYTHONPATH') from error
        self.path, self.format = name, InputFormat(**(options or {}))
        self.size = self.format.size

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        output = self.function(self.format.prepare(images))
        return _matrix(output.detach().cpu().numpy() if hasattr(output, 'detach') else output, len(images), self.path)

    def describe(self):
        """The ``model`` entry of result JSON."""
        return _describe(self.path, asdict(self.format))


def _matrix(output, images, path):
    """A foreign network's output as float32 (N, D); what belongs to no image must not become an embedding.

    Raises:
        ValueError: If it has not one row an image.
    """
    try:
        output = np.asarray(output, np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path} must give one array of numbers, (images, dimensions): {error}') from error
    if output.ndim < 1 or len(output) != images or output.size == 0:
        raise ValueError(f'{path} gave an output of shape {output.shape} for {images} images: (images, dimensions) is '
                         'needed, one row an image')
    return output.reshape(images, -1)


def _describe(path, input_format):
    file = path if path is not None and Path(path).is_file() else None
    return dict(file=None if path is None else str(path), sha256=file_sha256(file) if file else None,
                name=None if path is None else Path(path).stem, embedding_size=None, input=input_format)


def kind_of(name):
    """What a model's name or file is: ``'onnx'``, ``'torchscript'``, ``'callable'`` or ``'checkpoint'``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = Path(name)
    if not path.is_file():
        if ':' in str(name) and path.suffix not in ('.pth', '.onnx'):
            return 'callable'
        raise FileNotFoundError(f'no model at {name}: give a checkpoint (.pth), an ONNX file, a TorchScript file or '
                                'module:function')
    if path.suffix == '.onnx':
        return 'onnx'
    return 'torchscript' if _is_script(path) else 'checkpoint'


def _is_script(path):
    """Whether a file is a TorchScript archive: a zip with code beside its tensors."""
    import zipfile
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any('/code/' in name for name in archive.namelist())


NETWORKS = dict(onnx=OnnxNetwork, torchscript=ScriptNetwork, callable=CallableNetwork)
