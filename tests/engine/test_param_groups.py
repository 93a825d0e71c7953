"""Which rate and decay each parameter gets."""
import pytest
import torch
from torch import nn

from mlaface.engine.hooks.log import base_rate
from mlaface.engine.optim_constructor import FaceOptimWrapperConstructor
from mlaface.engine.param_groups import describe_groups
from mlaface.engine.schedules import WarmupPolyLR
from mlaface.utils.sharding import RowShard
from tests.models import tiny

SGD = dict(type='SGD', lr=0.1, weight_decay=0.01)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4)
        self.depthwise = nn.Conv2d(4, 4, 3, groups=4, bias=False)
        self.gate, self.scale = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(()))
        self.weight = nn.Parameter(torch.zeros(7, 4))
        self.weight.row_shard = RowShard(0, 7, 7)


def settings(model, optimizer=SGD, **paramwise):
    wrapper = FaceOptimWrapperConstructor(dict(optimizer=optimizer), paramwise)(model)
    groups = wrapper.optimizer.param_groups
    return {name: (group['lr'], group['weight_decay']) for group in groups for name in group['names']}


PLAIN = {'conv.weight': (.1, .01), 'conv.bias': (.1, 0), 'norm.weight': (.1, 0), 'norm.bias': (.1, 0),
         'act.weight': (.1, .01), 'depthwise.weight': (.1, .01), 'gate': (.1, 0), 'scale': (.1, 0), 'weight': (.1, .01)}


@pytest.mark.parametrize('paramwise, changed', [
    ({}, {}), (dict(head_lr_mult=2.0), {'weight': (.2, .01)}),
    (dict(decay_all=True), dict.fromkeys(PLAIN, (0.1, 0.01))),
    (dict(decay_all=True, norm_decay_mult=.5),
     {name: (.1, .005 if name.startswith('norm') else .01) for name in PLAIN}),
    (dict(bias_lr_mult=3, bias_decay_mult=1), {'conv.bias': (.3, .01)}),
    (dict(dwconv_decay_mult=0, flat_decay_mult=2),
     {'depthwise.weight': (.1, 0), 'gate': (.1, .02), 'scale': (.1, .02)}),
    (dict(custom_keys={'conv': dict(lr_mult=.5), 'conv.bias': dict(decay_mult=3)}, bias_lr_mult=4),
     {'conv.weight': (.05, .01), 'conv.bias': (.4, .03)}),
    (dict(custom_keys={'nv': dict(lr_mult=.5), 'on': dict(lr_mult=0)}),
     {'conv.weight': (.05, .01), 'conv.bias': (.05, 0)}),
    (dict(custom_keys={'norm': dict(decay_mult=1), 'weight': dict(lr_mult=0)}),
     {name: (0, .01) if name.endswith('weight') and 'norm' not in name else value for name, value in PLAIN.items()}
     | {'norm.weight': (0, 0), 'norm.bias': (.1, .01)})], ids=str)
def test_multipliers_by_kind_and_by_name(paramwise, changed):
    found = settings(Network(), **paramwise)
    expected = {**PLAIN, **changed}
    assert {name: pytest.approx(value) for name, value in expected.items()} == found


def test_of_keys_the_longest_then_the_first_by_the_alphabet_holds_as_in_mmengine():
    from mmengine.optim import DefaultOptimWrapperConstructor
    names = ('gate', 'conv.', 'act.w', 'cale', 'eigh', 'weight', 't.weigh')
    keys = {name: dict(lr_mult=number) for number, name in enumerate(names, 2)}
    model = Network()
    theirs = DefaultOptimWrapperConstructor(dict(type='OptimWrapper', optimizer=SGD), dict(custom_keys=keys))(model)
    rates = {id(group['params'][0]): group['lr'] for group in theirs.optimizer.param_groups}
    names = dict(model.named_parameters())
    assert {name: rates[id(names[name])] for name in names} == {
        name: lr for name, (lr, _) in settings(model, custom_keys=keys).items()}


