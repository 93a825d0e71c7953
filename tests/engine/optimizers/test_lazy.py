"""Row-lazy optimizers against torch's dense ones."""
import copy
import math

import pytest
import torch

from mlaface.engine.optimizers import clock as clock_module
from mlaface.engine.optimizers.adamw import RowAdamW
from mlaface.engine.optimizers.clock import RowClock
from mlaface.engine.optimizers.sgd import RowSGD, _momentum_map
from mlaface.engine.optimizers.sparse import coalesced
from mlaface.registry import OPTIMIZERS
from mlaface.utils.sharding import RowShard

ROWS, WIDTH = 23, 5


def parameter(dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.Parameter(torch.randn(ROWS, WIDTH, generator=generator, dtype=dtype))


def sampled_gradient(step, share=0.2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1000 + step)
    rows = torch.randperm(ROWS, generator=generator)[:max(1, int(share * ROWS))].sort().values
    values = torch.randn(len(rows), WIDTH, generator=generator, dtype=dtype)
    return rows, values


def sparse(rows, values):
    return torch.sparse_coo_tensor(rows[None], values, (ROWS, WIDTH))


def rate(step):
    return 0.05 * (1 + math.cos(step / 40)) + 0.001


def run(optimizer, weight, first, last, dense=False, share=0.2):
    for step in range(first, last):
        rows, values = sampled_gradient(step, share, weight.dtype)
        optimizer.param_groups[0]['lr'] = rate(step)
        gradient = sparse(rows, values)
        weight.grad = gradient.to_dense() if dense else gradient
        optimizer.step()


@pytest.mark.parametrize('settings', [
    dict(momentum=0.9, weight_decay=5e-4), dict(momentum=0.9, weight_decay=0.), dict(momentum=0., weight_decay=0.01),
    dict(momentum=0.95, weight_decay=1e-2, nesterov=True)], ids=str)
@pytest.mark.parametrize('block', [7, 512])
def test_caught_up_rows_are_those_of_dense_sgd(settings, block, monkeypatch):
    monkeypatch.setattr(clock_module, 'BLOCK', block)
    ours, theirs = parameter(), parameter()
    lazy, dense = RowSGD([ours], lr=0.1, **settings), torch.optim.SGD([theirs], lr=0.1, **settings)
    run(lazy, ours, 0, 100)
    run(dense, theirs, 0, 100, dense=True)
    assert not torch.allclose(ours, theirs, atol=1e-6, rtol=0), 'some rows should be behind'
    lazy.flush()
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)
    if settings['momentum']:
        torch.testing.assert_close(lazy.state[ours]['momentum_buffer'], dense.state[theirs]['momentum_buffer'],
                                   atol=1e-12, rtol=1e-10)


def test_gradients_that_depend_on_weights_match_dense_sgd_in_float32():
    """The head's case: rows are caught up before they are read, and the gradient depends on what was read."""
    ours, theirs = parameter(torch.float32), parameter(torch.float32)
    lazy = RowSGD([ours], lr=0.1, momentum=0.9, weight_decay=5e-4)
    dense = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=5e-4)
    for step in range(300):
        rows, target = sampled_gradient(step, dtype=torch.float32)
        lazy.catch_up(ours, rows)
        ours.grad = sparse(rows, ours.detach()[rows] - target)
        theirs.grad = sparse(rows, theirs.detach()[rows] - target).to_dense()
        lazy.step()
        dense.step()
    lazy.flush()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_a_row_left_alone_for_thousands_of_steps_is_exact():
    clock, weight, momentum = RowClock(_momentum_map, 2), 1.0, 3.0
    for step in range(5000):
        eta, mu, decay = rate(step), 0.9, 5e-4
        momentum = mu * momentum + decay * weight
        weight -= eta * momentum
        clock.tick((eta, mu, decay, 0))
    caught = clock.since(torch.tensor([0]))[0] @ torch.tensor([1.0, 3.0], dtype=torch.float64)
    torch.testing.assert_close(caught, torch.tensor([weight, momentum], dtype=torch.float64), rtol=1e-11, atol=0)


@pytest.mark.parametrize('steps', [0, 1, 6, 7, 8, 21, 50])
def test_clock_knows_every_interval_and_restores_bit_for_bit(steps, monkeypatch):
    monkeypatch.setattr(clock_module, 'BLOCK', 7)
    clock = RowClock(_momentum_map, 2)
    maps = []
    for step in range(steps):
        clock.tick((rate(step), 0.9, 0.01, 0))
        maps.append(torch.tensor(_momentum_map((rate(step), 0.9, 0.01, 0)), dtype=torch.float64))
    last = torch.arange(steps + 1)
    for start, product in zip(last.tolist(), clock.since(last)):
        expected = torch.eye(2, dtype=torch.float64)
        for step in maps[start:]:
            expected = step @ expected
        torch.testing.assert_close(product, expected, rtol=1e-12, atol=1e-15)
    restored = RowClock(_momentum_map, 2).restore(clock.history())
    assert torch.equal(restored.since(last), clock.since(last))


