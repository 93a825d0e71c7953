"""Foreign models: what they are fed, that all kinds agree, and that wrong ones are refused."""
import numpy as np
import pytest
import torch

from mlaface.evaluation.embedding import embed_images, read_ahead
from mlaface.evaluation.input_format import InputFormat
from mlaface.evaluation.networks import CallableNetwork, OnnxNetwork, ScriptNetwork, kind_of


class Means(torch.nn.Module):
    """Mean of each channel over the left and the right half: a network whose answer one can work out."""

    def forward(self, images):
        return images.unflatten(3, (2, -1)).mean(dim=(2, 4)).flatten(1)


class Memory:
    """Images in memory that count how many batches are read and not yet used."""

    def __init__(self, images):
        self.images, self.reads = images, 0

    def __len__(self):
        return len(self.images)

    def read(self, rows):
        self.reads += 1
        return self.images[rows]


def images(count=5, size=112, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def onnx_file(path, shape=('n', 3, 112, 112), metadata=None):
    """An ONNX file whose output is the mean of each channel."""
    import onnx
    from onnx import TensorProto, helper
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    node = helper.make_node('ReduceMean', ['x'], ['y'], axes=axes, keepdims=0)
    graph = helper.make_graph([node], 'means', [helper.make_tensor_value_info('x', TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, (shape[0], 3))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def test_default_format_is_arcface():
    prepared = InputFormat().prepare(images())
    np.testing.assert_allclose(prepared, (images() - 127.5) / 127.5, rtol=1e-6)
    assert prepared.dtype == np.float32


def test_color_mean_std_layout_are_applied_in_this_order():
    options = InputFormat(color='BGR', mean=(1, 2, 3), std=(2, 4, 8), layout='NHWC')
    prepared, pixels = options.prepare(images()), images()
    assert prepared.shape == (5, 112, 112, 3)
    np.testing.assert_allclose(prepared[..., 0], (pixels[:, 2] - 1.0) / 2, rtol=1e-6)
    np.testing.assert_allclose(prepared[..., 2], (pixels[:, 0] - 3.0) / 8, rtol=1e-6)


def test_other_size_is_scaled():
    assert InputFormat(size=(96, 80)).prepare(images()).shape == (5, 3, 96, 80)


@pytest.mark.parametrize('options', [dict(color='GRB'), dict(layout='CHWN'), dict(std=(0,)), dict(mean=(1, 2)),
                                     dict(size=(112,))])
def test_impossible_formats_are_refused(options):
    with pytest.raises(ValueError):
        InputFormat(**options)


def test_onnx_takes_any_batch_and_states_its_file(tmp_path):
    network = OnnxNetwork(onnx_file(tmp_path / 'm.onnx'))
    np.testing.assert_allclose(network.embed(images()), ((images() - 127.5) / 127.5).mean(axis=(2, 3)), atol=1e-5)
    described = network.describe()
    assert described['name'] == 'm' and len(described['sha256']) == 64 and described['input']['color'] == 'RGB'


def test_onnx_of_a_fixed_batch_is_padded(tmp_path):
    fixed = OnnxNetwork(onnx_file(tmp_path / 'f.onnx', (4, 3, 112, 112)))
    free = OnnxNetwork(onnx_file(tmp_path / 'm.onnx'))
    np.testing.assert_allclose(fixed.embed(images(6)), free.embed(images(6)), atol=1e-6)


def test_onnx_layout_and_size_are_read_off_its_input(tmp_path):
    network = OnnxNetwork(onnx_file(tmp_path / 'h.onnx', ('n', 96, 80, 3)))
    assert network.format.layout == 'NHWC' and network.size == (96, 80)
    assert network.embed(images()).shape == (5, 3)


def test_onnx_metadata_is_followed_and_options_stand_above_it(tmp_path):
    stated = {'mlaface': '1', 'input': '{"color": "BGR", "mean": [0, 0, 0], "std": [1, 1, 1], "size": [112, 112]}',
              'flip': 'sum'}
    path = onnx_file(tmp_path / 'm.onnx', metadata=stated)
    network = OnnxNetwork(path)
    assert network.flip == 'sum'
    np.testing.assert_allclose(network.embed(images()), images()[:, ::-1].mean(axis=(2, 3)), rtol=1e-4)
    assert OnnxNetwork(path, options=dict(color='RGB')).format.color == 'RGB'


def bytes_onnx(path):
    """An ONNX file that takes bytes and gives the mean of each channel."""
    import onnx
    from onnx import TensorProto, helper
    nodes = [helper.make_node('Cast', ['x'], ['f'], to=TensorProto.FLOAT),
             helper.make_node('ReduceMean', ['f'], ['y'], axes=[2, 3], keepdims=0)]
    graph = helper.make_graph(nodes, 'means', [helper.make_tensor_value_info('x', TensorProto.UINT8, ('n', 3, 96, 96))],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, ('n', 3))])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    return path


def test_onnx_of_bytes_gets_color_and_size_and_refuses_mean_and_std(tmp_path):
    path = bytes_onnx(tmp_path / 'b.onnx')
    found = OnnxNetwork(path, options=dict(color='BGR')).embed(images())
    np.testing.assert_allclose(found, images()[:, ::-1].mean(axis=(2, 3)), atol=1)
    with pytest.raises(ValueError, match='mean: .* normalises them itself'):
        OnnxNetwork(path, options=dict(mean=(0.0,)))


def test_images_that_a_file_cannot_take_are_explained(tmp_path):
    network = OnnxNetwork(onnx_file(tmp_path / 'm.onnx'), options=dict(size=(96, 96)))
    with pytest.raises(ValueError, match=r'cannot take images of shape \(5, 3, 96, 96\).*--size'):
        network.embed(images())
    path = tmp_path / 'm.pt'
    torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(path)
    with pytest.raises(ValueError, match=r'cannot take images of shape \(5, 3, 112, 112\)'):
        ScriptNetwork(path).embed(images())


def test_torchscript_agrees_with_the_module(tmp_path):
    path = tmp_path / 'm.pt'
    torch.jit.script(Means()).save(path)
    assert kind_of(path) == 'torchscript'
    expected = Means()(torch.from_numpy(InputFormat().prepare(images()))).numpy()
    np.testing.assert_allclose(ScriptNetwork(path).embed(images()), expected, rtol=1e-5)


def test_kinds_are_told_apart(tmp_path):
    torch.save(dict(a=1), tmp_path / 'c.pth')
    assert kind_of(tmp_path / 'c.pth') == 'checkpoint'
    assert kind_of('module:function') == 'callable'
    with pytest.raises(FileNotFoundError, match='no model at'):
        kind_of(tmp_path / 'none.pth')


def test_files_that_are_no_models_are_refused(tmp_path):
    (tmp_path / 'bad.onnx').write_bytes(b'nothing')
    with pytest.raises(ValueError, match='cannot be opened as an ONNX'):
        OnnxNetwork(tmp_path / 'bad.onnx')
    with pytest.raises(ValueError, match='names no function'):
        CallableNetwork('toy_networks:nothing')


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_batches_come_in_order_with_both_variants(workers):
    network = CallableNetwork('toy_networks:grid')
    pixels = images(11)
    outputs = list(embed_images(network, Memory(pixels), batch_size=4, workers=workers))
    assert np.concatenate([o['index'] for o in outputs]).tolist() == list(range(11))
    np.testing.assert_array_equal(np.concatenate([o['flipped'] for o in outputs])[3],
                                  network.embed(pixels[3:4, :, :, ::-1])[0])


def test_reading_ahead_is_bounded():
    import time
    memory = Memory(images(40, 8))
    batches = read_ahead(memory, np.arange(40), 2, workers=2)
    next(batches)
    time.sleep(0.05)
    assert memory.reads <= 3
    batches.close()


def test_an_error_of_a_reader_comes_through():
    class Broken(Memory):
        def read(self, rows):
            raise ValueError('image 3 cannot be decoded')
    with pytest.raises(ValueError, match='image 3'):
        list(read_ahead(Broken(images(4)), np.arange(4), 2))


def test_a_network_that_loses_images_is_refused():
    class Short:
        def embed(self, batch):
            return np.ones((len(batch) - 1, 4), np.float32)
    with pytest.raises(ValueError, match='for 5 images'):
        list(embed_images(Short(), Memory(images())))


@pytest.mark.parametrize('output, message', [
    (lambda batch: np.ones((len(batch) - 1, 5 * len(batch))), r'shape \(4, 25\) for 5 images'),
    (lambda batch: None, r'shape \(\) for 5 images'), (lambda batch: ['a'] * 5, 'one array of numbers'),
    (lambda batch: (np.ones((5, 4)), np.ones(5)), 'one array of numbers')])
def test_an_output_that_is_not_one_row_an_image_is_never_reshaped_into_one(monkeypatch, output, message):
    """Four rows of 25 numbers for five images are 100 numbers, and would be taken for five rows of 20."""
    import toy_networks
    monkeypatch.setattr(toy_networks, 'bad', output, raising=False)
    with pytest.raises(ValueError, match=message):
        CallableNetwork('toy_networks:bad').embed(images())
