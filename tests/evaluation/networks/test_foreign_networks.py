"""Foreign models: what they are fed, that all kinds agree, and that wrong ones are refused."""
import numpy as np
import pytest
import torch

from mlaface.apis.networks import CheckpointNetwork, open_network
from mlaface.evaluation.embeddings.embed import embed_images
from mlaface.evaluation.images.reading import read_ahead
from mlaface.evaluation.networks.base import kind_of
from mlaface.evaluation.networks.function import CallableNetwork
from mlaface.evaluation.networks.input_format import InputFormat
from mlaface.evaluation.networks.onnx_file import OnnxNetwork
from mlaface.evaluation.networks.torchscript import ScriptNetwork


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
                                     dict(size=(112,)), dict(mean=('0.5',))])
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


def graph_file(path, inputs, outputs, kind=1):
    """An ONNX file with the given inputs, name -> shape, and outputs, name -> axes of a mean over the first input."""
    import onnx
    from onnx import TensorProto, helper
    nodes = [helper.make_node('Cast', [next(iter(inputs))], ['f'], to=TensorProto.FLOAT)]
    nodes += [helper.make_node('ReduceMean', ['f'], [name], axes=axes, keepdims=0) for name, axes in outputs.items()]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, 'g', [value(name, kind, shape) for name, shape in inputs.items()],
                              [value(name, 1, [None] * (4 - len(axes))) for name, axes in outputs.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)
    return path


def test_the_embedding_is_found_among_several_outputs(tmp_path):
    shape = dict(x=('n', 3, 112, 112))
    network = OnnxNetwork(graph_file(tmp_path / 'm.onnx', shape, dict(map=[3], embedding=[2, 3])))
    np.testing.assert_allclose(network.embed(images()), ((images() - 127.5) / 127.5).mean(axis=(2, 3)), atol=1e-5)
    with pytest.raises(ValueError, match=r'm.onnx has several outputs, a .*, b .*extract_model'):
        OnnxNetwork(graph_file(tmp_path / 'm.onnx', shape, dict(a=[2, 3], b=[2, 3])))


@pytest.mark.parametrize('kind', [1, 10, 11])  # float32, float16, float64
def test_onnx_of_any_float_gives_float32(tmp_path, kind):
    path = graph_file(tmp_path / 'm.onnx', dict(x=('n', 3, 112, 112)), dict(y=[2, 3]), kind)
    found = OnnxNetwork(path).embed(images())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ((images() - 127.5) / 127.5).mean(axis=(2, 3)), atol=1e-3)


@pytest.mark.parametrize('inputs, options, kind, message', [
    (dict(x=('n', 3, 112, 112)), dict(size=(96, 96)), 1, r'takes images of shape \(3, 112, 112\), .*--size'),
    (dict(x=('n', 112, 112, 3)), dict(layout='NCHW'), 1, r'takes images of shape \(112, 112, 3\), .*--layout'),
    (dict(x=('n', 1, 112, 112)), {}, 1, 'three channels'),
    (dict(x=('n', 3, 112, 112), mode=(1,)), {}, 1, r'2 inputs \(x, mode\)'),
    (dict(x=('n', 3, 112, 112)), {}, 6, r"'x' is tensor\(int32\)"),
])
def test_onnx_files_that_do_not_fit_are_refused_when_opened(tmp_path, inputs, options, kind, message):
    path = graph_file(tmp_path / 'm.onnx', inputs, dict(y=[2, 3]), kind)
    with pytest.raises(ValueError, match=f'm.onnx.*{message}'):
        OnnxNetwork(path, options=options)


def test_images_that_a_file_cannot_take_are_explained(tmp_path):
    path = tmp_path / 'm.pt'
    torch.jit.script(torch.nn.Conv2d(1, 1, 3)).save(path)
    with pytest.raises(ValueError, match=r'cannot take images of shape \(5, 3, 112, 112\)'):
        ScriptNetwork(path).embed(images())


def test_torchscript_agrees_with_the_module(tmp_path):
    path = tmp_path / 'm.pt'
    torch.jit.script(Means()).save(path)
    assert kind_of(path) is ScriptNetwork
    expected = Means()(torch.from_numpy(InputFormat().prepare(images()))).numpy()
    np.testing.assert_allclose(ScriptNetwork(path).embed(images()), expected, rtol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64])
