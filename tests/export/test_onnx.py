"""ONNX files of every backbone with every attention, and the converter of published names."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mlaface.registry import EXPORTERS, MODELS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'models'))
import tiny  # noqa: E402

onnx = pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')


def run(path, images):
    return runtime.InferenceSession(str(path), providers=['CPUExecutionProvider']).run(None, {'images': images})[0]


@pytest.mark.parametrize('attention', [None, *tiny.attentions()])
@pytest.mark.parametrize('backbone', tiny.backbones())
def test_every_backbone_with_every_attention_exports(backbone, attention, tmp_path):
    model = tiny.recognizer(backbone, attention, mla=True)
    EXPORTERS.get('export_onnx')(model, tmp_path / 'm.onnx')
    x = tiny.images(5, seed=9)
    np.testing.assert_allclose(run(tmp_path / 'm.onnx', x.numpy()), model.extract(x), rtol=1e-3, atol=1e-4)
    assert model.training and model.head is not None


@pytest.mark.parametrize('flip, normalize', [('sum', True), ('concat', False)])
def test_raw_input_and_flip_are_stated(flip, normalize, tmp_path):
    model = tiny.recognizer(neck='GDCNeck')
    EXPORTERS.get('export_onnx')(model, tmp_path / 'm.onnx', preprocess=False, flip=flip, normalize=normalize)
    told = {p.key: p.value for p in onnx.load(str(tmp_path / 'm.onnx')).metadata_props}
    spec = json.loads(told['input'])
    assert (told['flip'], spec['mean'], spec['dtype'], spec['size']) == (flip, [127.5] * 3, 'float32', [32, 32])
    x = tiny.images(2)
    floats = ((x.numpy() - np.array(spec['mean'], np.float32)[:, None, None])
              / np.array(spec['std'], np.float32)[:, None, None])
    expected = model.extract(x, flip)
    expected = torch.nn.functional.normalize(expected) if normalize else expected
    np.testing.assert_allclose(run(tmp_path / 'm.onnx', floats), expected, rtol=1e-3, atol=1e-4)


def test_a_file_that_disagrees_is_not_written(tmp_path):
    (tmp_path / 'm.onnx').write_text('old')
    with pytest.raises(ValueError, match='not written'):
        EXPORTERS.get('export_onnx')(tiny.recognizer(), tmp_path / 'm.onnx', tolerance=-1.0)
    assert [p.name for p in tmp_path.iterdir()] == ['m.onnx'] and (tmp_path / 'm.onnx').read_text() == 'old'


def call(script, *arguments):
    return subprocess.run([sys.executable, str(ROOT / 'tools' / 'converters' / script), *map(str, arguments)],
                          capture_output=True, text=True, cwd=ROOT)


@pytest.fixture
def checkpoint(tmp_path):
    """A published-variant network as a training writes it."""
    parts = dict(backbone=dict(type='IResNet', width=0.125, in_size=32, activation='relu'),
                 branch=dict(type='PatchSelfAttention', channels=64, qk_channels=8),
                 fusion=dict(type='GatedFusion', channels=64),
                 neck=dict(type='EmbeddingNeck', in_channels=64, in_size=2, embedding_size=8))
    config = dict(type='FaceRecognizer', variant='published', **parts)
    network = MODELS.build(dict(config, head=dict(type='MarginHead', num_classes=3, embedding_size=8)))
    state = {name: value for name, value in network.state_dict().items() if name != 'head.weight'}
    torch.save(dict(schema=1, config=f'model = {config!r}', model=dict(state_dict=state)), tmp_path / 'trained.pth')
    return network, tmp_path / 'trained.pth'


def test_to_onnx_command(checkpoint, tmp_path):
    network, path = checkpoint
    done = call('to_onnx.py', path, tmp_path / 'm.onnx', '--flip', 'sum')
    assert done.returncode == 0 and 'embeddings of 8' in done.stdout, done.stderr
    x = tiny.images(3)
    np.testing.assert_allclose(run(tmp_path / 'm.onnx', x.numpy()), network.extract(x, 'sum'), rtol=1e-3, atol=1e-4)
    missing = call('to_onnx.py', tmp_path / 'none.pth', tmp_path / 'n.onnx')
    assert missing.returncode == 1 and missing.stderr == f'error: no checkpoint at {tmp_path / "none.pth"}\n'


def test_a_trained_checkpoint_is_given_back_and_fetched_again(checkpoint, tmp_path):
    network, path = checkpoint
    assert call('published.py', path, tmp_path / 'published.pth', '--back').returncode == 0
    assert 'saatten.conv1_.weight' in torch.load(tmp_path / 'published.pth', weights_only=True)
    assert call('published.py', tmp_path / 'published.pth', tmp_path / 'ours.pth').returncode == 0
    ours = torch.load(tmp_path / 'ours.pth', weights_only=True)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in ours.items())