@pytest.mark.parametrize('paramwise, words', [
    (dict(norm_decay_mul=0), "no 'norm_decay_mul'; did you mean 'norm_decay_mult'"),
    (dict(custom_keys={'cnov': dict(lr_mult=1)}), "custom_keys\\['cnov'\\]: no parameter .* did you mean 'conv'"),
    (dict(custom_keys={'conv': dict(lr_mul=1)}), "custom_keys\\['conv'\\] has no 'lr_mul'; did you mean 'lr_mult'"),
    (dict(custom_keys={'conv': 0.1}), 'must be dict'), (dict(layer_decay=-1), 'layer_decay is -1'),
    (dict(custom_keys={'conv': dict(lr_mult='0.1')}), "lr_mult is '0.1'; it multiplies"),
    (dict(layer_decay=0.5), 'needs a backbone with stages')])
def test_what_does_not_fit_is_refused(paramwise, words):
    with pytest.raises(ValueError, match=words):
        settings(Network(), **paramwise)


# the default suite tries each backbone with one optimizer and each optimizer with one backbone
@pytest.mark.parametrize('backbone, optimizer', [
    pytest.param(backbone, optimizer, id=f'{optimizer["type"]}-{backbone}',
                 marks=[] if optimizer is SGD or backbone == 'IResNet' else pytest.mark.slow)
    for optimizer in (SGD, dict(SGD, type='RowSGD'), dict(type='AdamW', lr=.1), dict(type='RowAdamW', lr=.1))
    for backbone in tiny.backbones()])
def test_layers_learn_the_slower_the_nearer_to_the_image_through_a_schedule(backbone, optimizer):
    model = tiny.recognizer(backbone, backbone_options=dict(frozen_stages=0))
    keys = {'backbone': dict(decay_mult=.5), 'neck': dict(lr_mult=.1)}
    wrapper = FaceOptimWrapperConstructor(dict(optimizer=optimizer), dict(layer_decay=.5, custom_keys=keys))(model)
    groups, before = wrapper.optimizer.param_groups, {n: p.detach().clone() for n, p in model.named_parameters()}
    schedule = WarmupPolyLR(wrapper.optimizer, end=4)
    wrapper.update_params(model(tiny.images(), tiny.labels(), mode='loss')['loss'])
    schedule.step()
    rate = {name: group['lr'] for group in groups for name in group['names']}
    count = len(model.backbone.stages())
    for number, stage in enumerate(model.backbone.stages()):
        for parameter in [p for module in stage for p in module.parameters()]:
            name = next(name for name, p in model.named_parameters() if p is parameter)
            assert number == 0 and name not in rate or rate[name] == .1 * .5 ** (count - number) * .75 ** 2
            assert number or torch.equal(parameter, before[name])
    assert base_rate(wrapper.optimizer) == .1 * .75 ** 2
    assert rate['neck.fc.weight'] == pytest.approx(.01 * .75 ** 2) and rate['head.weight'] == .1 * .75 ** 2
    decay = optimizer.get('weight_decay', .01)
    assert {g['weight_decay'] for g in groups if g['names'][0].startswith('backbone')} == {decay / 2}


def test_the_table_names_groups_and_what_is_frozen():
    model = tiny.recognizer(backbone_options=dict(frozen_stages=1), frozen=['neck'])
    wrapper = FaceOptimWrapperConstructor(dict(optimizer=SGD), dict(layer_decay=.5))(model)
    lines = describe_groups(wrapper.optimizer, model).split('\n')
    assert len(lines) == 1 + 2 * 3 + 1 + 1
    assert [line.split()[:2] + line.split()[3:] for line in lines if 'layer4' in line] == [
        ['0.05', '0', 'backbone.layer4'], ['0.05', '0.01', 'backbone.layer4']]
    assert lines[-1].split()[0] == 'frozen' and lines[-1].endswith('backbone.layer1, neck')


def test_nothing_that_learns_is_refused():
    with pytest.raises(ValueError, match='nothing learns'):
        settings(Network().requires_grad_(False))
