"""Schedules, parameter groups, learning rate scaling, accumulation."""
import pytest
import torch
from torch import nn

from mlaface.engine.optim_constructor import FaceOptimWrapperConstructor
from mlaface.engine.optim_wrapper import FaceOptimWrapper
from mlaface.engine.schedules import build_schedule
from tests.engine.toy import run


class Loop:
    max_epochs, max_iters, epoch_length = 4, 40, 10


def rates(cfg, steps=40, lr=0.1):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    schedule, seen = build_schedule(cfg, optimizer, Loop), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    return seen


def test_warm_up_and_polynomial_decay_follow_the_formula():
    expected = [0.1 * (t + 1) / 5 if t < 5 else 0.1 * (1 - (t - 5) / 35) ** 2 for t in range(40)]
    assert rates(dict(type='WarmupPolyLR', warmup=5)) == pytest.approx(expected, rel=1e-12)


def test_epochs_convert_to_iterations():
    by_epochs = dict(type='WarmupPolyLR', warmup=0.5, by_epoch=True, convert_to_iter_based=True)
    assert rates(by_epochs) == rates(dict(type='WarmupPolyLR', warmup=5))
    steps = dict(type='WarmupStepLR', milestones=[1, 2.5], by_epoch=True, convert_to_iter_based=True)
    seen = rates(steps)
    assert [seen[9], seen[10], seen[24], seen[25]] == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_mmengines_schedules_work_beside_ours():
    seen = rates(dict(type='PolyLR', power=2, by_epoch=False, eta_min=0))
    assert seen == pytest.approx([0.1 * (1 - t / 39) ** 2 for t in range(40)], rel=1e-6, abs=1e-9)


def test_power_zero_is_constant_and_bad_lengths_are_refused():
    assert set(rates(dict(type='WarmupPolyLR', power=0))) == {0.1}
    with pytest.raises(ValueError, match='warmup must be at least 0'):
        rates(dict(type='WarmupPolyLR', warmup=-1))
    with pytest.raises(ValueError, match='convert_to_iter_based'):
        rates(dict(type='WarmupPolyLR', convert_to_iter_based=True, by_epoch=False))


def test_a_sampling_head_needs_an_optimizer_that_works_by_rows():
    from mlaface.models.heads.margin_head import MarginHead
    model = nn.Sequential(MarginHead(10, 4, sample_rate=0.5))
    for kind in ('SGD', 'AdamW'):
        with pytest.raises(ValueError, match=f'{kind} does not .*RowSGD'):
            FaceOptimWrapperConstructor(dict(optimizer=dict(type=kind, lr=0.1)))(model)
    optimizer = FaceOptimWrapperConstructor(dict(optimizer=dict(type='RowSGD', lr=0.1)))(model).optimizer
    assert optimizer.defaults['momentum'] == 0.9, 'RowSGD is SGD'
    assert model[0].row_hook is not None


def test_auto_scale_lr_counts_the_images_of_an_update(tmp_path):
    runner = run(tmp_path, auto_scale_lr=dict(enable=True, base_batch_size=32), train_cfg__max_epochs=1,
                 optim_wrapper__accumulative_counts=2)
    assert runner.optim_wrapper.optimizer.param_groups[0]['initial_lr'] == pytest.approx(0.05 * 16 / 32)


def gradients(micro_batches, clip=None):
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    wrapper = FaceOptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0), accumulative_counts=len(micro_batches),
                               clip_grad=clip)
    before = model.weight.detach().clone()
    wrapper.begin_update(len(micro_batches))
    for batch in micro_batches:
        with wrapper.optim_context(model):
            loss = model(batch).square().mean()
        wrapper.update_params(loss)
    return before - model.weight.detach(), wrapper


def test_accumulation_divides_the_loss():
    batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    whole, _ = gradients([batch])
    parts, _ = gradients(list(batch.chunk(4)))
    torch.testing.assert_close(whole, parts)


def test_clipping_bounds_the_update():
    batch = 100 * torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    free, wrapper = gradients([batch])
    clipped, _ = gradients([batch], dict(max_norm=0.5))
    torch.testing.assert_close(clipped, free * 0.5 / wrapper.grad_norm, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match='clip_grad'):
        gradients([batch], dict(max_nrom=5))


def test_an_epoch_drops_what_does_not_fill_an_update(tmp_path):
    runner = run(tmp_path, optim_wrapper__accumulative_counts=2, train_cfg__max_epochs=2)
    assert runner.iter == runner.max_iters == 2 * (5 // 2)


def test_mmengines_constructor_can_be_named(tmp_path):
    runner = run(tmp_path, optim_wrapper__constructor='DefaultOptimWrapperConstructor', train_cfg__max_epochs=1)
    assert runner.iter == 5 and 'who learns' not in (tmp_path / 'log.txt').read_text()
