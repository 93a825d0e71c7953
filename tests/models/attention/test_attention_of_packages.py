"""Attention of timm and MMCV by its names: the packages' own numbers, and one line for what is not there."""
import copy

import pytest
import torch

from mlaface.apis.attention import AttentionMaps
from mlaface.apis.stored_config import check_parts
from mlaface.models.layers import build_attention
from mlaface.registry import ATTENTION, MODELS
from mlaface.utils import packages
from mlaface.utils.errors import InputError, UserError
from tests.libraries import mmcv, timm
from tests.models import tiny


def built(config, channels=16, size=7):
    return build_attention(config, channels, 1, (1,), size)


def test_every_name_of_timm_keeps_the_map_or_says_in_one_line_why_not():
    layers = timm().layers
    from mlaface.models.attention.from_timm import NAMES
    refused, x = {}, torch.randn(2, 64, 8, 8)
    for name in NAMES:
        torch.manual_seed(0)
        try:
            plugin = built(dict(type=f'timm.{name}'), 64, 8)
        except UserError as error:
            refused[name] = str(error)
            continue
        torch.manual_seed(0)
        own = layers.create_attn(name, 64)
        own.load_state_dict(plugin.state_dict())
        assert torch.equal(plugin.eval()(x), own.eval()(x)), name
    # bottleneck wants feat_size, bat maps of a multiple of 7; timm 1.0.31 builds no ge with an MLP
    assert set(refused) <= {'bottleneck', 'bat', 'ge'}
    assert all('\n' not in line and f'timm.{name}' in line for name, line in refused.items())
    assert built(dict(type='timm.bottleneck', feat_size=(8, 8)), 64, 8)(x).shape == x.shape
    assert built(dict(type='timm.ge', extent=2, use_mlp=False), 64, 8)(x).shape == x.shape
    with pytest.raises(UserError, match=r"'timm.halo' cannot take a map of shape \(1, 64, 7, 7\)"):
        built(dict(type='timm.halo'), 64, 7)
    with pytest.raises(UserError, match=r"'timm.sk' makes \(1, 64, 4, 4\) of a map of shape \(1, 64, 8, 8\)"):
        built(dict(type='timm.sk', stride=2), 64, 8)
    with pytest.raises(UserError, match="timm has no 'gcc' among its attention; did you mean 'gc'"):
        built(dict(type='timm.gcc'))
    with pytest.raises(UserError, match="timm.gc has no argument 'rd_rato'; did you mean 'rd_ratio'"):
        built(dict(type='timm.gc', rd_rato=0.1))


def test_gather_excite_and_global_context_are_timms():
    layers = timm().layers
    x = torch.randn(2, 16, 7, 7, dtype=torch.double)
    for extent in (2, 4, 8):
        theirs = layers.create_attn('ge', 16, extent=extent, use_mlp=False).double().eval()
        ours = ATTENTION.build(dict(type='GatherExcite', channels=16, extent=extent)).double()
        torch.testing.assert_close(ours(x), theirs(x))
    theirs = tiny.moved(layers.create_attn('gca', 16, rd_ratio=1 / 4)).double().eval()
    ours = ATTENTION.build(dict(type='GlobalContext', channels=16, reduction=4)).double()
    state, mlp, ours.transform[1].eps = theirs.state_dict(), 'mlp_add', theirs.mlp_add.norm.eps
    ours.load_state_dict({'mask.weight': state['conv_attn.weight']} | {
        f'transform.{place}.{kind}': state[f'{mlp}.{name}.{kind}'].flatten(1) if kind == 'weight' and name != 'norm'
        else state[f'{mlp}.{name}.{kind}'] for place, name in ((0, 'fc1'), (1, 'norm'), (3, 'fc2'))
        for kind in ('weight', 'bias')})
    torch.testing.assert_close(ours(x), theirs(x))


def test_non_local_and_global_context_are_mmcvs():
    mmcv()
    x = torch.randn(2, 16, 6, 6, dtype=torch.double)
    for pool, scaled in ((1, True), (2, False)):
        theirs = tiny.moved(built(dict(type='mmcv.NonLocal2d', sub_sample=pool == 2, use_scale=scaled,
                                       norm_cfg=dict(type='BN')))).double().eval()
        ours = ATTENTION.build(dict(type='NonLocal', channels=16, scale='sqrt' if scaled else None,
                                    pool=pool)).double().eval()
        names = {'conv_out.bn': 'norm', 'conv_out.conv': 'project', 'theta.conv': 'theta', 'phi.0.conv': 'phi',
                 'phi.conv': 'phi', 'g.0.conv': 'g', 'g.conv': 'g'}
        ours.load_state_dict({f'{names[name.rpartition(".")[0]]}.{name.rpartition(".")[2]}': tensor
                              for name, tensor in theirs.state_dict().items()})
        torch.testing.assert_close(ours(x), theirs(x))
    theirs = tiny.moved(built(dict(type='mmcv.ContextBlock', ratio=1 / 4))).double().eval()
    ours = ATTENTION.build(dict(type='GlobalContext', channels=16, reduction=4)).double()
    ours.load_state_dict({'mask.weight': theirs.conv_mask.weight.data} | {
        f'transform.{place}.{kind}': getattr(theirs.channel_add_conv[place], kind).data.view_as(
            getattr(ours.transform[place], kind)) for place in (0, 1, 3) for kind in ('weight', 'bias')})
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize('config', [dict(type='mmcv.ContextBlock', ratio=1 / 4), dict(type='mmcv.NonLocal2d'),
                                    dict(type='timm.gca')], ids=lambda config: config['type'])
