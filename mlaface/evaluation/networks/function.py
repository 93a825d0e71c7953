"""A Python function, or a network in memory, as a network."""
import traceback
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import as_embeddings, describe
from mlaface.evaluation.networks.input_format import InputFormat
from mlaface.registry import NETWORKS


@NETWORKS.register_module('function')
class CallableNetwork(Network):
    """``module:function``: images float32, prepared as the options say, to embeddings (N, D).

    A function gets an array and does what it likes; an ``nn.Module`` gets a tensor, on the device, in evaluation mode.

    Args:
        name (str): Import path.
        device (str): For an ``nn.Module``; a function knows its own.
        options (dict or None): Fields of ``InputFormat``.

    Raises:
        ValueError: If there is nothing of this name, or it cannot be called with images; names it and the remedy.
    """

    def __init__(self, name, device='cpu', options=None):
        self.function = _placed(_find(name), device)
        self.path, self.format = name, InputFormat(**(options or {}))
        self.size = self.format.size

    @classmethod
    def accepts(cls, name):
        """``module:function``, which is no file; see the base class."""
        return ':' in name and '://' not in name and Path(name).suffix not in ('.pth', '.onnx') \
            and not Path(name).is_file()

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W).

        Raises:
            ValueError: If the function fails or gives anything but embeddings; names it, and its line that failed.
        """
        prepared = self.format.prepare(images)
        try:
            output = self.function(prepared)
        except Exception as error:  # whatever the function raises, whoever wrote it wants to know where
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise ValueError(f'{self.path} failed on images float32 {prepared.shape}: {type(error).__name__}: {error} '
                             f'({at.filename}, line {at.lineno})') from error
        return as_embeddings(output, len(images), self.path)

    def describe(self):
        """The ``model`` entry of result JSON."""
        return describe(self.path, asdict(self.format))


def _find(name):
    """What an import path names, which can be called."""
    module, _, attribute = name.partition(':')
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f'{name!r} names no function: {error}. Write it as module:function, and see that the '
                         'module is on PYTHONPATH') from error
    if isinstance(function, type):
        raise ValueError(f'{name!r} is a class: make an object of it in its module, embed = {attribute}(...), and name '
                         f'that, {module}:embed')
    if not callable(function):
        raise ValueError(f'{name!r} ({type(function).__name__}) cannot be called with images')
    return function


def _placed(function, device):
    """A function as it is; an ``nn.Module`` as a function of arrays."""
    import torch
    if not isinstance(function, torch.nn.Module):
        return function
    module = function.eval().to(device)

    def run(images):
        with torch.inference_mode():
            return module(torch.from_numpy(images).to(device))
    return run
