"""OpenVINO, by way of ONNX."""
from pathlib import Path

from mlaface.evaluation.networks.openvino_file import METADATA, openvino
from mlaface.export.exporters.onnx import OnnxExporter
from mlaface.registry import EXPORTERS
from mlaface.utils.checksums import checksum


@EXPORTERS.register_module('openvino')
class OpenvinoExporter(OnnxExporter):
    """OpenVINO's ``.xml`` and ``.bin`` of any batch size, converted from ONNX.

    ``'bfloat16'`` keeps the weights of float32 and lets OpenVINO compute in bfloat16, where the processor has it.

    Args:
        opset (int): ONNX operator set on the way. Default 18.
    """
    suffixes = ('.xml',)
    kind = 'openvino'
    precisions = ('float32', 'float16', 'bfloat16', 'int8')
    spreads_prelu = False  # it joins a PReLU to the convolution before it

    def convert(self, extractor, precision='float32', images=None):
        """An ``openvino.Model``; see the base class."""
        import io
        self.half = precision == 'float16'
        graph = super().convert(extractor, 'int8' if precision == 'int8' else 'float32', images)
        return openvino().convert_model(io.BytesIO(graph.SerializeToString()))

    def save(self, program, path, metadata):
        """Weights first, then the ``.xml`` that says their checksum; see the base class."""
        program.set_rt_info(metadata, [METADATA])
        openvino().save_model(program, str(path), compress_to_fp16=self.half)
        program.set_rt_info(checksum(Path(path).with_suffix('.bin')), [METADATA, 'weights'])
        openvino().save_model(program, str(path), compress_to_fp16=self.half)
