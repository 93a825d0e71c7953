"""InsightFace's first models: files byte for byte and embeddings number for number as real mxnet has them."""
import json
import os
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from mlaface.apis import init_model
from mlaface.cli.main import main
from mlaface.export.mxnet.convert import symbol_path, to_mxnet
from mlaface.export.mxnet.params import CPU, LIST, V1, read_params, write_params
from mlaface.export.mxnet.symbol import Design, read_symbol, write_symbol
from tests.models import tiny

SCRIPT = Path(__file__).with_name('mxnet_models.py')
DESIGN = Design((2, 2, 2, 2), (8, 16, 32, 64), 8)


def mxnet(python, what, prefix, images):
    environment = {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}
    np.save(f'{prefix}-images.npy', images)
    subprocess.run([python, str(SCRIPT), what, prefix, f'{prefix}-images.npy', f'{prefix}-out.npy'], check=True,
                   env=environment, capture_output=True)
    return np.load(f'{prefix}-out.npy')


def trained(**preprocessor):
    """A small network whose norms have seen images."""
    model = tiny.recognizer(preprocessor=preprocessor)
    for seed in range(3):
        model(tiny.images(8, seed=seed))
    return model.eval()


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_mxnet_loads_what_we_write(mxnet_python, tmp_path):
    prefix, model, images = str(tmp_path / 'ours'), trained(mean=120.0, std=128.0), tiny.images(3)
    to_mxnet(model, f'{prefix}-0000.params')
    close(mxnet(mxnet_python, 'run', prefix, images.numpy()), model.extract(images).numpy())
    assert Path(f'{prefix}-0000.params').read_bytes() == Path(f'{prefix}-again.params').read_bytes()
    assert json.loads(symbol_path(f'{prefix}-0000.params').read_text()) == json.loads(
        Path(f'{prefix}-again.json').read_text())


def test_we_read_what_mxnet_writes(mxnet_python, tmp_path, capsys):
    prefix, images = str(tmp_path / 'model'), tiny.images(3)
    expected = mxnet(mxnet_python, 'make', prefix, images.numpy())
    main(['mxnet', f'{prefix}-0000.params', str(tmp_path / 'ours.pth')])
    assert 'IResNet-18, embeddings of 8' in capsys.readouterr().out
    model = init_model(tmp_path / 'ours.pth')
    assert model.input['std'] == [128.0] * 3 and bool((model.neck.features.weight == 1).all())
    close(model.extract(images).numpy(), expected)
    main(['mxnet', str(tmp_path / 'ours.pth'), f'{prefix}2-0000.params', '--back'])
    close(mxnet(mxnet_python, 'run', f'{prefix}2', images.numpy()), expected)


def test_there_and_back_is_the_same_network(tmp_path):
    model = trained()
    to_mxnet(model, tmp_path / 'a-0000.params')
    main(['mxnet', str(tmp_path / 'a-0000.params'), str(tmp_path / 'a.pth')])
    back = init_model(tmp_path / 'a.pth').state_dict()
    own = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith('head.')}
    assert all(torch.equal(back[name], own[name]) for name in own if 'num_batches' not in name)


@pytest.mark.parametrize('dtype', ['f4', 'f8', 'f2', 'u1', 'i4', 'i1', 'i8'])
def test_arrays_of_every_type_come_back(dtype, tmp_path):
    arrays = {'arg:a': np.arange(6).reshape(2, 3).astype(dtype), 'aux:ä': np.ones(1, dtype)}
    write_params(tmp_path / 'a.params', arrays)
    found = read_params(tmp_path / 'a.params')
    assert list(found) == list(arrays)
    assert all(found[name].dtype == dtype and np.array_equal(found[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize('shape', [struct.pack('<IIqq', V1, 2, 1, 2), struct.pack('<III', 2, 1, 2)])
def test_arrays_of_older_versions_are_read(shape, tmp_path):
    content = struct.pack('<QQQ', LIST, 0, 1) + shape + CPU + struct.pack('<iff', 0, 3, 4) + struct.pack('<QQ', 1, 1)
    (tmp_path / 'a.params').write_bytes(content + b'x')
    assert read_params(tmp_path / 'a.params')['x'].tolist() == [[3, 4]]


def test_every_cut_of_a_file_is_refused(tmp_path):
    write_params(tmp_path / 'a.params', {'x': np.ones((2, 2), np.float32)})
    content = (tmp_path / 'a.params').read_bytes()
    for length in range(len(content)):
        (tmp_path / 'a.params').write_bytes(content[:length])
        with pytest.raises(ValueError, match='a.params cannot be read'):
            read_params(tmp_path / 'a.params')


def test_symbols_of_older_versions_and_of_trainings_are_read():
    graph = json.loads(write_symbol(DESIGN))
    for node in graph['nodes']:
        node['op'] = {'elemwise_add': '_Plus', '_minus_scalar': '_MinusScalar'}.get(node['op'], node['op'])
        node['param' if node['op'] != 'null' else 'attr'] = node.pop('attrs', {})
    graph['nodes'].append(dict(op='L2Normalization', name='fc7', inputs=[[len(graph['nodes']) - 1, 0, 0]]))
    assert read_symbol(json.dumps(graph)) == DESIGN


@pytest.mark.parametrize('old, new, message', [
    ('"(2, 2)"', '"(1, 1)"', 'stage1_unit1_conv2.*stride'), ('"prelu"', '"elu"', 'relu0.*elu'),
    ('"fc1"', '"fc2"', 'no node is called fc1'), ('"BatchNorm"', '"InstanceNorm"', 'InstanceNorm'),
    ('[', '{', 'no symbol')])
def test_a_symbol_of_another_network_is_refused(old, new, message):
    with pytest.raises(ValueError, match=message):
        read_symbol(write_symbol(DESIGN).replace(old, new))


def test_wiring_counts():
    graph = json.loads(write_symbol(DESIGN))
    add = next(node for node in graph['nodes'] if node['op'] == 'elemwise_add')
    add['inputs'][1] = add['inputs'][0]
    with pytest.raises(ValueError, match='elemwise_add'):
        read_symbol(json.dumps(graph))


@pytest.mark.parametrize('change, message', [
    (dict(attention='ECA'), 'ECA'), (dict(mla=True), 'branch'), (dict(backbone='MobileFaceNet'), 'only IResNet'),
    (dict(preprocessor=dict(color='BGR')), 'RGB'), (dict(backbone_options=dict(activation='relu')), 'ReLU')])
def test_what_mxnet_has_no_place_for_is_refused(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_mxnet(tiny.recognizer(**change), tmp_path / 'a-0000.params')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name, change, message', [
    ('arg:conv0_weight', lambda array: array[1:], r'conv0_weight is \(7'),
    ('arg:fc1_beta', None, 'fc1_beta is missing'),
    ('arg:stage1_unit1_se_conv1_weight', lambda _: np.ones(1, np.float32), 'se_conv1_weight')])
def test_parameters_of_another_network_are_refused(name, change, message, tmp_path, capsys):
    path = tmp_path / 'a-0000.params'
    to_mxnet(trained(), path)
    arrays = read_params(path)
    arrays.update({name: change(arrays.get(name))} if change else {})
    write_params(path, {key: array for key, array in arrays.items() if change or key != name})
    with pytest.raises(SystemExit, match=message):
        main(['mxnet', str(path), str(tmp_path / 'out.pth')])
    assert not (tmp_path / 'out.pth').exists()
