"""Attention by passes over the map gives what torch's own operators give: values, gradients, statistics, types."""
import copy
import gc

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from mlaface.models import blockwise, gated_blocks, gated_map
from mlaface.models.attention.cbam import CBAM
from mlaface.models.attention.hybrid import HybridAttention
from mlaface.models.gated_blocks import _pool
from mlaface.models.kernels import gated_map as compiled
from tests.models import tiny

KINDS = {'hybrid': HybridAttention, 'cbam': CBAM,
         'channel': lambda channels: HybridAttention(channels, levels='channel', gate='1 + tanh'),
         'spatial': lambda channels: HybridAttention(channels, levels='spatial')}


def tensors(shape, dtype, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=drawn).to(dtype).contiguous(memory_format=torch.channels_last)
            for _ in range(2)]


def trained(attention, x, grad, blocks, step=lambda attention, x: attention(x)):
    """Output, gradient of the map, and gradients and statistics by name, of a copy."""
    attention, x = copy.deepcopy(attention), x.clone().requires_grad_()
    attention.blockwise = blocks
    out = step(attention, x)
    out.backward(grad)
    found = {name: value.grad for name, value in attention.named_parameters() if value.grad is not None}
    return [out.detach(), x.grad, found | dict(attention.named_buffers())]


def agree(found, expected, **limits):
    for a, b in zip(found[:2], expected[:2]):
        assert a.dtype == b.dtype and a.stride() == b.stride()
        torch.testing.assert_close(a, b, **limits)
    assert found[2].keys() == expected[2].keys()
    for name in found[2]:
        torch.testing.assert_close(found[2][name], expected[2][name], **limits)


def test_the_same_where_only_deterministic_operators_may_be_used():
    """Max pooling over a whole map has no such backward pass on a GPU."""
    attention, (x, grad) = HybridAttention(16).double(), tensors((3, 16, 6, 5), torch.float64)
    x[0, 0] = x[0, 0].max()  # ties
    expected = trained(attention, x, grad, False)
    torch.use_deterministic_algorithms(True)
    try:
        agree(trained(attention, x, grad, False), expected, rtol=1e-12, atol=1e-14)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.fixture(params=KINDS)
def kind(request):
    torch.manual_seed(1)
    return KINDS[request.param]


