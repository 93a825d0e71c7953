"""TorchScript."""
import json
import warnings

import torch

from mlaface.evaluation.networks.torchscript import METADATA
from mlaface.export.exporters.base import Exporter
from mlaface.registry import EXPORTERS


@EXPORTERS.register_module('torchscript')
class ScriptExporter(Exporter):
    """TorchScript of any batch size, for libtorch and older versions of torch; its metadata are the extra file
    ``mlaface.json``."""
    suffixes = ('.pt', '.ts')
    kind = 'torchscript'
    precisions = ('float32', 'float16', 'bfloat16')

    def convert(self, extractor, precision='float32', images=None):
        """A ``ScriptModule``; see the base class."""
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')  # the checks of shapes that tracing leaves out; the file is run
            return torch.jit.trace(extractor, extractor.example(), check_trace=False)

    def save(self, program, path, metadata):
        """See the base class."""
        program.save(str(path), _extra_files={METADATA: json.dumps(metadata)})
