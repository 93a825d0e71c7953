"""What is written down of attention is what the network did: against other ways to the same numbers."""
import numpy as np
import pytest
import torch

from mlaface.apis.attention import AttentionMaps
from mlaface.models.branches.map_attention import MapSelfAttention
from mlaface.registry import ATTENTION
from mlaface.visualization.observe import Observer, gates_of
from tests.models.tiny import attentions
from tests.visualization.seen import CROP, SIZE, network


def through(model, name):
    """What a module takes and gives while the face is embedded, by running the network once more."""
    kept = []
    hook = model.get_submodule(name).register_forward_hook(lambda module, inputs, out: kept.extend([inputs[0], out]))
    model.extract(torch.from_numpy(CROP)[None])
    hook.remove()
    return [each[0].double().numpy() for each in kept]


@pytest.mark.parametrize('kind', ['HybridAttention', 'SimAM', 'GlobalContext'])
def test_a_block_is_what_comes_out_over_what_goes_in(kind):
    model = network(kind)
    blocks, _ = Observer(model)(CROP)
    assert [block.name for block in blocks] == [f'backbone.layer{stage}.{number}.attn' for stage in (1, 2, 3, 4)
                                                for number in (0, 1)]
    assert [block.stage for block in blocks] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [block.places.shape for block in blocks][::2] == [(16, 16), (8, 8), (4, 4), (2, 2)]
    block = blocks[2]
    taken, given = through(model, block.name)
    places = [[sum(abs(given[:, row, column])) / sum(abs(taken[:, row, column])) for column in range(8)]
              for row in range(8)]
    np.testing.assert_allclose(block.places, places, rtol=1e-5)
    if kind != 'HybridAttention':
        channels = [abs(after).sum() / abs(before).sum() for before, after in zip(taken, given)]
        np.testing.assert_allclose(block.channels, channels, rtol=1e-5)
        assert not block.gated


@pytest.mark.parametrize('kind', ['SqueezeExcitation', 'ECA', 'CBAM', 'HybridAttention'])
def test_a_channel_gate_is_the_one_that_the_map_passes(kind):
    """Out over gated in is one number a place: what the gate of the places lets through, or 1 without one."""
    torch.manual_seed(1)
    plugin, x = ATTENTION.build(dict(type=kind, channels=32)).eval(), torch.randn(2, 32, 5, 4)
    gate = plugin.channel_gate(x)
    left = (plugin(x) / (gate * x)).detach()
    assert gate.shape == (2, 32, 1, 1) and gate.std() > 0
    torch.testing.assert_close(left, left[:, :1].expand_as(left), rtol=1e-4, atol=1e-5)
    if kind in ('SqueezeExcitation', 'ECA'):
        torch.testing.assert_close(left, torch.ones_like(left))


def test_a_plugin_without_a_channel_level_has_no_gate_of_channels():
    plugin = ATTENTION.build(dict(type='HybridAttention', channels=8, levels='spatial'))
    assert plugin.channel_gate(torch.randn(1, 8, 3, 3)) is None


@pytest.mark.parametrize('position', ['relative', 'learned', None])
@pytest.mark.parametrize('shape', [(3, 3), (4, 2)])
def test_attention_of_a_map_is_what_its_forward_uses(position, shape):
    torch.manual_seed(0)
    branch = MapSelfAttention(16, heads=4, qk_channels=3, position=position, size=3).eval()
    for parameter in (branch.bias, branch.place):
        if parameter is not None:
            torch.nn.init.normal_(parameter)
    x = torch.randn(2, 16, *shape)
    weights = branch.attention(x)
    assert weights.shape == (2, 4, shape[0] * shape[1], shape[0] * shape[1])
    torch.testing.assert_close(weights.sum(3), torch.ones_like(weights[..., 0]))
    value = branch.value(branch.positioned(x)).flatten(2).unflatten(1, (4, 4))
    mixed = torch.einsum('nhqk,nhdk->nhdq', weights, value).flatten(1, 2).unflatten(2, shape)
    torch.testing.assert_close(branch.project(mixed), branch(x), rtol=1e-4, atol=1e-5)


def test_a_row_is_what_the_place_over_a_point_attends_to():
    model = network().requires_grad_(False)
    _, (patches, places) = Observer(model)(CROP)
    assert (patches.name, patches.kind, patches.shape) == ('branch.0', 'PatchSelfAttention', (2, 2))
    assert (places.name, places.weights.shape) == ('branch.1', (2, 4, 4))
    for found in (patches, places):
        np.testing.assert_allclose(found.weights.sum(2), 1, rtol=1e-5)
        assert found.received.sum() == pytest.approx(1)
    assert patches.place((20, 70), (112, 112)) == (1, 0) and patches.place((111.9, 0), (112, 112)) == (0, 1)
    branch, x = model.branch[0], model.preprocessor(torch.from_numpy(CROP)[None])
    each = branch.conv1_(x)[0].flatten(1)  # features of the four patches, row by row
    query, key = (part.weight[:, :, 0, 0] @ each + part.bias[:, None] for part in (branch.query_conv, branch.key_conv))
    energy = [float(query[:, 2] @ key[:, patch]) / 8 ** 0.5 for patch in range(4)]
    expected = np.exp(energy) / np.exp(energy).sum()
    np.testing.assert_allclose(patches.row((1, 0)), expected.reshape(1, 2, 2), rtol=1e-4)


@pytest.mark.parametrize('kind', attentions())
def test_every_plugin_is_seen(kind):
    block = Observer(network(kind, branches=False))(CROP)[0][-1]
    assert block.kind == kind and block.places.shape == (2, 2) and block.channels.shape == (64,)
    assert np.isfinite(block.places).all() and (block.channels >= 0).all()


def test_gates_are_the_parameters_by_name():
    model = network().requires_grad_(False)
    gates = gates_of(model)
    assert len(gates) == 8 + 2 and gates['backbone.layer2.1.attn.ca.lf.gamma'] == pytest.approx(0.3)
    assert gates['fusion.gate[1]'] == pytest.approx(float(model.fusion.gate[1]))
    assert gates_of(network(None, False)) == {}


def test_looking_leaves_the_network_as_it_was():
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Observer(model)(CROP)
    assert model.backbone.training and not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_served_maps_show_both_kinds_of_branches():
    maps = AttentionMaps.of(network(None))(CROP)
    assert {name: each.shape for name, each in maps.items()} == {'patches': (2, 2), 'places': (2, 2)}
    assert SIZE == 32 and not Observer(network(None, False))
