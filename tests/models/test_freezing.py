"""What is frozen stays as it is, whatever the training does around it."""
import contextlib

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from tests.models import tiny

STAGES = dict(IResNet=4, MobileFaceNet=3, VisionTransformer=4, EdgeFace=4, GhostFaceNet=5)
NORMED = [name for name in tiny.backbones() if name not in ('VisionTransformer', 'EdgeFace')]  # by BatchNorm
AUTOCAST = {None: contextlib.nullcontext, 'bfloat16': lambda: torch.autocast('cpu', torch.bfloat16)}


def train(model, steps=2, count=4):
    """A few steps of SGD; the state before and after."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05)
    for seed in range(steps):
        model.train()
        optimizer.zero_grad()
        model(tiny.images(count, seed=seed), tiny.labels(count), mode='loss')['loss'].backward()
        optimizer.step()
        model.eval()
    return before, model.state_dict()


def names_of(model, modules):
    names = {id(module): name for name, module in model.named_modules()}
    return tuple(f'{names[id(module)]}.' for module in modules)


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize('backbone, stage, options', [
    *((name, n, {}) for name in tiny.backbones() for n in range(STAGES[name] + 1)),
    *((name, 1, options) for name in tiny.backbones()
      for options in (dict(channels_last=True), dict(backbone_options=dict(with_cp=True))))], ids=str)
def test_frozen_stages_stay_and_all_others_learn(backbone, stage, options):
    options = dict(options, backbone_options=dict(options.get('backbone_options', {}), frozen_stages=stage))
    model = tiny.recognizer(backbone, 'HybridAttention', **options)
    stages = model.backbone.stages()
    frozen = names_of(model, [module for part in stages[:stage + 1] for module in part])
    moved = changed(*train(model))
    assert not {name for name in moved if name.startswith(frozen)}
    idle = {name for name, parameter in model.named_parameters() if parameter.grad is None} - {'neck.features.weight'}
    assert idle == {name for name, _ in model.named_parameters() if name.startswith(frozen)}
    assert any(name.endswith('running_mean') for name in moved)
    assert frozen and len(stages) == STAGES[backbone] + 1


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_stages_are_the_whole_backbone_and_others_are_refused(backbone):
    model = tiny.recognizer(backbone)
    parts = names_of(model, [module for stage in model.backbone.stages() for module in stage])
    assert all(name.startswith(parts) for name, _ in model.named_parameters() if name.startswith('backbone.'))
    for stage in (STAGES[backbone] + 1, -2, 'layer1', True):
        with pytest.raises(ValueError, match=f'frozen_stages={stage}.*stages 1 to {STAGES[backbone]}'):
            tiny.recognizer(backbone, backbone_options=dict(frozen_stages=stage))


@pytest.mark.parametrize('backbone', NORMED)
def test_held_norms_keep_their_statistics_and_learn_scale_and_shift(backbone):
    model = tiny.recognizer(backbone, backbone_options=dict(norm_eval=True))
    moved = changed(*train(model))
    norms = [f'backbone.{name}' for name, part in model.backbone.named_modules() if isinstance(part, _BatchNorm)]
    assert norms and not moved & {f'{norm}.{key}' for norm in norms for key in ('running_mean', 'running_var')}
    assert {f'{norm}.bias' for norm in norms} <= moved and 'neck.bn2.running_mean' in moved


def test_parts_of_the_recognizer_are_frozen_by_name():
    frozen = ('branch', 'neck', 'backbone.layer2.0.conv1')
    model = tiny.recognizer(mla=True, frozen=frozen)
    moved = changed(*train(model))
    assert not {name for name in moved if name.startswith(frozen)}
    assert {'backbone.layer2.0.conv2.weight', 'fusion.gate', 'head.weight'} <= moved
    assert tiny.recognizer(head=None, frozen='head').head is None  # as for inference
    with pytest.raises(ValueError, match="no part 'brnch'; did you mean 'branch'"):
        tiny.recognizer(mla=True, frozen=['brnch'])


def settle(model):
    """Kill a third of the channels, and let the norms see images: dead channels have variance 0."""
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm)]
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, torch.nn.Conv2d):
                part.weight[::3] = 0
        for norm in norms:
            norm.momentum = None
        model.train()(tiny.images(8))
    assert min(float(norm.running_var.min()) for norm in norms) == 0


@pytest.mark.slow
@pytest.mark.parametrize('amp', AUTOCAST)
@pytest.mark.parametrize('backbone', NORMED)
@pytest.mark.parametrize('frozen', [('backbone', 'neck'), ('neck',), ('neck.bn2', 'neck.features')], ids=str)
def test_frozen_norms_with_dead_channels_and_one_image_give_no_nan(backbone, frozen, amp):
    torch.manual_seed(0)
    model = tiny.recognizer(backbone, 'HybridAttention', channels_last=True)
    settle(model)
    model.frozen = frozen
    model.backbone.freeze_stages(1, norm_eval=True)
    with AUTOCAST[amp]():
        loss = model.train()(tiny.images(1), tiny.labels(1), mode='loss')['loss']
        loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    assert model.head.weight.grad is not None
