"""Backbones, attention and other parts by themselves; see test_attention_in_backbones.py for the pairs."""
import copy

import pytest
import tiny
import torch

from mlaface.models import prelu
from mlaface.models.layers import StridedPointwise
from mlaface.models.prelu import PReLU
from mlaface.registry import ATTENTION, MODELS


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_attention_stands_in_the_named_stages_only(backbone):
    def count(stages):
        model = tiny.recognizer(backbone, 'HybridAttention', backbone_options=dict(attention_stages=stages))
        return sum(isinstance(m, ATTENTION.get('HybridAttention')) for m in model.modules())
    assert count(()) == 0 < count((2,)) < count((1, 2, 3))
    with pytest.raises(ValueError, match='attention_stages'):
        count((9,))


@pytest.mark.parametrize('attention', tiny.attentions())
def test_attention_keeps_shape_and_the_batch_apart(attention):
    plugin = tiny.moved(ATTENTION.build(dict(type=attention, channels=16))).double().eval()
    x = torch.randn(3, 16, 6, 5, dtype=torch.double)
    assert plugin(x).shape == x.shape
    torch.testing.assert_close(plugin(x)[1:2], plugin(x[1:2]))
    assert not torch.allclose(plugin(x), x)


@pytest.mark.parametrize('backbone', tiny.backbones())
@pytest.mark.parametrize('size', (32, 48, 100))
def test_out_size_and_channels_are_what_comes_out(backbone, size):
    net = MODELS.build(dict(type=backbone, width=0.125, in_size=size)).eval()
    assert net(torch.zeros(1, 3, size, size)).shape == (1, net.out_channels, net.out_size, net.out_size)


@pytest.mark.parametrize('options, message', [
    (dict(blocks=(1, 4, 6)), 'four sizes'), (dict(blocks=(0, 4, 6, 2)), 'four sizes'), (dict(scale=1.5), 'whole')])
def test_mobilefacenets_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='MobileFaceNet', **options))