@pytest.mark.parametrize('shape', [(5, 16, 14, 10), (1, 32, 7, 7), (3, 8, 1, 2)])
@pytest.mark.parametrize('elements', [1, 1 << 17])
def test_the_numbers_are_the_same_to_rounding(kind, shape, elements, monkeypatch):
    monkeypatch.setattr(blockwise, 'BLOCK_ELEMENTS', elements)
    attention, (x, grad) = kind(shape[1]).double(), tensors(shape, torch.float64)
    agree(trained(attention, x, grad, True), trained(attention, x, grad, False), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('shape', [(5, 16, 14, 10), (1, 32, 7, 7), (3, 5, 1, 2)])
def test_compiled_passes_are_as_exact_as_those_of_torchs_operators(kind, shape, monkeypatch):
    attention, (x, grad) = kind(shape[1]), tensors(shape, torch.float32)
    found = trained(attention, x, grad, True)
    monkeypatch.setattr(gated_map, 'kernels', lambda *_: None)
    blocks, exact = trained(attention, x, grad, True), trained(attention.double(), x.double(), grad.double(), False)
    for mine, theirs, value in zip(*((*each[:2], *each[2].values()) for each in (found, blocks, exact))):
        mine, theirs = ((each - value).double().norm() for each in (mine, theirs))
        assert mine <= 2 * theirs + 1e-6 * value.double().norm()


@pytest.mark.parametrize('passes', ['compiled', 'blocks'])
def test_under_autocast_maps_stay_of_its_type(kind, passes, monkeypatch):
    """And are as near to float32's as torch's are, over six draws: a single one may lie anywhere."""
    if passes == 'blocks':
        monkeypatch.setattr(gated_map, 'kernels', lambda *_: None)

    def half(attention, x):
        with torch.autocast('cpu', torch.bfloat16):
            return attention(x)

    def apart(found, exact):
        return [(each.float() - value.float()).square().sum()
                for each, value in zip((*found[:2], *found[2].values()), (*exact[:2], *exact[2].values()))]
    attention, ours, torchs, size = kind(16), 0, 0, 0
    for seed in range(6):
        x, grad = tensors((6, 16, 14, 14), torch.bfloat16, seed)
        found = trained(attention, x, grad, True, half)
        assert found[0].dtype == torch.bfloat16 and all(value.dtype != torch.bfloat16 for value in found[2].values())
        plain, exact = trained(attention, x, grad, False, half), trained(attention, x.float(), grad.float(), False)
        nothing = [0 * exact[0], 0 * exact[1], {name: 0 * value for name, value in exact[2].items()}]
        ours, torchs, size = (before + torch.stack(apart(*pair)) for before, pair in zip(
            (ours, torchs, size), ((found, exact), (plain, exact), (nothing, exact))))
    assert (ours.sqrt() <= 1.3 * torchs.sqrt() + 0.005 * size.sqrt() + 1e-6).all()


def test_a_place_that_ties_with_another_is_treated_as_by_torch():
    attention, (x, grad) = HybridAttention(16).double(), tensors((2, 16, 7, 7), torch.float64)
    x[:, 3:9] = 5.0
    agree(trained(attention, x, grad, True), trained(attention, x, grad, False))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_the_maximum_of_rows_and_its_place_are_torchs_whatever_the_numbers(dtype):
    drawn = torch.Generator().manual_seed(0)
    odd = torch.tensor([0.0, -0.0, float('inf'), float('-inf'), float('nan'), 1e-7, -1e-7, 60000.0])
    rows = torch.randn(40, 30, 24, generator=drawn)
    rows[10:20] = (rows[10:20] * 2).round()  # many are equal
    rows[20:30] = -rows[20:30].abs()
    rows[30:] = odd[torch.randint(len(odd), (10, 30, 24), generator=drawn)]
    rows = rows.to(dtype)
    mean, most, place = rows.new_empty(40, 30, 1), rows.new_empty(40, 30, 1), torch.empty(40, 30, 1, dtype=torch.int64)
    _pool(rows, mean, most, place)
    expected, where = rows.max(2, keepdim=True)
    torch.testing.assert_close(most, expected, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(place, where)
    torch.testing.assert_close(mean, rows.mean(2, keepdim=True), rtol=0, atol=0, equal_nan=True)


def test_compiled_pooling_is_torchs_whatever_the_numbers():
    drawn = torch.Generator().manual_seed(0)
    odd = torch.tensor([0.0, -0.0, float('inf'), float('-inf'), 1e-42, -1e-42, 3e36])
    x = torch.randn(40, 24, 6, 5, generator=drawn)
    x[10:20] = (x[10:20] * 2).round()  # many are equal, and zeros have both signs
    x[20:30] = -x[20:30].abs()
    x[30:] = odd[torch.randint(len(odd), (10, 24, 6, 5), generator=drawn)]
    x = x.contiguous(memory_format=torch.channels_last)
    (pooled, first), (expected, where) = (each.pool(x, None) for each in (compiled, gated_blocks))
    assert torch.equal(pooled[:, 1], expected[:, 1]) and torch.equal(first, where)
    torch.testing.assert_close(pooled[:, 0], expected[:, 0], equal_nan=True)
    for found, right in zip(compiled.pool_channels(x), gated_blocks.pool_channels(x)):
        torch.testing.assert_close(found, right, rtol=1e-6, atol=1e-6, equal_nan=True)


def test_what_is_no_number_stays_so():
    attention, (x, grad) = HybridAttention(16), tensors((2, 16, 7, 7), torch.float32)
    x[0, 3, 2, 2] = float('nan')
    for found, expected in zip(trained(attention, x, grad, True)[:2], trained(attention, x, grad, False)[:2]):
        assert torch.equal(found.isnan(), expected.isnan())
        torch.testing.assert_close(found, expected, equal_nan=True)


def test_frozen_weights_have_no_gradient_and_the_others_theirs(kind):
    attention, (x, grad) = kind(16).double(), tensors((3, 16, 7, 7), torch.float64)
    first = next(attention.parameters()).requires_grad_(False)
    found = trained(attention, x, grad, True)
    agree(found, trained(attention, x, grad, False))
    assert len(found[2]) == sum(1 for weight in attention.parameters() if weight is not first) + len(
        list(attention.buffers()))


def test_a_checkpointed_block_and_a_second_backward_pass(kind):
    attention, (x, grad) = kind(16).eval().double(), tensors((3, 16, 7, 7), torch.float64)
    plain = trained(attention, x, grad, False)
    agree(trained(attention, x, grad, True, lambda attention, x: checkpoint(attention, x, use_reentrant=False)), plain)
    x.requires_grad_()
    out = attention(x)
    for _ in range(2):
        out.backward(grad, retain_graph=True)
    torch.testing.assert_close(x.grad, 2 * plain[1])


def test_passes_are_for_channels_last_training_only():
    attention, (x, _) = HybridAttention(16), tensors((2, 16, 7, 7), torch.float32)

    def used(x):
        out = attention(x)
        return out.grad_fn is not None and '_GatedMap' in out.grad_fn.name()
    assert used(x.requires_grad_()) and not used(x.contiguous()) and not used(x.double().float().contiguous())
    with torch.no_grad():
        assert not used(x)
    assert not gated_map._pays(x.half(), attention.parameters())


def live_tensors():
    """How many tensors there are, when all that nobody can reach is gone (int)."""
    gc.collect()
    return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())


@pytest.mark.parametrize('kind', ['branch and gates', *(  # with HybridAttention; and one whose gates autograd keeps
    kind if kind == 'SqueezeExcitation' else pytest.param(kind, marks=pytest.mark.slow) for kind in tiny.attentions())])
def test_a_step_leaves_nothing_behind(kind):
    model = tiny.recognizer(attention='HybridAttention', mla=True) if kind == 'branch and gates' else tiny.recognizer(
        attention=kind)
    model.to(memory_format=torch.channels_last).train()
    counts = []
    for _ in range(3):
        model(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
        model.zero_grad()
        counts.append(live_tensors())
    assert counts[1] == counts[2]
