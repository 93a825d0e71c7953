"""Ranks agree on the gradient norm and on skipped steps."""
import pytest
import torch
from torch import distributed

from mlaface.engine.distributed import (
    RankGradScaler,
    barrier,
    clip_grad_norm,
    gather_objects,
    gradient_norm,
    join_ranks,
    leave_ranks,
    world_size,
)
from mlaface.utils.sharding import split_rows
from tests.engine.gloo import run_ranks

CLASSES, WIDTH = 7, 3


def gradients():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(4, 2, generator=generator), torch.randn(CLASSES, WIDTH, generator=generator)


def model_of(rank, world, sparse):
    trunk_gradient, head_gradient = gradients()
    shard = split_rows(CLASSES, rank, world)
    trunk, head = torch.nn.Parameter(torch.zeros(4, 2)), torch.nn.Parameter(torch.zeros(shard.rows, WIDTH))
    head.row_shard = shard
    trunk.grad, head.grad = trunk_gradient.clone(), head_gradient[shard.start:shard.stop].clone()
    if sparse:  # each row twice, by halves: a norm that does not coalesce is wrong
        rows = torch.arange(shard.rows).repeat(2)
        head.grad = torch.sparse_coo_tensor(rows[None], head.grad.repeat(2, 1) / 2, head.shape)
    return trunk, head


def clip(rank, world, sparse):
    trunk, head = model_of(rank, world, sparse)
    norm = clip_grad_norm([trunk, head], 0.5)
    return dict(norm=norm, after=gradient_norm([trunk, head]), trunk=trunk.grad, head=head.grad.to_dense())


@pytest.mark.parametrize('world, sparse', [
    (1, False), (2, True), (3, False), *(pytest.param(*each, marks=pytest.mark.slow) for each in (
        (1, True), (2, False), (3, True)))])
def test_norm_and_clipping_are_those_of_the_whole_model(world, sparse, tmp_path):
    trunk, head = gradients()
    expected = torch.cat([trunk.flatten(), head.flatten()]).norm()
    results = run_ranks(clip, world, tmp_path, sparse)
    for result in results:
        torch.testing.assert_close(result['norm'], expected)
        torch.testing.assert_close(result['after'], torch.tensor(0.5), atol=1e-5, rtol=0)
        torch.testing.assert_close(result['trunk'], trunk * 0.5 / expected, atol=1e-6, rtol=1e-5)
    whole = torch.cat([result['head'] for result in results])
    torch.testing.assert_close(whole, head * 0.5 / expected, atol=1e-6, rtol=1e-5)


def test_small_gradients_are_left_alone():
    trunk, head = model_of(0, 1, False)
    before = trunk.grad.clone()
    clip_grad_norm([trunk, head], 1e6)
    assert torch.equal(trunk.grad, before)
    with pytest.raises(ValueError, match='above 0'):
        clip_grad_norm([trunk, head], 0.0)


def scaled_steps(rank, world):
    from mlaface.engine.optimizers.sgd import RowSGD
    weight = torch.nn.Parameter(torch.zeros(2, 1))
    weight.row_shard = split_rows(4, rank, world)
    optimizer, scaler = RowSGD([weight], lr=1.0), RankGradScaler('cpu', init_scale=4.0)
    seen = []
    for value in (4.0, float('inf') if rank == 1 else 4.0, 2.0):
        optimizer.zero_grad()
        scaler.scale(torch.ones(()))
        weight.grad = torch.full((2, 1), value)
        scaler.step(optimizer)
        scaler.update()
        seen.append((weight[0].item(), scaler.get_scale()))
    return seen


def test_an_infinity_on_one_rank_skips_the_step_on_all(tmp_path):
    for seen in run_ranks(scaled_steps, 2, tmp_path):
        assert seen == [(-1.0, 4.0), (-1.0, 2.0), (-2.0, 2.0)]


def scaled_without_gradient(rank, world):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer, scaler = torch.optim.SGD([weight], lr=1.0), RankGradScaler('cpu', init_scale=4.0)
    scaler.scale(torch.ones(()))
    weight.grad = torch.full((1,), float('nan')) if rank else None
    scaler.step(optimizer)
    scaler.update()
    return scaler.get_scale()


def test_a_rank_without_gradients_takes_part(tmp_path):
    assert run_ranks(scaled_without_gradient, 2, tmp_path) == [2.0, 2.0]


def broken_on_one_rank(rank, world):
    trunk, head = model_of(rank, world, False)
    if rank == 1:
        trunk.grad[0] = float('nan')
    return gradient_norm([trunk, head])


def test_a_broken_value_on_one_rank_is_seen_by_all(tmp_path):
    assert all(norm.isnan() for norm in run_ranks(broken_on_one_rank, 2, tmp_path))


def whole_world(rank, world):
    barrier()
    return [*gather_objects(rank), world_size()]


def test_helpers_work_with_and_without_a_process_group(tmp_path):
    assert gather_objects('a') == ['a'] and world_size() == 1
    assert run_ranks(whole_world, 2, tmp_path) == [[0, 1, 2]] * 2


def test_a_group_is_left_even_if_a_rank_is_gone(tmp_path, monkeypatch):
    """One that is left open aborts the process when it ends, or lets it wait."""
    def failing():
        raise RuntimeError('Connection closed by peer')
    monkeypatch.setattr('mlaface.engine.distributed.barrier', failing)
    join_ranks('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    with pytest.raises(RuntimeError, match='closed by peer'):
        leave_ranks()
    assert not distributed.is_initialized()
