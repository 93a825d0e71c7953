"""Schedules: a rate is a function of the step, within the base rate, wherever a run is taken up."""
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from mlaface.registry import PARAM_SCHEDULERS

BASE = 0.25
LENGTHS = st.integers(1, 30)
WARMUPS = st.one_of(st.integers(0, 12), st.floats(0, 12))
KINDS = st.one_of(
    st.fixed_dictionaries(dict(type=st.just('WarmupPolyLR'), power=st.sampled_from([0.0, 0.5, 0.9, 1.0, 2.0, 3.0]))),
    st.fixed_dictionaries(dict(type=st.just('WarmupStepLR'), milestones=st.lists(st.integers(0, 30), max_size=4),
                               gamma=st.sampled_from([0.1, 0.5, 1.0]))))


def made(cfg):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)
    cfg = dict(cfg)
    return PARAM_SCHEDULERS.get(cfg.pop('type'))(optimizer, **cfg), optimizer


def rate(optimizer):
    return optimizer.param_groups[0]['lr']


def rates(cfg, steps):
    schedule, optimizer = made(cfg)
    found = [rate(optimizer)]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        found.append(rate(optimizer))
    return found


@settings(max_examples=80)
@given(KINDS, WARMUPS, LENGTHS)
def test_the_rate_rises_to_the_base_and_then_falls(kind, warmup, end):
    found = rates(dict(kind, warmup=warmup, end=end), end + 3)
    assert all(isinstance(value, float) and 0 <= value <= BASE * (1 + 1e-12) for value in found)
    rise = [value for step, value in enumerate(found[:end]) if step < warmup]
    if not kind.get('milestones'):
        assert rise == sorted(rise)
    fall = found[len(rise):]
    assert fall == sorted(fall, reverse=True)
    assert len(set(found[end - 1:])) == 1, 'behind its end a schedule keeps its last rate'


@settings(max_examples=80)
@given(KINDS, WARMUPS, LENGTHS, st.integers(0, 35))
def test_a_run_that_is_taken_up_has_the_rates_of_the_one_that_was_not(kind, warmup, end, at):
    cfg = dict(kind, warmup=warmup, end=end)
    whole = rates(cfg, 40)
    schedule, optimizer = made(cfg)
    optimizer.param_groups[0]['lr'] = 77.0  # whatever the checkpoint's optimizer had
    schedule.seek(at)
    found = [rate(optimizer)]
    for _ in range(40 - at):
        optimizer.step()
        schedule.step()
        found.append(rate(optimizer))
    assert found == pytest.approx(whole[at:], rel=1e-12)


@settings(max_examples=40)
@given(KINDS, st.integers(0, 3), st.integers(1, 6), st.integers(1, 7))
def test_epochs_become_iterations(kind, warmup, epochs, length):
    assume(all(milestone <= epochs for milestone in kind.get('milestones', ())))
    cfg = dict(kind)
    target = PARAM_SCHEDULERS.get(cfg.pop('type'))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)
    schedule = target.build_iter_from_epoch(optimizer, epoch_length=length, warmup=warmup, end=epochs, **cfg)
    if 'milestones' in cfg:
        cfg['milestones'] = [milestone * length for milestone in cfg['milestones']]
    expected, other = made(dict(cfg, type=kind['type'], warmup=warmup * length, end=epochs * length))
    for _ in range(epochs * length):
        assert rate(optimizer) == rate(other)
        for each, its in ((schedule, optimizer), (expected, other)):
            its.step()
            each.step()


@pytest.mark.parametrize('warmup', [-1, -0.5, float('nan'), float('inf')])
def test_a_warm_up_that_is_no_length_is_refused(warmup):
    with pytest.raises(ValueError, match='warmup must be at least 0'):
        made(dict(type='WarmupPolyLR', warmup=warmup, end=5))


def test_half_an_epoch_of_warm_up_by_epochs_does_not_double_the_rate():
    assert rates(dict(type='WarmupPolyLR', warmup=0.5, end=4, by_epoch=True), 1)[0] == BASE
