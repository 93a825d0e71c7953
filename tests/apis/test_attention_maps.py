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


def test_a_checkpoint_with_attention_is_served_with_it(models, tmp_path):
    from starlette.testclient import TestClient

    from mlaface.cli.serve import application, make_parser
    from mlaface.serve.keys import Keys
    from tests.serve.served import png, send
    model = network(dict(type='HybridAttention'))
    config = dict(type='FaceRecognizer', neck=dict(type='EmbeddingNeck', in_channels=64, embedding_size=8),
                  backbone=dict(type='IResNet', width=0.125, attention=dict(type='HybridAttention'),
                                attention_stages=(3, 4)))
    torch.save(dict(schema=1, config=f'model = {config!r}', model=dict(state_dict=model.state_dict(),
                                                                      input=model.input_spec)), tmp_path / 'best.pth')
    args = make_parser().parse_args(['--model', str(tmp_path / 'best.pth'), '--galleries', str(tmp_path), '--device',
                                     'cpu'])
    with TestClient(application(args, Keys()), base_url='http://localhost') as client:
        assert client.get('/v1/model').json()['attention'] is True
        found = send(client, 'detect', '?attention=true&aligned=true', image=png(CROP.transpose(1, 2, 0))).json()
    assert set(found['faces'][0]['attention']) == {'7 x 7', '14 x 14'}


def test_a_network_without_attention_has_none():
    assert AttentionMaps.of(network()) is None and attention_of(object()) is None
