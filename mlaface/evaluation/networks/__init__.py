"""Any model behind one face: uint8 RGB images in, embeddings out.

A network has ``embed(images uint8 (N, 3, H, W)) -> float32 (N, D)``, ``size`` (H, W) and ``describe()``, the
``model`` entry of result JSON; one that joins an image with its mirror image by itself says how as ``flip``.
Checkpoints are opened by whoever knows the models, and come as ``RecognizerNetwork``.
"""
import zipfile
from pathlib import Path

from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.networks.onnx_file import OnnxNetwork
from mlaface.evaluation.networks.recognizer import RecognizerNetwork
from mlaface.evaluation.networks.script import ScriptNetwork

__all__ = ['NETWORKS', 'CallableNetwork', 'OnnxNetwork', 'RecognizerNetwork', 'ScriptNetwork', 'kind_of']

NETWORKS = dict(onnx=OnnxNetwork, torchscript=ScriptNetwork, callable=CallableNetwork)


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
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any('/code/' in name for name in archive.namelist())
