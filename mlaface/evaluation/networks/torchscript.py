"""A TorchScript file as a network."""
import json
from dataclasses import asdict, replace
from pathlib import Path

from mlaface.evaluation.networks.base import Network
from mlaface.evaluation.networks.common import archive_names, as_embeddings, describe, first_line
from mlaface.evaluation.networks.input_format import (
    InputFormat,
    overrides,
    stated_input,
    stated_thresholds,
    takes_bytes,
)
from mlaface.registry import NETWORKS
from mlaface.utils.archive import check_archive

METADATA = 'mlaface.json'  # the extra file of an archive of ours


@NETWORKS.register_module('torchscript')
class ScriptNetwork(Network):
    """A TorchScript file; ours says in its extra file how its images are made, foreign files follow options.

    Args:
        path (str): The file.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat``; they stand above what the file says.

    Raises:
        ValueError: If it is no TorchScript file, or a damaged one; names it.
    """

    def __init__(self, path, device='cpu', options=None):
        self.path, self.device = path, device
        self.model, metadata = self._load(path, device)
        self.flip, self.bytes = metadata.get('flip', 'none'), takes_bytes(metadata)
        self.thresholds = stated_thresholds(metadata)
        if self.bytes and {'mean', 'std'} & set(options or ()):
            raise ValueError(f'--mean and --std: {path} takes bytes and normalises them itself')
        self.overridden = overrides(metadata, options)
        self.format = replace(InputFormat(), **{**stated_input(metadata), **(options or {})})
        self.size, self.dtype = self.format.size, self._input_type()

    def _load(self, path, device):
        """The module and the metadata of a file."""
        import torch
        extra = {METADATA: ''}
        try:
            check_archive(path)
            model = torch.jit.load(str(path), map_location=device, _extra_files=extra).eval()
        except RuntimeError as error:
            raise ValueError(f'{path} cannot be opened as TorchScript: {first_line(error)}') from error
        return model, json.loads(extra[METADATA] or '{}')

    def _input_type(self):
        """What images are given as: bytes or float32 to a file of ours, to a foreign one its weights' type."""
        import torch
        if self.bytes is not None:
            return torch.uint8 if self.bytes else torch.float32
        floats = (weight.dtype for weight in self.model.parameters() if weight.is_floating_point())
        return next(floats, torch.float32)

    @classmethod
    def accepts(cls, name):
        """A TorchScript archive: a zip with code beside its tensors; see the base class."""
        return (not name.endswith('.onnx') and Path(name).is_file()
                and any('/code/' in entry for entry in archive_names(name)))

    def embed(self, images):
        """Embeddings float32 (N, D) of images uint8 (N, 3, H, W)."""
        import torch
        prepared = self.format.prepare_bytes(images) if self.bytes else self.format.prepare(images)
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
