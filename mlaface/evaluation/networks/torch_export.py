"""A program of torch.export as a network."""
import json
from pathlib import Path

from mlaface.evaluation.networks.common import archive_names, first_line
from mlaface.evaluation.networks.program_check import check_program
from mlaface.evaluation.networks.torchscript import METADATA, ScriptNetwork
from mlaface.registry import NETWORKS
from mlaface.utils.archive import check_archive


@NETWORKS.register_module('torch-export')
class ProgramNetwork(ScriptNetwork):
    """A ``.pt2`` file of ``torch.export``; ours says how its images are made, foreign files follow options.

    ``torch.export.load`` runs code that a file brings; only a file that brings none is given to it, see
    ``program_check``.

    Args:
        path (str): The file.
        device (str): Where it runs.
        options (dict or None): Fields of ``InputFormat``; they stand above what the file says.

    Raises:
        ValueError: If it is no such file, a damaged one, or one that brings code; names it.
    """

    def _load(self, path, device):
        import torch
        check_archive(path)
        check_program(path)
        extra = {METADATA: ''}
        try:
            program = torch.export.load(str(path), extra_files=extra)
            if str(device) != 'cpu':
                from torch.export.passes import move_to_device_pass
                program = move_to_device_pass(program, str(device))
            module = program.module()
        except Exception as error:  # what torch raises for a program of another version is of many kinds
            raise ValueError(f'{path} cannot be opened as a program of torch.export: {first_line(error)}') from error
        return module, json.loads(extra[METADATA] or '{}')

    @classmethod
    def accepts(cls, name):
        """An archive that says it is a program of torch.export; see the base class."""
        if name.endswith('.onnx') or not Path(name).is_file():
            return False
        return any(entry.count('/') == 1 and entry.endswith('/archive_format') for entry in archive_names(name))
