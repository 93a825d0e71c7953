"""Gates that start open, levels alone, and self-attention on the trunk's own map."""
import pytest
import tiny
import torch

from mlaface.models.gates import GATE_FUNCTIONS, gate_function
from mlaface.registry import ATTENTION, MODELS


def hybrid(**options):
    return ATTENTION.build(dict(type='HybridAttention', channels=32, **options)).double().eval()


def test_the_default_is_the_published_attention():
    torch.manual_seed(0)
    plugin, x = hybrid(), torch.randn(2, 32, 6, 5, dtype=torch.double)
    pools = [pool(x, 1) for pool in (torch.nn.functional.adaptive_avg_pool2d, torch.nn.functional.adaptive_max_pool2d)]
    scaled = torch.sigmoid(plugin.ca.fc(pools[0]) + plugin.ca.lf.gamma * plugin.ca.fc(pools[1])) * x
    place = torch.cat([scaled.mean(1, keepdim=True), scaled.max(1, keepdim=True).values], 1)
    torch.testing.assert_close(plugin(x), torch.sigmoid(plugin.sa.conv1(place)) * scaled, rtol=0, atol=0)
    assert list(plugin.state_dict()) == ['ca.fc.0.weight', 'ca.fc.2.weight', 'ca.lf.gamma', 'sa.conv1.weight']


@pytest.mark.parametrize('gate, start', [('sigmoid', 0.25), ('2 sigmoid', 1), ('1 + tanh', 1)])
def test_gates_start_where_they_say(gate, start):
    plugin, x = hybrid(gate=gate), torch.randn(2, 32, 6, 5, dtype=torch.double)
    for weight in plugin.parameters():
        torch.nn.init.zeros_(weight)
    torch.testing.assert_close(plugin(x), start * x)


def test_the_two_open_gates_differ_in_slope_only():
    x = torch.linspace(-3, 3, 9, dtype=torch.double)
    torch.testing.assert_close(GATE_FUNCTIONS['1 + tanh'](x), GATE_FUNCTIONS['2 sigmoid'](2 * x))
    with pytest.raises(ValueError, match="did you mean '2 sigmoid'"):
        gate_function('2sigmoid')


def test_gamma_may_stay_as_it_starts():
    plugin = ATTENTION.build(dict(type='HybridAttention', channels=32, init=0.25, learn=False))
    x = torch.randn(2, 32, 6, 5).to(memory_format=torch.channels_last).requires_grad_()
    plugin(x).square().sum().backward()
    assert plugin.ca.lf.gamma.item() == 0.25 and plugin.ca.lf.gamma.grad is None
    assert all(weight.grad.any() for weight in plugin.parameters() if weight.requires_grad)


@pytest.mark.parametrize('levels, kept', [(['channel'], 'ca'), (['spatial'], 'sa'), ('spatial', 'sa')])
def test_each_level_alone(levels, kept):
    plugin, x = hybrid(levels=levels), torch.randn(2, 32, 6, 5, dtype=torch.double)
    assert {name.partition('.')[0] for name in plugin.state_dict()} == {kept}
    places, channels = (-2, -1), 1
    gate = (plugin.ca(x.mean(places, keepdim=True), x.amax(places, keepdim=True)) if kept == 'ca' else
            plugin.sa(torch.stack([x.mean(channels), x.amax(channels)], 1)))
    torch.testing.assert_close(plugin(x), gate * x)
    with pytest.raises(ValueError, match='levels'):
        hybrid(levels=[])


OWN_MAP = dict(branch=dict(type='MapSelfAttention', channels=64, heads=4, qk_channels=8),
               fusion=dict(type='GatedFusion', channels=64, norm='none', init=0.0))


def test_attention_on_the_own_map_starts_as_the_plain_network():
    torch.manual_seed(0)
    plain = tiny.recognizer()
    attended = tiny.recognizer(**OWN_MAP)
    attended.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(attended.eval()(tiny.images()), plain.eval()(tiny.images()), rtol=0, atol=0)
    attended.train()(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    assert attended.fusion.gate.grad.abs() > 0
    attended.fusion.gate.data.fill_(0.5)
    attended(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in attended.branch.parameters())


@pytest.mark.parametrize('position', ['relative', 'learned', None])
@pytest.mark.parametrize('shape', [(7, 7), (4, 9)])
def test_self_attention_is_that_of_the_formula(position, shape):
    torch.manual_seed(0)
    branch = MODELS.build(dict(type='MapSelfAttention', channels=16, heads=2, qk_channels=4,
                               position=position)).double().eval()
    for code in (branch.bias, branch.place):
        if code is not None:
            torch.nn.init.normal_(code)
    x = torch.randn(2, 16, *shape, dtype=torch.double)
    places = [(i, j) for i in range(shape[0]) for j in range(shape[1])]
    normed = branch.positioned(x).flatten(2)
    query, key, value = (torch.einsum('oc,ncp->nop', part.weight[:, :, 0, 0], normed)
                         for part in (branch.query, branch.key, branch.value))
    heads = []
    for head in range(2):
        q, k, v = (part.chunk(2, 1)[head] for part in (query, key, value))
        energy = torch.einsum('ncp,ncq->npq', q, k) / 2
        if position == 'relative':
            bias = [[branch.bias[head, max(-6, min(6, b[0] - a[0])) + 6, max(-6, min(6, b[1] - a[1])) + 6]
                     for b in places] for a in places]
            energy = energy + torch.tensor([[value.item() for value in row] for row in bias], dtype=torch.double)
        heads.append(torch.einsum('npq,ncq->ncp', energy.softmax(-1), v))
    expected = torch.einsum('oc,ncp->nop', branch.project.weight[:, :, 0, 0], torch.cat(heads, 1))
    torch.testing.assert_close(branch(x), expected.unflatten(2, shape))


def test_position_tells_mirrored_maps_apart():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 7, 7)
    for position, same in ((None, True), ('learned', False), ('relative', False)):
        branch = MODELS.build(dict(type='MapSelfAttention', channels=16, heads=2, position=position)).eval()
        for code in (branch.bias, branch.place):
            if code is not None:
                torch.nn.init.normal_(code)
        assert torch.allclose(branch(x.flip(3)).flip(3), branch(x), atol=1e-5) == same


@pytest.mark.parametrize('options, message', [(dict(heads=5), 'divide'), (dict(position='sine'), 'unknown')])
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='MapSelfAttention', channels=16, **options))
