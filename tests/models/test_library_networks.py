"""Networks of timm and torchvision by name: what they give, what is refused, what is said where they are missing."""
import copy
import sys

import pytest
import torch

from mlaface.apis.stored_config import check_parts
from mlaface.registry import MODELS
from mlaface.utils.errors import InputError, UserError
from tests import libraries
from tests.models import tiny

NAMES = ['timm.mobilenetv3_small_050', 'timm.vit_tiny_patch16_224', 'torchvision.resnet18']
MORE = ['timm.resnet18', 'timm.convnext_atto', 'timm.ghostnetv2_100', 'timm.swin_tiny_patch4_window7_224',
        'torchvision.mobilenet_v3_small', 'torchvision.shufflenet_v2_x0_5', 'torchvision.densenet121',
        'torchvision.swin_t']


@pytest.fixture(scope='module')
def timm():
    return libraries.timm()


def own_map(timm, name, net, x):
    """What the library itself gives, before pooling."""
    package, _, member = name.partition('.')
    if package == 'timm':
        out = net.net(x)[-1]
        return out.permute(0, 3, 1, 2) if net.turned else out
    import torchvision
    whole, taken = torchvision.models.get_model(member, weights=None).eval(), []
    if not hasattr(whole, 'avgpool'):
        return net(x)
    whole.load_state_dict(net.net.state_dict(), strict=False)
    whole.avgpool.register_forward_pre_hook(lambda module, args: taken.append(args[0]))
    whole(x)
    return taken[0]


@pytest.mark.parametrize('name', [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_a_network_by_name_gives_a_map_and_learns(name, timm):
    net = MODELS.build(dict(type=name))
    assert type(net).__name__ == name and net.member == name.partition('.')[2]
    x = torch.randn(2, 3, 112, 112, generator=torch.manual_seed(0))
    with torch.no_grad():
        expected, found = own_map(timm, name, net.eval(), x), net(x)
    assert found.shape == (2, net.out_channels, net.out_size, net.out_size)
    torch.testing.assert_close(found, expected)
    (net.train()(x) ** 2).mean().backward()
    assert not [n for n, p in net.named_parameters() if p.grad is None]
    held = {id(p) for stage in net.stages() for module in stage for p in module.parameters()}
    assert held == {id(p) for p in net.parameters()}


def test_it_is_a_trunk_as_any_other(timm):
    options = dict(frozen_stages=1, norm_eval=False, in_size=64)
    model = MODELS.build(dict(type='FaceRecognizer', backbone=dict(type='torchvision.resnet18', **options),
                              neck=dict(type='PoolNeck', in_size=2, embedding_size=16), head=dict(type='TinyHead')))
    twin = copy.deepcopy(model)
    twin.backbone.with_cp = True
    for network in (model, twin):
        network(tiny.images(4, 64), tiny.labels(4), mode='loss')['loss'].backward()
        assert not any(p.requires_grad for p in network.backbone.net.layer1.parameters())
        assert all(p.grad is not None for p in network.backbone.net.layer2.parameters())
    for (name, p), q in zip(model.named_parameters(), twin.parameters()):
        assert p.grad is None and q.grad is None or torch.equal(p.grad, q.grad), name
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), twin.buffers()))
    with pytest.raises(ValueError, match='stages 1 to 4'):
        MODELS.build(dict(type='torchvision.resnet18', frozen_stages=5))


def test_names_of_parameters_are_torchvisions(timm):
    import torchvision
    theirs = torchvision.models.resnet18().state_dict()
    ours = MODELS.build(dict(type='torchvision.resnet18')).state_dict()
    assert {f'net.{name}' for name in theirs if not name.startswith('fc.')} == set(ours)


@pytest.mark.parametrize('name, message', [
    ('timm.resnet81', "timm has no network 'resnet81'; did you mean 'resnet"),
    ('torchvision.resnet81', 'torchvision has no network'),
    pytest.param('torchvision.vit_b_16', 'gives no map', marks=pytest.mark.slow),
    ('torchvision.maxvit_t', 'gives no map'), ('timm.*', "named as in type='timm.resnet18'"),
    ('timms.resnet18', 'is not in the registry')])
def test_what_gives_no_map_is_refused_in_a_line(name, message, timm):
    with pytest.raises(UserError, match=message) as error:
        MODELS.build(dict(type=name))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['timm.inception_v3', 'torchvision.alexnet'])
def test_an_image_that_is_too_small_is_refused_in_a_line(name, timm):
    with pytest.raises(UserError, match='gives no map .*|no square map') as error:
        MODELS.build(dict(type=name, in_size=16))
    assert '\n' not in str(error.value)


@pytest.mark.slow
def test_a_transformer_of_tokens_alone_is_refused(timm):
    with pytest.raises(UserError, match='it goes on with tokens'):
        MODELS.build(dict(type='torchvision.vit_b_16', in_size=224))


def test_arguments_are_checked_and_files_may_name_them(timm):
    with pytest.raises(TypeError, match="timm.resnet18 has no argument 'widht'"):
        MODELS.build(dict(type='timm.resnet18', widht=1))
    check_parts(dict(type='FaceRecognizer', backbone=dict(type='timm.resnet18')), 'a.pth')
    with pytest.raises(InputError, match='not registered'):
        check_parts(dict(type='FaceRecognizer', backbone=dict(type='os.system')), 'a.pth')


@pytest.mark.parametrize('package', ['timm', 'torchvision'])
def test_a_library_that_is_not_there_is_named_with_its_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"needs {package}, .*: pip install 'mlaface\[{package}\]'"):
        MODELS.build(dict(type=f'{package}.resnet18'))


def test_a_library_that_cannot_be_imported_says_why(tmp_path, monkeypatch):
    (tmp_path / 'timm.py').write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition('.')[0] == 'timm']:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match=r'cannot be imported \(operator torchvision::nms does not exist\): install'):
        MODELS.build(dict(type='timm.resnet18'))