def test_one_inside_a_backbone_learns_keeps_its_start_and_is_looked_into(config, drawn):
    (timm if config['type'].startswith('timm') else mmcv)()
    torch.manual_seed(0)
    model = tiny.recognizer(backbone_options=dict(attention=config))
    plain = tiny.recognizer()
    plain.load_state_dict(model.state_dict(), strict=False)
    found = copy.deepcopy(model).eval()(tiny.images())
    if config['type'] != 'timm.gca':  # whose last layer starts with weights of zero and a bias
        torch.testing.assert_close(found, plain.eval()(tiny.images()))
    assert not any(part.any() for name, part in model.named_parameters() if name.endswith('mlp_add.fc2.weight'))
    model(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    assert all(p.grad is not None for name, p in model.named_parameters() if '.attn.' in name)
    assert '2 x 2' in AttentionMaps(model)(tiny.images()[0].numpy())


@pytest.mark.slow
@pytest.mark.parametrize('config', [dict(type='mmcv.ContextBlock', ratio=1 / 4), dict(type='mmcv.NonLocal2d'),
                                    dict(type='timm.gc'), dict(type='timm.coord')], ids=lambda config: config['type'])
def test_one_is_compiled_and_exported(config, tmp_path):
    (timm if config['type'].startswith('timm') else mmcv)()
    from mlaface.export.export import export_model
    eager, compiled = (tiny.recognizer(backbone_options=dict(attention=config), **more)
                       for more in ({}, dict(compile=dict(backend='aot_eager'))))
    compiled.load_state_dict(eager.state_dict())
    losses = [model(tiny.images(), tiny.labels(), mode='loss')['loss'] for model in (eager, compiled)]
    torch.testing.assert_close(*losses)
    export_model(eager, tmp_path / 'm.onnx')


def test_an_activation_of_mmcv_stands_in_every_block():
    swish = mmcv().cnn.HSwish
    model = tiny.recognizer(backbone_options=dict(activation=dict(type='mmcv.HSwish')))
    assert sum(isinstance(part, swish) or type(part).__name__ == 'Hardswish' for part in model.modules()) == 8
    model(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    with pytest.raises(UserError, match="mmcv has no 'HSwich' among its layers; did you mean 'HSwish'"):
        tiny.recognizer(backbone_options=dict(activation=dict(type='mmcv.HSwich')))


@pytest.mark.parametrize('backbone', ['IResNet', 'MobileFaceNet', 'GhostFaceNet'])
def test_a_norm_of_mmcv_stands_for_every_batch_norm(backbone):
    mmcv()
    options = dict(type=backbone, attention=dict(type='CBAM'), in_size=32, width=0.25)
    plain, other = (MODELS.build(dict(options, norm=norm)) for norm in (None, dict(type='mmcv.GN', num_groups=2)))
    kinds = [{name: type(part) for name, part in model.named_modules()} for model in (plain, other)]
    assert kinds[0].keys() == kinds[1].keys()
    changed = {pair for pair in zip(kinds[0].values(), kinds[1].values()) if pair[0] is not pair[1]}
    assert changed == {(torch.nn.BatchNorm2d, torch.nn.GroupNorm)}
    assert all('.attn.' in name for name, kind in kinds[1].items() if kind is torch.nn.BatchNorm2d)
    alone, images = MODELS.build(dict(options, norm=dict(type='mmcv.IN'), attention=None)), torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(alone(images)[:1], alone(images[:1]), rtol=1e-3, atol=1e-3)  # as no batch norm gives it


def test_a_norm_that_mmcv_cannot_make_is_said_in_a_line():
    mmcv()
    for norm, word in ((dict(type='mmcv.GM'), "no 'GM' among"), (dict(type='mmcv.GN', num_groups=3), 'num_groups'),
                       (dict(type='mmcv.GN'), 'num_groups'), (dict(type='mmcv.HSwish'), 'HSwish')):
        with pytest.raises(UserError, match=word) as failure:
            MODELS.build(dict(type='IResNet', norm=norm))
        assert '\n' not in str(failure.value)


def test_a_config_inside_a_file_may_name_it():
    mmcv()
    check_parts(dict(type='IResNet', attention=dict(type='mmcv.ContextBlock', ratio=0.25)), 'best.pth')
    with pytest.raises(InputError, match="'mmcv.Contxt'"):
        check_parts(dict(type='IResNet', attention=dict(type='mmcv.Contxt')), 'best.pth')
    with pytest.raises(InputError, match="'os.system', which is not registered"):
        check_parts(dict(type='IResNet', attention=dict(type='os.system')), 'best.pth')


@pytest.mark.parametrize('config, missing, line', [
    (dict(type='timm.gc'), 'timm', "'timm.gc' needs timm, which is not installed: pip install 'mlaface[timm]'"),
    (dict(type='timm.gc'), 'torchvision', "'timm.gc' needs timm, which cannot be imported (No module named "
     "'torchvision'): pip install 'mlaface[timm]'"),
    (dict(type='mmcv.ContextBlock', ratio=0.1), 'mmcv',
     "'mmcv.ContextBlock' needs mmcv, which is not installed: pip install --no-deps mmcv-lite, or with the full "
     "mmengine 'mlaface[mmcv]'")])
def test_a_package_that_is_missing_is_said_in_one_line(config, missing, line, monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(f'No module named {missing!r}', name=missing)
    monkeypatch.setattr(packages, 'import_module', refuse)
    with pytest.raises(UserError) as error:
        MODELS.build(dict(type='IResNet', attention=config))
    assert str(error.value) == line
