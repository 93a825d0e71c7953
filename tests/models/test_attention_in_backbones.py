"""Every registered attention plugin in every registered backbone: learns, and is the same however it is run.

What is exported of each pair: tests/export/test_export.py.
"""
import copy
from types import SimpleNamespace

import pytest
import torch

from mlaface.cli.benchmarks.attention import PLAIN, backbones, costs, network, table, takes_attention, train_step
from mlaface.engine.hooks.ema import EMAHook
from mlaface.registry import ATTENTION
from tests.models import tiny

SMALL = dict(width=0.125, in_size=tiny.SIZE)
TAKING = [name for name in backbones() if takes_attention(name)]
PAIRS = [(backbone, attention) for backbone in TAKING for attention in tiny.attentions()]
TURN = [name for name in TAKING if name != 'GhostFaceNet']  # the slowest one
IN_TURN = {(TURN[number % len(TURN)], attention) for number, attention in enumerate(tiny.attentions())}
# the default suite looks closely at each plugin in one backbone and at each backbone with some plugins
SOME_QUICK = [pytest.param(*pair, marks=[] if pair in IN_TURN else [pytest.mark.slow]) for pair in PAIRS]


def attention_in(model, attention):
    return [part for part in model.modules() if isinstance(part, ATTENTION.get(attention))]


def build(backbone, attention, recognizer=None, **options):
    """A small network whose attention is away from where it starts."""
    torch.manual_seed(0)
    model = network(backbone, dict(type=attention), recognizer, **{**SMALL, **options})
    for part in attention_in(model, attention):
        tiny.moved(part)
    return model


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize('backbone, attention', SOME_QUICK)
def test_every_backbone_learns_with_every_attention(backbone, attention):
    model = build(backbone, attention)
    assert len(attention_in(model, attention)) > 1
    loss, found = train_step(model, tiny.images()), gradients(model)
    assert loss.isfinite() and all(grad.isfinite().all() for grad in found.values())
    assert {name for name, part in model.named_parameters() if part.requires_grad} == set(found)