@pytest.mark.parametrize('ours, theirs, settings', [
    (RowSGD, torch.optim.SGD, dict(momentum=0.9, weight_decay=1e-3)),
    (RowSGD, torch.optim.SGD, dict(momentum=0.9, weight_decay=1e-3, nesterov=True)),
    (RowSGD, torch.optim.SGD, dict()), (RowAdamW, torch.optim.AdamW, dict(weight_decay=0.1))], ids=str)
@pytest.mark.parametrize('sharded', [False, True])
def test_dense_gradients_equal_torch_bit_for_bit(ours, theirs, settings, sharded):
    mine, reference = parameter(torch.float32), parameter(torch.float32)
    if sharded:
        mine.row_shard = RowShard(0, ROWS, ROWS)
    a, b = ours([mine], lr=0.1, **settings), theirs([reference], lr=0.1, **settings)
    run(a, mine, 0, 12, dense=True)
    run(b, reference, 0, 12, dense=True)
    assert torch.equal(mine, reference)


def test_adamw_with_every_row_sampled_is_dense_adamw():
    ours, theirs = parameter(), parameter()
    a, b = RowAdamW([ours], weight_decay=0.1), torch.optim.AdamW([theirs], weight_decay=0.1)
    run(a, ours, 0, 30, share=1.0)
    run(b, theirs, 0, 30, dense=True, share=1.0)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-10)


def test_adamw_row_moves_by_its_own_steps_and_decays_by_all():
    """The stated departure: moments and bias correction of a row count the steps in which it was sampled."""
    ours = parameter()
    start = ours.detach().clone()
    lazy = RowAdamW([ours], weight_decay=0.1)
    run(lazy, ours, 0, 60)
    lazy.flush()
    for row in range(ROWS):
        alone = torch.nn.Parameter(start[row:row + 1].clone())
        dense = torch.optim.AdamW([alone], weight_decay=0.1)
        for step in range(60):
            rows, values = sampled_gradient(step)
            dense.param_groups[0]['lr'] = rate(step)
            hit = (rows == row).nonzero()
            if len(hit):
                alone.grad = values[hit[0]].clone()
                dense.step()
            else:
                alone.data.mul_(1 - rate(step) * 0.1)
        torch.testing.assert_close(ours[row:row + 1], alone, atol=1e-10, rtol=1e-9)


@pytest.mark.parametrize('kind, settings', [(RowSGD, dict(momentum=0.9, weight_decay=1e-3)), (RowAdamW, dict())])
def test_saving_perturbs_nothing_and_resuming_is_bit_for_bit(kind, settings):
    weight = parameter(torch.float32)
    optimizer = kind([weight], **settings)
    run(optimizer, weight, 0, 20)
    saved, rows = copy.deepcopy(optimizer.state_dict()), weight.detach().clone()
    run(optimizer, weight, 20, 40)
    resumed = torch.nn.Parameter(rows)
    other = kind([resumed], **settings)
    other.load_state_dict(saved)
    run(other, resumed, 20, 40)
    assert torch.equal(weight, resumed)
    optimizer.flush()
    other.flush()
    assert torch.equal(weight, resumed)


def test_state_dict_is_plain_and_only_sampled_rows_change():
    weight = parameter(torch.float32)
    optimizer = RowSGD([weight], lr=0.1, momentum=0.9, weight_decay=1e-3)
    before, (rows, values) = weight.detach().clone(), sampled_gradient(0, dtype=torch.float32)
    weight.grad = sparse(rows, values)
    optimizer.step()
    changed = (weight.detach() != before).any(1).nonzero()[:, 0]
    assert torch.equal(changed, rows)
    state = optimizer.state_dict()['state'][0]
    assert set(state) == {'momentum_buffer', 'last_step', 'history'}
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert torch.equal(state['last_step'].nonzero()[:, 0], rows)
    assert 'clock' in optimizer.state[weight], 'taking the state must leave the optimizer whole'


