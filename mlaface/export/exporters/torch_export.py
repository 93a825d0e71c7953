"""torch.export's programs."""
import json
import warnings

import torch

from mlaface.evaluation.networks.torchscript import METADATA
from mlaface.export.exporters.base import Exporter
from mlaface.registry import EXPORTERS


@EXPORTERS.register_module('torch-export')
class ProgramExporter(Exporter):
    """A program of ``torch.export`` (.pt2) of any batch size; its metadata are the extra file ``mlaface.json``."""
    suffixes = ('.pt2',)
    kind = 'torch-export'
    precisions = ('float32', 'float16', 'bfloat16')

    def convert(self, extractor, precision='float32', images=None):
        """An ``ExportedProgram``; see the base class."""
        with torch.no_grad():
            program = torch.export.export(extractor, (extractor.example(),),
                                          dynamic_shapes=({0: torch.export.Dim('batch', min=1)},))
        graphs = [part.graph for part in program.graph_module.modules() if hasattr(part, 'graph')]
        for node in (node for graph in graphs for node in graph.nodes):  # where in whose folders the code stood
            for key in ('stack_trace', 'from_node', 'source_fn_stack'):
                node.meta.pop(key, None)
        return program

    def save(self, program, path, metadata):
        """See the base class."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)
            torch.export.save(program, str(path), extra_files={METADATA: json.dumps(metadata)})
