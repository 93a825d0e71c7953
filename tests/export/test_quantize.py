"""Graphs in fewer bits, by themselves: whatever their constants are, and without a change to what was given."""
import numpy as np
import pytest

from mlaface.export.quantize import to_float16, to_int8

onnx = pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')


def graph():
    """A convolution whose map is flattened by a shape that is a constant, as torch's current exporter writes it."""
    helper, constant = onnx.helper, onnx.numpy_helper.from_array
    weight = np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node('Conv', ['images', 'weight'], ['map'], name='conv'),
             helper.make_node('Reshape', ['map', 'shape'], ['embeddings'], name='flat')]
    ends = [helper.make_tensor_value_info(name, 1, shape) for name, shape in (('images', ['n', 3, 8, 8]),
                                                                              ('embeddings', ['n', 288]))]
    made = helper.make_graph(nodes, 'g', ends[:1], ends[1:], [
        constant(weight, 'weight'), constant(np.array([-1, 288], np.int64), 'shape')])
    return helper.make_model(made, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)


def run(model, images):
    session = runtime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(None, {'images': images})[0]


@pytest.mark.parametrize('convert, share', [(lambda model, images: to_int8(model, images, 'images'), 0.03),
                                            (lambda model, images: to_float16(model), 2e-3)], ids=['int8', 'float16'])
def test_a_graph_in_fewer_bits_gives_nearly_the_same(convert, share):
    images = np.random.default_rng(1).uniform(-1, 1, (40, 3, 8, 8)).astype(np.float32)
    model = graph()
    before = model.SerializeToString()
    found, expected = run(convert(model, images), images), run(model, images)
    assert found.dtype == np.float32 and 1e-6 < np.abs(found - expected).max() < share * np.abs(expected).max()
    assert model.SerializeToString() == before, 'what was given stays as it was'


def test_convolutions_are_of_8_bits_with_a_scale_for_each_channel():
    images = np.random.default_rng(1).uniform(-1, 1, (40, 3, 8, 8)).astype(np.float32)
    model = to_int8(graph(), images, 'images')
    kinds = [node.op_type for node in model.graph.node]
    assert 'QuantizeLinear' in kinds and 'DequantizeLinear' in kinds
    scales = [onnx.numpy_helper.to_array(entry).size for entry in model.graph.initializer if 'scale' in entry.name]
    assert 8 in scales
