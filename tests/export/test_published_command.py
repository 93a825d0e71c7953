"""The converter of published names."""
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mlaface.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.slow
def test_a_trained_checkpoint_is_given_back_and_fetched_again(checkpoint, tmp_path):
    network, path = checkpoint
    assert call('published.py', path, tmp_path / 'published.pth', '--back').returncode == 0
    assert 'saatten.conv1_.weight' in torch.load(tmp_path / 'published.pth', weights_only=True)
    assert call('published.py', tmp_path / 'published.pth', tmp_path / 'ours.pth').returncode == 0
    ours = torch.load(tmp_path / 'ours.pth', weights_only=True)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in ours.items())
