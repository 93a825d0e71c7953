"""Files of published networks made ours and back: names, numbers, and what fits no network."""
import json
import re
from collections import OrderedDict

import pytest
import torch
from public_mobilefacenet import public_mobilefacenet, scramble
from public_networks import PublicIR, PublicVit
from torch import nn

from mlaface.cli.published import main
from mlaface.export.published import convert_file, from_published, to_published, unwrapped
from mlaface.registry import MODELS


def saved(path, content):
    torch.save(content, path)
    return path


def loaded(path):
    return torch.load(path, weights_only=True)


@pytest.fixture
def images():
    return torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize('scale, blocks', [(1, (1, 4, 6, 2)), pytest.param(2, (1, 4, 6, 2), marks=pytest.mark.slow),
                                           pytest.param(4, (2, 8, 12, 4), marks=pytest.mark.slow), (2, (3, 1, 2, 1))])
def test_a_public_mobilefacenet_gives_the_same_embeddings_and_comes_back(scale, blocks, images, tmp_path, capsys):
    public = scramble(public_mobilefacenet(blocks, scale, 96).double())
    main([str(saved(tmp_path / 'a.pth', public.state_dict())), str(tmp_path / 'b.pth')])
    told = capsys.readouterr().out
    assert 'MobileFaceNet' in told and (f'of scale {scale}' in told) == (scale > 1) and 'embeddings of 96' in told
    ours = MODELS.build(eval(re.search(r'model = (.*)', told)[1])).double().eval()
    ours.load_state_dict(loaded(tmp_path / 'b.pth'))
    with torch.no_grad():
        expected, found = public(images), ours.embed(images)
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()
    main([str(tmp_path / 'b.pth'), str(tmp_path / 'c.pth'), '--back'])
    back = loaded(tmp_path / 'c.pth')
    assert back.keys() == public.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in public.state_dict().items())


def brought_over(public, tmp_path, capsys):
    """What a public network becomes by the command: the recognizer that is printed, what is said, the way back."""
    main([str(saved(tmp_path / 'a.pth', public.state_dict())), str(tmp_path / 'b.pth')])
    told = capsys.readouterr().out
    ours = MODELS.build(eval(re.search(r'model = (.*)', told)[1])).double().eval()
    ours.load_state_dict(loaded(tmp_path / 'b.pth'))
    main([str(tmp_path / 'b.pth'), str(tmp_path / 'c.pth'), '--back'])
    return ours, told, loaded(tmp_path / 'c.pth')


@pytest.mark.parametrize('options, title', [
    (dict(excite=True), 'IR-SE-18,'), (dict(inner_norm=True), "IR-18 as AdaFace's"),
    pytest.param(dict(), 'IR-18,', marks=pytest.mark.slow),
    pytest.param(dict(inner_norm=True, excite=True), "IR-SE-18 as AdaFace's", marks=pytest.mark.slow)])
def test_a_public_ir_gives_the_same_embeddings_and_comes_back(options, title, tmp_path, capsys):
    public = scramble(PublicIR(**options).double())
    ours, told, back = brought_over(public, tmp_path, capsys)
    assert title in told and 'embeddings of 24' in told
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours.embed(x), public(x), rtol=1e-10, atol=1e-10)
    state = public.state_dict()
    assert state.keys() <= back.keys() and all(torch.equal(back[name], tensor) for name, tensor in state.items())
    norm = {'output_layer.4.weight': torch.ones(24).double(), 'output_layer.4.bias': torch.zeros(24).double()}
    assert all(torch.equal(back[name], norm[name]) for name in back.keys() - state.keys())
    wrapped = {f'model.{name}': tensor for name, tensor in state.items()}  # of Lightning
    assert from_published(unwrapped(wrapped)).keys() == ours.state_dict().keys()


def test_a_public_vit_gives_the_same_embeddings_and_comes_back(tmp_path, capsys):
    public = scramble(PublicVit(dim=24, depth=5, side=4).double())
    ours, told, back = brought_over(public, tmp_path, capsys)
    assert 'ViT of 24 channels and 5 blocks, embeddings of 20' in told
    x = torch.randn(2, 3, 36, 36, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours.embed(x), public(x), rtol=1e-10, atol=1e-10)
    assert back.keys() == public.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in public.state_dict().items())


@pytest.mark.parametrize('size, gamma, edgenext', [
    ('xs', 0.6, 'edgenext_x_small'), pytest.param('xxs', None, 'edgenext_xx_small', marks=pytest.mark.slow),
    pytest.param('s', 0.5, 'edgenext_small', marks=pytest.mark.slow),
    pytest.param('base', None, 'edgenext_base', marks=pytest.mark.slow)])
