"""ONNX graphs in fewer bits."""
import tempfile
from pathlib import Path

from mlaface.export.prelu import NAME

BATCH = 32
OPERATORS = ('Conv', 'Gemm', 'MatMul', 'Add')  # the others are bound by memory, and cost accuracy
OF_PRELU = ('Mul', 'Relu')  # between two convolutions: as float32 they would cost more time than both


def to_float16(graph):
    """A copy with float16 weights and maps; it takes and gives the types of the original.

    Args:
        graph (ModelProto): float32.

    Returns:
        ModelProto
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16
    return convert_float_to_float16(graph, keep_io_types=True)


class _Batches:
    """Images as ONNX Runtime's calibration reads them."""

    def __init__(self, images, name):
        self._batches = iter([{name: images[start:start + BATCH]} for start in range(0, len(images), BATCH)])

    def get_next(self):
        return next(self._batches, None)


def to_int8(graph, images, name):
    """A copy whose convolutions, products and sums are of 8 bits, with a scale per channel of the weights.

    Maps are unsigned, and their range is what the images give: what lies beyond is cut. Weights have 7 bits of the 8:
    processors without VNNI add products of two whole bytes in 16 bits, which then overflow.

    Args:
        graph (ModelProto): float32.
        images (ndarray): (N, 3, H, W), as the graph takes them.
        name (str): Of its input.

    Returns:
        ModelProto
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process
    with tempfile.TemporaryDirectory() as folder:
        given, prepared, written = (str(Path(folder, file)) for file in ('given.onnx', 'prepared.onnx', 'int8.onnx'))
        # by its file: of a graph in memory ONNX Runtime 1.32 leaves the weights out of what it writes
        onnx.save(graph, given)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        others = [node.name for node in onnx.load(prepared).graph.node
                  if node.op_type in OF_PRELU and not node.name.startswith(NAME)]
        quantize_static(prepared, written, _Batches(images, name), quant_format=QuantFormat.QDQ, per_channel=True,
                        op_types_to_quantize=[*OPERATORS, *OF_PRELU], nodes_to_exclude=others,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=True,
                        calibrate_method=CalibrationMethod.MinMax)
        return onnx.load(written)
