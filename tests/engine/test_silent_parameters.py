"""Parameters that no gradient reaches are told of in a line, and nothing else is."""
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from torch import nn

from mlaface.engine.hooks.silent_parameters import SilentParameterHook
from mlaface.registry import HOOKS, MODELS
from tests.engine.toy import ToyRecognizer, run

OPTIONS = dict(train_cfg__max_epochs=None, train_cfg__max_iters=16, default_hooks__checkpoint__interval=99,
               val_dataloader=None, val_evaluator=None, val_cfg=None, model__dropout=0.0)


@MODELS.register_module()
class ToyPlugin(nn.Module):
    """A part on embeddings, through which a gradient passes or not."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.scale, self.shift = kind, nn.Parameter(torch.ones(6)), nn.Parameter(torch.zeros(6))
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        out = x * self.scale + self.shift
        passing = dict(detach=out.detach(), times_zero=0.0 * out, gate=out,
                       dead=x * self.scale + torch.relu(self.shift - 9))[self.kind]
        return x + self.gate * passing


@MODELS.register_module()
class ToyWithPlugin(ToyRecognizer):
    """With a part behind its neck."""

    def __init__(self, kind, **arguments):
        super().__init__(**arguments)
        self.neck.append(ToyPlugin(kind))


def told(folder, **options):
    run(folder, **OPTIONS, **options)
    return [line for line in (folder / 'log.txt').read_text().splitlines() if 'got no gradient' in line]


@pytest.mark.parametrize('kind', ['detach', 'times_zero'])
def test_a_part_that_no_gradient_reaches_is_told_of_in_a_line(tmp_path, kind):
    line, = told(tmp_path, model__type='ToyWithPlugin', model__kind=kind)
    assert 'parameters got no gradient in 10 updates' in line and 'neck.3.scale, neck.3.shift' in line
    assert ('3 of 11' if kind == 'times_zero' else '2 of 11') in line


@pytest.mark.parametrize('options', [
    dict(model__kind='dead', optim_wrapper__accumulative_counts=2),
    dict(model__kind='gate', custom_hooks=[dict(type='HeadFirstHook', iters=5)])])
def test_what_learns_later_or_is_dead_within_a_part_is_not(tmp_path, options):
    assert not told(tmp_path, model__type='ToyWithPlugin', **options)


def test_what_waits_for_the_head_is_looked_at_when_it_learns(tmp_path):
    assert len(told(tmp_path, model__type='ToyWithPlugin', model__kind='detach',
                    custom_hooks=[dict(type='HeadFirstHook', iters=5)])) == 1


@HOOKS.register_module()
class ToyStepCounter(Hook):
    """Looks before each step as well, from behind."""

    priority = 'LOW'

    def before_train(self, runner):
        self.steps = 0
        runner.optim_wrapper.optimizer.register_step_pre_hook(self.count)

    def count(self, *_):
        self.steps += 1

    def after_train(self, runner):
        runner.logger.info(f'{self.steps} steps were counted')


def test_another_hook_of_the_optimizer_goes_on_when_all_is_settled(tmp_path):
    run(tmp_path, **OPTIONS, custom_hooks=[dict(type='ToyStepCounter')])
    assert '16 steps were counted' in (tmp_path / 'log.txt').read_text()


class Proxies(nn.Module):
    """A loss with parameters of its own."""

    def __init__(self):
        super().__init__()
        self.rows = nn.Parameter(torch.ones(3))


@pytest.mark.parametrize('weight, lines', [(0.0, 0), (1.0, 1)])
def test_what_belongs_to_a_loss_that_waits_for_its_weight_is_not_silent(weight, lines):
    model, heard = nn.Module(), []
    model.head = nn.Module()
    model.head.terms = nn.Module()
    model.head.terms.terms, model.head.terms.weights = nn.ModuleDict(dict(proxies=Proxies())), dict(proxies=weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    hook, wrapper = SilentParameterHook(), SimpleNamespace(optimizer=optimizer)
    hook.before_train(SimpleNamespace(optim_wrapper=wrapper, bare_model=model,
                                      logger=SimpleNamespace(warning=heard.append)))
    for _ in range(12):
        optimizer.step()
    assert len(heard) == lines
    model.head.terms.weights['proxies'] = 1.0
    for _ in range(12):
        optimizer.step()
    assert len(heard) == 1
    hook.close(None)
