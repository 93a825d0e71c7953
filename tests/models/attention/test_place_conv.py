"""The convolution of two channels to one, compiled and by groups of places: the numbers, where each is used."""
import pytest
import torch
from torch import nn

from mlaface.models.attention import _place_conv as place_conv
from mlaface.models.attention._place_conv import PlaceConv
from mlaface.models.kernels import place_conv as kernel


def _both(kernel_size, shape):
    torch.manual_seed(kernel_size)
    ours, plain = PlaceConv(kernel_size), nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(shape).to(memory_format=torch.channels_last)
    grad = torch.randn(shape[0], 1, *shape[2:])
    found = []
    for layer in (ours, plain):
        seen = x.clone().requires_grad_()
        y = layer(seen)
        y.backward(grad)
        found.append((y.detach(), seen.grad, layer.weight.grad))
    return found


@pytest.fixture(params=['compiled', 'by groups'])
def way(request, monkeypatch):
    """Which of the two ways is open, and a list that grows by one with each call of it."""
    calls, compiled = [], request.param == 'compiled'
    module, name = (kernel, 'place_conv') if compiled else (place_conv, '_of_groups')
    own = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: calls.append(1) or own(*given))
    if not compiled:
        monkeypatch.setattr(place_conv, 'kernels', lambda *_: None)
    return request.param, calls


@pytest.mark.parametrize('kernel_size', [1, 3, 5, 7, 9, 11, 13])
@pytest.mark.parametrize('shape', [(3, 2, 8, 12), (2, 2, 5, 4), (1, 2, 1, 16)])
def test_the_numbers_are_those_of_a_plain_convolution(kernel_size, shape, way):
    ours, plain = _both(kernel_size, shape)
    assert way[1]
    for mine, theirs in zip(ours, plain):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('case', ['width', 'contiguous', 'half', 'no gradient', 'switched off'])
def test_elsewhere_it_is_torchs_own(case, way):
    x = torch.randn(2, 2, 8, 7 if case == 'width' else 8)
    if case != 'contiguous':
        x = x.to(memory_format=torch.channels_last)
    layer = PlaceConv(7)
    layer.blockwise = case != 'switched off'
    x = x.to(torch.float16 if case == 'half' else x.dtype)
    with torch.autocast('cpu', torch.float16, enabled=case == 'half'):
        assert layer(x.requires_grad_(case != 'no gradient')).shape == (2, 1, *x.shape[2:])
    compiled = way[0] == 'compiled' and case in ('width', 'contiguous')  # which needs neither fours nor a layout
    assert len(way[1]) == compiled


def test_under_autocast_it_is_compiled_for_bfloat16(way):
    x = torch.randn(2, 2, 8, 8).to(torch.bfloat16, memory_format=torch.channels_last).requires_grad_()
    layer = PlaceConv(7)
    with torch.autocast('cpu', torch.bfloat16):
        y = layer(x)
        layer.blockwise = False
        plain = layer(x)
    assert y.dtype == torch.bfloat16 and len(way[1]) == (way[0] == 'compiled')
    torch.testing.assert_close(y, plain, rtol=0.02, atol=0.02)
    found, expected = (torch.autograd.grad(each.float().square().sum(), [x, layer.weight]) for each in (y, plain))
    for mine, theirs in zip(found, expected):
        assert mine.dtype == theirs.dtype
        assert (mine - theirs).norm() <= 0.03 * theirs.norm()


def test_it_is_counted_and_saved_as_a_convolution():
    layer = PlaceConv(7)
    assert isinstance(layer, nn.Conv2d)
    assert list(layer.state_dict()) == ['weight']
    assert layer.weight.shape == (1, 2, 7, 7)