@pytest.mark.parametrize('backbone, attention', SOME_QUICK)
def test_the_same_in_other_memory_and_when_checkpointed(backbone, attention):
    plain = build(backbone, attention).double()
    others = dict(checkpointed=copy.deepcopy(plain), last=copy.deepcopy(plain).to(memory_format=torch.channels_last))
    others['checkpointed'].backbone.with_cp = others['last'].preprocessor.channels_last = True
    train_step(plain, tiny.images())
    for other in others.values():
        train_step(other, tiny.images())
        torch.testing.assert_close(gradients(other), gradients(plain), rtol=1e-7, atol=1e-9)
        torch.testing.assert_close(other.state_dict(), plain.state_dict(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('backbone, attention', SOME_QUICK)
def test_bfloat16_and_the_moving_average(backbone, attention):
    model = build(backbone, attention)
    hook = EMAHook(momentum=0.25)
    runner = SimpleNamespace(bare_model=model, train_loop=SimpleNamespace(fresh=True), hooks=[hook])
    hook.before_run(runner)
    hook.before_train(runner)
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.autocast('cpu', torch.bfloat16):
        assert train_step(model, tiny.images()).isfinite()
    with torch.no_grad():
        for name, grad in gradients(model).items():
            assert grad.isfinite().all(), name
            model.get_parameter(name).sub_(0.01 * grad)
    hook.after_train_iter(runner, 0)
    state = model.state_dict()  # made once: hundreds of tensors
    torch.testing.assert_close(hook.average, {name: start[name] + 0.25 * (state[name] - start[name])
                                              for name in hook.average})
    model.load_state_dict(start)
    full = model.eval()(tiny.images())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.nn.functional.cosine_similarity(model(tiny.images()), full).mean() > 0.98


@pytest.mark.slow
@pytest.mark.parametrize('backbone, attention', PAIRS)
def test_compiled_equals_eager(backbone, attention):
    eager = build(backbone, attention)
    compiled = build(backbone, attention, dict(compile=dict(backend='aot_eager')))
    for model in (eager, compiled):
        train_step(model, tiny.images())
    torch.testing.assert_close(compiled.state_dict(), eager.state_dict(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients(compiled), gradients(eager), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize('backbone', sorted(set(backbones()) - set(TAKING)) or [None])
def test_a_backbone_without_attention_says_so(backbone):
    if backbone is None:
        pytest.skip('every backbone takes attention')
    with pytest.raises(TypeError, match=f"{backbone} has no argument 'attention'"):
        network(backbone, dict(type='ECA'), **SMALL)


class Reshaping(torch.nn.Module):
    """Attention that leaves out a row, or fails, or gives no map."""

    def __init__(self, channels, how='cut'):
        super().__init__()
        self.how = how

    def forward(self, x):
        if self.how == 'fail':
            raise RuntimeError('only 8 x 8 maps')
        return x.double() if self.how == 'type' else x[:, :, 1:] if self.how == 'cut' else [x]


class Nameless(torch.nn.Identity):
    """Attention that is not told the channels."""

    def __init__(self, dim=3):
        super().__init__()


@pytest.mark.parametrize('how, words', [
    ('cut', r"'Reshaping' makes \(1, \d+, \d+, (\d+)\) of a map of shape \(1, \d+, \1, \1\)"),
    ('fail', r"'Reshaping' cannot take a map of shape \(1, \d+, \d+, \d+\): only 8 x 8 maps. Set"),
    ('type', "'Reshaping' makes torch.float64 of a map of torch.float32"),
    ('list', "'Reshaping' makes list of a map of shape")])
@pytest.mark.parametrize('backbone', TAKING)
def test_attention_that_does_not_keep_the_map_is_refused_when_built(backbone, how, words):
    ATTENTION.register_module(module=Reshaping)
    try:
        with pytest.raises(ValueError, match=words):
            network(backbone, dict(type='Reshaping', how=how), **SMALL)
    finally:
        ATTENTION.module_dict.pop('Reshaping')


def test_attention_that_is_not_told_the_channels_is_refused():
    ATTENTION.register_module(module=Nameless)
    try:
        with pytest.raises(ValueError, match=r"'Nameless' does not take channels, .* It takes dim$"):
            network('IResNet', dict(type='Nameless'), **SMALL)
    finally:
        ATTENTION.module_dict.pop('Nameless')


@pytest.mark.parametrize('plugin', ['HybridAttention', 'SqueezeExcitation', 'CBAM', 'CoordinateAttention', 'NonLocal',
                                    'GlobalContext', 'GatherExcite'])
@pytest.mark.parametrize('reduction', [0, -4, 'a', 2.5])
def test_a_reduction_that_is_none_is_refused(plugin, reduction):
    with pytest.raises(ValueError, match=f'reduction={reduction!r} must be a whole number of at least 1'):
        ATTENTION.build(dict(type=plugin, channels=8, reduction=reduction))


def test_the_table_says_what_a_plugin_adds():
    plugins = {PLAIN: None, 'NonLocal': dict(type='NonLocal'), 'SimAM': dict(type='SimAM')}
    found = costs('MobileFaceNet', plugins, dict(SMALL, attention_stages=(3,)), repeats=1, batch_size=2)
    places, (wide, narrow) = 2 * 2, (16, 8)
    added = 2 * (4 * wide * narrow * places + 2 * narrow * places ** 2)  # two blocks: four 1x1, two products
    assert found['NonLocal']['macs'] - found[PLAIN]['macs'] == added and found['SimAM']['macs'] == found[PLAIN]['macs']
    text = table({'MobileFaceNet': found, 'Other': None})
    assert f'| NonLocal | +{2 * (4 * 16 * 8 + 3 * 8 + 32):,} | +0.0 M |' in text and '| SimAM | +0 |' in text
    assert 'Other takes no attention.' in text
