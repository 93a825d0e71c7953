"""ONNX, by torch's current exporter where it serves."""
import logging
import warnings
from contextlib import contextmanager

import torch

from mlaface.export.exporters.base import Exporter
from mlaface.export.prelu import spread_prelu
from mlaface.export.quantize import to_float16, to_int8
from mlaface.registry import EXPORTERS
from mlaface.utils.checksums import UNSEALED, seal
from mlaface.utils.errors import InputError
from mlaface.utils.packages import import_optional

INPUT, OUTPUT = 'images', 'embeddings'
OLDEST, OLDEST_OF_DYNAMO = 13, 18  # asked for less, torch's current exporter writes 18 and says so in a log


@EXPORTERS.register_module('onnx')
class OnnxExporter(Exporter):
    """ONNX of any batch size.

    Operator sets from 18 on come from torch's current exporter; older ones, which it cannot write, from the one before.
    There is no bfloat16: ONNX Runtime has no such convolution on CPU.

    Args:
        opset (int): Operator set, 13 up to the newest that the installed ``onnx`` knows. Default 18.

    Raises:
        InputError: If the operator set is out of range.
    """
    suffixes = ('.onnx',)
    kind = 'onnx'
    precisions = ('float32', 'float16', 'int8')
    spreads_prelu = True

    def __init__(self, opset=OLDEST_OF_DYNAMO):
        newest = _onnx().defs.onnx_opset_version()
        if not OLDEST <= opset <= newest:
            raise InputError(f'operator set {opset}: there are {OLDEST} to {newest} with the installed onnx')
        self.opset = opset

    def convert(self, extractor, precision='float32', images=None):
        """A ``ModelProto``; see the base class."""
        with _quiet():
            written = (_current if self.opset >= OLDEST_OF_DYNAMO else _former)(extractor, self.opset)
        graph = spread_prelu(written) if self.spreads_prelu else written
        if precision == 'float16':
            return to_float16(graph)
        if precision == 'int8':
            return to_int8(graph, extractor.prepare(torch.from_numpy(images)).numpy(), INPUT)
        return graph

    def dtype(self, precision):
        """float32: a graph is made smaller after it is whole."""
        return torch.float32

    def save(self, program, path, metadata):
        """See the base class."""
        onnx = _onnx()
        del program.metadata_props[:]
        onnx.helper.set_model_props(program, {**metadata, 'checksum': UNSEALED})
        onnx.checker.check_model(program)
        onnx.save(program, str(path))
        seal(path)


def _onnx():
    import_optional('onnxruntime', 'an ONNX file')  # it is checked with it
    return import_optional('onnx', 'an ONNX file')


def _current(extractor, opset):
    import_optional('onnxscript', f'operator set {opset}', f', or take --opset {OLDEST_OF_DYNAMO - 1}')
    program = torch.onnx.export(
        extractor, (extractor.example(),), None, input_names=[INPUT], output_names=[OUTPUT], dynamo=True,
        opset_version=opset, dynamic_shapes=({0: torch.export.Dim('batch')},), verbose=False)
    graph = program.model_proto
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.functions, graph.graph):
        del part.metadata_props[:]  # where in whose folders the code stood
    return graph


def _former(extractor, opset):
    import io
    stream = io.BytesIO()
    torch.onnx.export(extractor, (extractor.example(),), stream, input_names=[INPUT], output_names=[OUTPUT],
                      dynamo=False, opset_version=opset, dynamic_axes={INPUT: {0: 'batch'}, OUTPUT: {0: 'batch'}})
    return _onnx().load_from_string(stream.getvalue())


@contextmanager
def _quiet():
    """Without what the exporters tell of themselves."""
    level = logging.getLogger('torch.onnx').level
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # the checks of shapes that tracing leaves out hold for every image of the stated size; the file is run
            warnings.simplefilter('ignore', torch.jit.TracerWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            warnings.simplefilter('ignore', FutureWarning)
            yield
    finally:
        logging.getLogger('torch.onnx').setLevel(level)