def test_a_trunk_and_a_head_in_groups_with_their_own_decay():
    trunk, head = torch.nn.Linear(3, 3), parameter(torch.float32)
    twin = copy.deepcopy(trunk)
    optimizer = RowSGD([dict(params=trunk.parameters(), weight_decay=0.1), dict(params=[head], weight_decay=0.)],
                       lr=0.1, momentum=0.9)
    reference = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for step in range(5):
        data = torch.randn(2, 3)
        for model, optim in ((trunk, optimizer), (twin, reference)):
            optim.zero_grad()
            model(data).square().sum().backward()
        head.grad = sparse(*sampled_gradient(step, dtype=torch.float32))
        optimizer.step()
        reference.step()
    assert all(torch.equal(a, b) for a, b in zip(trunk.parameters(), twin.parameters()))
    assert set(optimizer.state[trunk.weight]) == {'momentum_buffer'}


@pytest.mark.parametrize('kind', [RowSGD, RowAdamW])
def test_dense_gradient_after_sparse_ones_updates_all_rows(kind):
    weight = parameter()
    optimizer = kind([weight], lr=0.1, weight_decay=1e-2)
    run(optimizer, weight, 0, 5)
    run(optimizer, weight, 5, 6, dense=True, share=1.0)
    assert torch.equal(optimizer.state[weight]['last_step'], torch.full((ROWS,), 6))


def test_repeated_rows_add_up():
    weight = torch.nn.Parameter(torch.zeros(4, 1))
    weight.grad = torch.sparse_coo_tensor([[2, 0, 2]], [[1.], [5.], [10.]], (4, 1))
    RowSGD([weight], lr=1.0).step()
    assert weight.flatten().tolist() == [-5., 0., -11., 0.]


def test_grad_scaler_unscales_sparse_gradients_and_skips_infinities():
    weight = torch.nn.Parameter(torch.zeros(4, 1))
    optimizer, scaler = RowSGD([weight], lr=1.0), torch.amp.GradScaler('cpu', init_scale=8.0)
    for value, expected in ((8., -1.), (float('inf'), -1.)):
        optimizer.zero_grad()
        scaler.scale(torch.ones(()))
        weight.grad = torch.sparse_coo_tensor([[1]], [[value]], (4, 1))
        scaler.step(optimizer)
        scaler.update()
        assert weight[1].item() == expected
    assert len(optimizer.state[weight]['clock']) == 1


class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.row_hook = parameter(), None


def test_attached_head_reads_rows_that_are_up_to_date():
    model = torch.nn.Sequential(Head())
    optimizer = RowSGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    assert optimizer.attach(model) == 1
    run(optimizer, model[0].weight, 0, 10)
    rows = torch.tensor([1, 5, 6])
    model[0].row_hook(rows)
    assert optimizer.state[model[0].weight]['last_step'][rows].tolist() == [10] * 3
    model[0].row_hook(None)
    assert optimizer.state[model[0].weight]['last_step'].eq(10).all()
    assert copy.deepcopy(model)[0].row_hook is None, 'a copy (an average of weights) is not this optimizer\'s'


def test_half_precision_rows_are_caught_up_in_float32():
    weight = parameter(torch.float32)
    half = torch.nn.Parameter(weight.detach().bfloat16())
    optimizer = RowSGD([half], lr=0.1, momentum=0.9, weight_decay=1e-3)
    run(optimizer, half, 0, 10)
    optimizer.flush()
    assert half.dtype == torch.bfloat16 and half.isfinite().all()


@pytest.mark.parametrize('name', ['RowSGD', 'RowAdamW'])
def test_registered_and_mistyped_arguments_are_named(name):
    with pytest.raises(TypeError, match='weight_decay'):
        OPTIMIZERS.build(dict(type=name, params=[parameter()], weight_decy=0.1))
    assert OPTIMIZERS.build(dict(type=name, params=[parameter()], lr=0.1)).param_groups[0]['lr'] == 0.1


@pytest.mark.parametrize('settings', [dict(lr=-1.), dict(momentum=-0.1), dict(nesterov=True)], ids=str)
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError):
        RowSGD([parameter()], **settings)


def test_a_gpu_is_not_asked_whether_rows_rise():
    """Values of a tensor without data cannot be read, as those of a GPU cannot without waiting."""
    class OnAGpu:
        is_coalesced, sparse_dim, coalesce = (lambda self: False), (lambda self: 1), (lambda self: 'added up')

        def _indices(self):
            return torch.zeros(1, 4, dtype=torch.int64, device='meta')

    assert coalesced(OnAGpu()) == 'added up'
    rising = torch.sparse_coo_tensor([[1, 3]], torch.ones(2, 2), (5, 2))
    assert coalesced(rising) is rising and rising.is_coalesced()