def test_torchscript_gets_images_of_its_own_type(tmp_path, dtype):
    path = tmp_path / 'm.pt'
    torch.jit.script(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 112), torch.nn.Flatten()).to(dtype)).save(path)
    found = ScriptNetwork(path).embed(images())
    assert found.shape == (5, 4) and found.dtype == np.float32


def test_code_in_a_file_is_not_run(tmp_path):
    """A pickle that writes a file, under every name and in every wrapping that a model comes in."""
    import os
    import pickle
    import zipfile
    mark = tmp_path / 'ran'

    class Evil:
        def __reduce__(self):
            return os.system, (f'touch {mark}',)
    data = pickle.dumps(Evil(), 2)
    for name in ('a.pth', 'a.pt', 'a.onnx'):
        (tmp_path / name).write_bytes(data)
    torch.save(dict(config='', model=Evil()), tmp_path / 'zip.pth')
    with zipfile.ZipFile(tmp_path / 'script.pt', 'w') as archive:
        for entry in ('data.pkl', 'constants.pkl', 'code/x.py', 'version'):
            archive.writestr(f'a/{entry}', data if entry.endswith('pkl') else '3\n')
    for name in ('a.pth', 'a.pt', 'a.onnx', 'zip.pth', 'script.pt'):
        with pytest.raises(ValueError, match=name):
            open_network(str(tmp_path / name))
    assert not mark.exists()


@pytest.mark.parametrize('name', ['brain_float', 'wrapped', 'bright'])
def test_functions_objects_and_modules_give_float32(name):
    found = CallableNetwork(f'toy_networks:{name}').embed(images())
    assert found.dtype == np.float32 and len(found) == 5


@pytest.mark.parametrize('name, message', [
    ('failing', r'RuntimeError: out of memory \(.*toy_networks.py, line \d+\)'),
    ('column', r'of shape \(5,\) for 5 images'),
    ('maps', r'of shape \(5, 3, 112, 112\) for 5 images'),
    ('pair', 'gave a tuple of 2 for 5 images'),
    ('silent', 'gave a NoneType'),
])
def test_what_a_function_gives_instead_of_embeddings_is_named(name, message):
    network = CallableNetwork(f'toy_networks:{name}')
    with pytest.raises(ValueError, match=f'toy_networks:{name} .*{message}'):
        network.embed(images())


@pytest.mark.parametrize('name, message', [('Wrapper', r'is a class: .*embed = Wrapper\(...\)'),
                                           ('CELLS', r'\(int\) cannot be called'),
                                           ('nowhere', 'names no function')])
def test_what_cannot_be_called_with_images_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        CallableNetwork(f'toy_networks:{name}')


def test_kinds_are_told_apart(tmp_path):
    torch.save(dict(a=1), tmp_path / 'c.pth')
    assert kind_of(tmp_path / 'c.pth') is CheckpointNetwork
    assert kind_of('module:function') is CallableNetwork
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


def test_what_is_no_model_of_openvino_is_said_in_a_line_and_by_openvino_in_none(tmp_path, capfd):
    pytest.importorskip('openvino')
    (tmp_path / 'm.bin').write_bytes(b'')
    for text, message in (('hello', 'm.xml is no model of OpenVINO: it has no <net>'),
                          ('<?xml version="1.0"?><net name="x" version="11"><layers><', r'OpenVINO: [^:]* at offset')):
        (tmp_path / 'm.xml').write_text(text)
        with pytest.raises(ValueError, match=message) as error:
            open_network(str(tmp_path / 'm.xml'))
        assert '\n' not in str(error.value) and 'Exception from' not in str(error.value)
    assert capfd.readouterr() == ('', '')


def test_an_openvino_model_without_its_weights_names_the_missing_file(tmp_path):
    (tmp_path / 'm.xml').write_text('<net/>')
    with pytest.raises(FileNotFoundError, match=r'm\.bin is missing, which holds the weights of \S*m\.xml') as error:
        open_network(str(tmp_path / 'm.xml'))
    assert '\n' not in str(error.value)