def test_a_public_edgeface_gives_the_same_embeddings_and_comes_back(size, gamma, edgenext, images, tmp_path, capsys):
    from tests import libraries
    public = nn.Sequential(OrderedDict(model=libraries.timm().create_model(edgenext, num_classes=512)))
    if gamma:
        make_low_rank(public, gamma)
    scramble(public.double())
    ours, told, back = brought_over(public, tmp_path, capsys)
    assert f'EdgeFace-{size.upper()}' + (f' with gamma {gamma}' if gamma else '') + ', embeddings of 512' in told
    with torch.no_grad():
        expected = public(images)
        assert (ours.embed(images) - expected).abs().max() <= 1e-4 * expected.abs().max()  # places are float32
    assert back.keys() == public.state_dict().keys()


def make_low_rank(module, gamma):
    """Every linear layer as the product of two, as the authors do."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            rank = max(2, int(min(child.in_features, child.out_features) * gamma))
            setattr(module, name, nn.Sequential(OrderedDict(
                linear1=nn.Linear(child.in_features, rank, bias=False), linear2=nn.Linear(rank, child.out_features))))
        else:
            make_low_rank(child, gamma)


@pytest.mark.parametrize('config, title', [
    (dict(dim=256), 'ViT-T'), (dict(dim=512), 'ViT-S'), (dict(dim=512, depth=24), 'ViT-B'),
    (dict(dim=768, depth=24, mask_ratio=0.05), 'ViT-L')])
def test_every_vit_of_the_trainer_is_known(config, title, tmp_path):
    state = published(backbone=dict(type='VisionTransformer', **config), neck=dict(
        type='TokenNeck', in_channels=config['dim']))
    assert {'mask_token', 'pos_embed', 'feature.0.weight', 'blocks.0.attn.qkv.weight'} <= state.keys()
    network = convert_file(saved(tmp_path / 'a.pth', state), tmp_path / 'b.pth')
    assert network.title == title


def published(depth=18, **options):
    """State dict of an IResNet under its published names, on random numbers of one tensor's size."""
    config = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=depth), neck=dict(type='EmbeddingNeck'))
    config.update(options)
    with torch.device('meta'):
        state = to_published(MODELS.build(config).state_dict())
    return {name: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for name, tensor in state.items()}


MLA = dict(backbone=dict(type='IResNet', depth=34, attention=dict(type='HybridAttention'), activation='relu'),
           branch=dict(type='PatchSelfAttention'), fusion=dict(type='GatedFusion'), variant='published')


@pytest.mark.parametrize('depth', [18, 34, 50, *(pytest.param(n, marks=pytest.mark.slow) for n in (100, 200))])
def test_every_iresnet_is_known(depth, tmp_path):
    network = convert_file(saved(tmp_path / 'a.pth', published(depth)), tmp_path / 'b.pth')
    assert network.title == f'IResNet-{depth}' and network.config['backbone'] == dict(type='IResNet', depth=depth)


def test_mla_arcface_is_known_with_separate_norms_or_without(tmp_path):
    state = published(**MLA)
    path = saved(tmp_path / 'a.pth', {**state, 'lf.gamma': torch.tensor(0.4)})  # a number without an axis, as there
    assert convert_file(path, tmp_path / 'b.pth').title == 'MLA-ArcFace on IResNet-34'
    assert 'fusion.norm_trunk.weight' not in loaded(tmp_path / 'b.pth')
    assert loaded(tmp_path / 'b.pth')['fusion.gate'].shape == (1,)
    config = convert_file(path, tmp_path / 'c.pth', separate_norms=True).config
    model = MODELS.build(config)
    model.load_state_dict(loaded(tmp_path / 'c.pth'))
    assert model.branch.clamp == (-1, 1) and model.fusion.norm == 'separate'
    saved(tmp_path / 'd.pth', published())
    with pytest.raises(ValueError, match='--separate-norms is for MLA-ArcFace'):
        convert_file(tmp_path / 'd.pth', tmp_path / 'e.pth', separate_norms=True)
    with pytest.raises(ValueError, match='no published name.*fusion.norm_trunk'):
        convert_file(tmp_path / 'c.pth', tmp_path / 'd.pth', back=True)


@pytest.fixture(scope='module')
def public():
    return scramble(public_mobilefacenet(embedding=32)).state_dict()


