"""Files of published networks made ours and back: names, numbers, and what fits no network."""
import json
import re

import pytest
import torch
from public_mobilefacenet import public_mobilefacenet, scramble

from mlaface.cli.published import main
from mlaface.export.published import convert_file, from_published, to_published
from mlaface.registry import MODELS


def saved(path, content):
    torch.save(content, path)
    return path


def loaded(path):
    return torch.load(path, weights_only=True)


@pytest.fixture
def images():
    return torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize('scale, blocks', [(1, (1, 4, 6, 2)), (2, (1, 4, 6, 2)), (4, (2, 8, 12, 4)), (2, (3, 1, 2, 1))])
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


def published(depth=18, **options):
    """State dict of an IResNet under its published names, on random numbers of one tensor's size."""
    config = dict(type='FaceRecognizer', backbone=dict(type='IResNet', depth=depth), neck=dict(type='EmbeddingNeck'))
    config.update(options)
    with torch.device('meta'):
        state = to_published(MODELS.build(config).state_dict())
    return {name: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for name, tensor in state.items()}


MLA = dict(backbone=dict(type='IResNet', depth=34, attention=dict(type='HybridAttention'), activation='relu'),
           branch=dict(type='PatchSelfAttention'), fusion=dict(type='GatedFusion'), variant='published')


@pytest.mark.parametrize('depth', [18, 34, 50, 100, 200])
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
     r'2 only in the file \(patch_embed.proj.weight, norm.weight\)'),
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
