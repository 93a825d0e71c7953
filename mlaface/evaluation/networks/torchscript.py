"""A TorchScript file as a network."""
import zipfile
from dataclasses import asdict
from pathlib import Path

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import as_embeddings, describe, first_line
from mlaface.evaluation.networks.input_format import InputFormat
from mlaface.registry import NETWORKS
from mlaface.utils.archive import check_archive


@NETWORKS.register_module('torchscript')
class ScriptNetwork(Network):
    """A TorchScript file.

    Args:
        path (str): The file.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat``.

    Raises:
        ValueError: If it is no TorchScript file, or a damaged one; names it.
    """

    def __init__(self, path, device='cpu', options=None):
        import torch
        try:
            check_archive(path)
            self.model = torch.jit.load(str(path), map_location=device).eval()
        except RuntimeError as error:
            raise ValueError(f'{path} cannot be opened as TorchScript: {first_line(error)}') from error
        self.path, self.device, self.format = path, device, InputFormat(**(options or {}))
        self.size = self.format.size
        floats = (weight.dtype for weight in self.model.parameters() if weight.is_floating_point())
        self.dtype = next(floats, torch.float32)

    @classmethod
    def accepts(cls, name):
        """A TorchScript archive: a zip with code beside its tensors; see the base class."""
        return not name.endswith('.onnx') and Path(name).is_file() and _is_script(name)

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        import torch
        prepared = self.format.prepare(images)
        try:
            with torch.inference_mode():
                output = self.model(torch.from_numpy(prepared).to(self.device, self.dtype))
        except RuntimeError as error:
            raise ValueError(f'{self.path} cannot take images of shape {prepared.shape}: '
                             f'{str(error).splitlines()[-1]}. See --size and --layout') from error
        return as_embeddings(output, len(images), self.path)

    def describe(self):
        """The ``model`` entry of result JSON."""
        return describe(self.path, asdict(self.format))


def _is_script(path):
    """Whether a file is a zip archive that holds code, as TorchScript writes it (bool)."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any('/code/' in name for name in archive.namelist())