def run_steps(model, count=2):
    for seed in range(count):
        model.zero_grad()
        model(tiny.images(seed=seed), tiny.labels(), mode='loss')['loss'].backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, model.state_dict()


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_checkpointing_changes_nothing(backbone):
    plain = tiny.recognizer(backbone, 'HybridAttention')
    checkpointed = copy.deepcopy(plain)
    checkpointed.backbone.with_cp = True
    torch.testing.assert_close(run_steps(checkpointed), run_steps(plain), rtol=0, atol=0)


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_channels_last_and_blockwise_prelu_change_nothing(backbone, monkeypatch):
    fast = tiny.recognizer(backbone, 'HybridAttention', channels_last=True).double()
    plain = copy.deepcopy(fast).to(memory_format=torch.contiguous_format)
    plain.preprocessor.channels_last = False
    found = run_steps(fast)
    monkeypatch.setattr(PReLU, 'blockwise', False)
    torch.testing.assert_close(found, run_steps(plain), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize('channels', (8, 16))
@pytest.mark.parametrize('size', (7, 32))
def test_strided_pointwise_is_a_convolution_in_channels_last_too(channels, size):
    """With 8 channels plain oneDNN ends the process in this backward pass."""
    ours = StridedPointwise(channels, 24, 2).to(memory_format=torch.channels_last)
    plain = torch.nn.Conv2d(channels, 24, 1, stride=2, bias=False).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(8, channels, size, size).to(memory_format=torch.channels_last).requires_grad_()
    y = x.detach().double().contiguous().requires_grad_()
    (ours(x) ** 2).sum().backward()
    (plain(y) ** 2).sum().backward()
    torch.testing.assert_close(x.grad.double(), y.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.weight.grad.double(), plain.weight.grad, rtol=1e-4, atol=1e-2)


@pytest.fixture(params=['compiled', 'blocks'])
def passes(request, monkeypatch):
    if request.param == 'blocks':
        monkeypatch.setattr(prelu, 'kernels', lambda *_: None)


@pytest.mark.parametrize('layout', (torch.contiguous_format, torch.channels_last))
@pytest.mark.parametrize('shape', ((1, 3, 1, 1), (7, 5, 9, 4), (3, 2, 200, 300)))
def test_prelu_is_torchs(shape, layout, passes):
    ours, theirs = PReLU(shape[1]), torch.nn.PReLU(shape[1])
    slopes = torch.linspace(-0.5, 1.5, shape[1])
    x = torch.randn(shape).to(memory_format=layout)
    x[0, 0, 0, 0] = 0.0
    results = []
    for layer in (ours, theirs):
        layer.weight.data.copy_(slopes)
        leaf = x.clone().requires_grad_()
        out = layer(leaf)
        (out * torch.sin(out)).sum().backward()
        results.append((out, leaf.grad, layer.weight.grad))
    assert type(results[0][0].grad_fn).__name__ != type(results[1][0].grad_fn).__name__
    torch.testing.assert_close(results[0][0], results[1][0], rtol=0, atol=0)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(results[0][2], results[1][2], rtol=1e-5, atol=1e-5 * float(results[1][2].abs().max()))


@pytest.mark.parametrize('layout', (torch.contiguous_format, torch.channels_last))
@pytest.mark.parametrize('dtype, channels', ((torch.bfloat16, 5), (torch.bfloat16, 32), (torch.float16, 16)))
def test_prelu_is_torchs_under_autocast(dtype, channels, layout, passes):
    ours, theirs = PReLU(channels), torch.nn.PReLU(channels)
    x = torch.randn(9, channels, 7, 8).to(dtype).to(memory_format=layout)
    probe, results = torch.randn(9, channels, 7, 8).to(dtype), []
    for layer in (ours, theirs):
        layer.weight.data.copy_(torch.linspace(-0.5, 1.5, channels))
        leaf = x.clone().requires_grad_()
        with torch.autocast('cpu', dtype):
            out = layer(leaf)
        out.backward(probe)
        results.append((out, leaf.grad, layer.weight.grad))
    assert type(results[0][0].grad_fn).__name__ != type(results[1][0].grad_fn).__name__
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    torch.testing.assert_close(results[0][2], results[1][2], rtol=1e-2, atol=1e-2 * float(results[1][2].abs().max()))


def test_prelu_takes_an_empty_batch_and_gradcheck():
    layer = PReLU(3).double()
    x = torch.randn(2, 3, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: torch.func.functional_call(layer, {'weight': w}, (x,)),
                                    (x, layer.weight))
    layer(torch.zeros(0, 3, 2, 2, dtype=torch.double, requires_grad=True)).sum().backward()
    assert layer.weight.grad.abs().sum() == 0


@pytest.mark.parametrize('bad, word', [
    (dict(type='IResNet', depth=17), 'choose one of 18'), (dict(type='IResNet', activation='rellu'), "'relu'"),
    (dict(type='IResNet', width=0), 'above 0'), (dict(type='IResNet', dept=18), "'depth'"),
    (dict(type='IResnet'), 'IResNet'), (dict(type='IResNet', attention=dict(type='HybridAtention')), 'HybridAttention'),
    (dict(type='GatedFusion', norm='both'), "'shared'"), (dict(type='PatchSelfAttention', scale='sqr'), "'sqrt'"),
    (dict(type='PatchSelfAttention', clamp=(1, -1)), 'low below high')])
def test_wrong_arguments_say_what_is_right(bad, word):
    with pytest.raises((ValueError, TypeError, KeyError), match=word):
        MODELS.build(bad)


def test_branch_energies_are_scaled_or_cut():
    branch = MODELS.build(dict(type='PatchSelfAttention', channels=8, qk_channels=4, patch=4, clamp=(-1, 1)))
    with torch.no_grad():
        branch.query_conv.weight.mul_(100)
        weights = branch.attention(branch.conv1_(torch.randn(2, 3, 12, 12)))
    assert weights.shape == (2, 9, 9) and torch.allclose(weights.sum(-1), torch.ones(2, 9))
    assert (weights.amax(-1) / weights.amin(-1)).max() <= 2.7182818 ** 2 * 1.001  # a row's energies lie in [-1, 1]
    assert branch(torch.zeros(2, 3, 12, 16)).shape == (2, 8, 3, 4)
