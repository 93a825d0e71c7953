"""Maps of attention: what a gate lets through where, and which patches are attended to."""
import numpy as np
import pytest
import torch

from mlaface.apis.attention import AttentionMaps
from mlaface.cli.serve import attention_of
from mlaface.registry import MODELS

CROP = np.random.default_rng(0).integers(0, 255, (3, 112, 112), dtype=np.uint8)


def network(attention=None, branch=None):
    stages = dict(attention=attention, attention_stages=(3, 4)) if attention else {}
    fusion = dict(type='GatedFusion', channels=64) if branch else None
    return MODELS.build(dict(type='FaceRecognizer', backbone=dict(type='IResNet', width=0.125, **stages),
                             neck=dict(type='EmbeddingNeck', in_channels=64, embedding_size=8), branch=branch,
                             fusion=fusion)).eval()


@pytest.mark.parametrize('kind', ['HybridAttention', 'CBAM', 'SqueezeExcitation', 'SimAM'])
def test_maps_have_the_sizes_of_the_stages_and_leave_the_network_as_it_was(kind):
    torch.manual_seed(0)
    model = network(dict(type=kind), dict(type='PatchSelfAttention', channels=64))
    before = model.extract(torch.from_numpy(CROP)[None])
    maps = AttentionMaps.of(model)(CROP)
    shapes = {'7 x 7': (7, 7), '14 x 14': (14, 14), 'patches': (7, 7)}
    assert {name: each.shape for name, each in maps.items()} == shapes
    assert all(each.min() == 0 and each.max() == 1 for each in maps.values())
    assert torch.equal(model.extract(torch.from_numpy(CROP)[None]), before)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_gate_that_opens_in_one_corner_is_seen_there():
    model = network(dict(type='HybridAttention'))
    gates = [module.sa for module in model.modules() if type(module).__name__ == 'HybridAttention']

    def corner(module, inputs, output):
        gate = torch.full_like(output, 0.1)
        gate[..., :2, :2] = 0.9
        return gate
    for gate in gates:
        gate.register_forward_hook(corner)
    for each in AttentionMaps(model)(CROP).values():
        assert each[:2, :2].min() > 0.7 and each[2:, 2:].max() < 0.3


def test_a_network_without_attention_has_none():
    assert AttentionMaps.of(network()) is None and attention_of(object()) is None