@pytest.mark.parametrize('wrap', [
    lambda state: {f'module.{name}': tensor for name, tensor in state.items()},
    lambda state: {f'module._orig_mod.{name}': tensor for name, tensor in state.items()},
    lambda state: dict(epoch=3, global_step=7, state_dict_backbone=state, state_dict_softmax_fc=dict(weight=state)),
    lambda state: dict(state_dict={f'module.{name}': tensor for name, tensor in state.items()}, epoch=3),
    lambda state: {name: tensor for name, tensor in state.items() if not name.endswith('num_batches_tracked')},
], ids=['ddp', 'compiled', 'arcface_torch', 'state_dict', 'no counters'])
def test_the_ways_in_which_networks_are_saved(wrap, public, tmp_path):
    network = convert_file(saved(tmp_path / 'a.pth', wrap(public)), tmp_path / 'b.pth')
    ours = MODELS.build(network.config)
    ours.load_state_dict(loaded(tmp_path / 'b.pth'))
    assert torch.equal(ours.backbone.last[0].weight, public['conv_sep.layers.0.weight'])


def without(state, *names):
    return {name: tensor for name, tensor in state.items() if name not in names}


@pytest.mark.parametrize('state, message', [
    (lambda p: without(p, 'layers.5.layers.3.layers.1.layers.2.weight'),
     r'the nearest is MobileFaceNet: 1 only in the network \(layers.5.layers.3.layers.1.layers.2.weight\)'),
    (lambda p: {**p, 'layers.8.layers.0.weight': torch.zeros(1)}, r'MobileFaceNet: 1 only in the file \(layers.8'),
    (lambda p: {**p, 'conv_sep.layers.0.weight': torch.zeros(512, 64, 1, 1)},
     r'1 of another shape \(conv_sep.layers.0.weight \(512, 64, 1, 1\), there \(512, 128, 1, 1\)\)'),
    (lambda p: {'conv1.weight': torch.zeros(64, 3, 3, 3), 'lf.gamma': torch.zeros(1)}, 'nearest is MLA-ArcFace'),
    (lambda p: {'patch_embed.proj.weight': torch.zeros(8, 3, 9, 9), 'norm.weight': torch.zeros(8)},
     r'nearest is ViT of 8 channels and 4 blocks: \d+ only in the network \(pos_embed'),
    (lambda p: {'model.stem.0.weight': torch.zeros(24, 3, 4, 4)}, r'nearest is EdgeFace-XXS: \d+ only in the network'),
    (lambda p: {'input_layer.0.weight': torch.zeros(64, 3, 3, 3), 'odd.weight': torch.zeros(8)},
     r'only in the file \(input_layer.0.weight, odd.weight\)'),
    (lambda p: {f'layer1.0.se.{n}': t for n, t in published().items()} | published(50),
     r'nearest is IResNet-50: \d+ only in the file \(layer1.0.se.conv1.weight'),
    (lambda p: {}, 'holds no state dict')])
def test_a_file_that_fits_no_network_is_refused(state, message, public, tmp_path):
    path = saved(tmp_path / 'a.pth', state(public))
    with pytest.raises(ValueError, match=message) as error:
        convert_file(path, tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists() and len(str(error.value).splitlines()) == 1


def test_the_wrong_way_round_is_told(public, tmp_path):
    convert_file(saved(tmp_path / 'a.pth', public), tmp_path / 'b.pth')
    with pytest.raises(ValueError, match='has names of mlaface already'):
        convert_file(tmp_path / 'b.pth', tmp_path / 'c.pth')
    with pytest.raises(ValueError, match='leave out --back'):
        convert_file(tmp_path / 'a.pth', tmp_path / 'c.pth', back=True)


def test_networks_that_nobody_published_have_no_published_names(tmp_path):
    model = MODELS.build(dict(type='FaceRecognizer', neck=dict(type='GDCNeck'), backbone=dict(
        type='MobileFaceNet', attention=dict(type='HybridAttention'))))
    with pytest.raises(ValueError, match='fits no network'):
        convert_file(saved(tmp_path / 'a.pth', model.state_dict()), tmp_path / 'b.pth', back=True)


def test_a_training_of_ours_goes_back_with_its_moving_average(tmp_path):
    network = dict(type='FaceRecognizer', backbone=dict(type='MobileFaceNet', width=0.25, in_size=32),
                   neck=dict(type='GDCNeck', in_channels=128, in_size=2, embedding_size=8))
    state = MODELS.build(network).state_dict()
    average = {'neck.fc.weight': state['neck.fc.weight'] + 1}
    saved(tmp_path / 'a.pth', dict(schema=1, config=json.dumps({}), model=dict(state_dict=state), ema=average))
    convert_file(tmp_path / 'a.pth', tmp_path / 'b.pth', back=True)
    assert torch.equal(loaded(tmp_path / 'b.pth')['features.layers.2.weight'], average['neck.fc.weight'])
    assert from_published(loaded(tmp_path / 'b.pth')).keys() == state.keys()
