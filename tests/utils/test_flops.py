"""Counts of parameters, multiply-accumulates and activations: against those published, and those made by hand."""
import json
import re

import pytest
import torch
from torch import nn

from mlaface.cli.flops import main
from mlaface.registry import MODELS
from mlaface.utils.flops import REST, costs, count_macs, count_products, parts_of, time_parts
from tests.models import tiny

GDC, EMBEDDING, RECOGNIZER = dict(type='GDCNeck'), dict(type='EmbeddingNeck'), dict(type='FaceRecognizer')


def iresnet(depth, **options):
    return dict(type='IResNet', depth=depth, **options), EMBEDDING


def mobile(embedding=512, **options):
    return dict(type='MobileFaceNet', **options), dict(GDC, embedding_size=embedding)


def vit(dim, depth):
    return dict(type='VisionTransformer', dim=dim, depth=depth), dict(type='TokenNeck', in_channels=dim)


def edge(size, channels, gamma=None):
    return dict(type='EdgeFace', size=size, rank_ratio=gamma), dict(
        type='PoolNeck', in_channels=channels, in_size=3, rank_ratio=gamma)


def ghost(version, channels, stride=1):
    return dict(type='GhostFaceNet', version=version, stem_stride=stride), dict(
        GDC, in_channels=channels, in_size=7 if stride == 1 else 4)


def built(backbone, neck):
    with torch.device('meta'):
        return MODELS.build(dict(RECOGNIZER, backbone=backbone, neck=neck))


# The table 'FLOPs' of arcface_torch's README, in G. It counts norms and activations too (ptflops), which is why
# MobileFaceNet, with many of them and few products, is compared by those rules below.
README = {'r18': (iresnet(18), 2.6), 'r50': (iresnet(50), 6.3), 'r100': (iresnet(100), 12.1),
          'r200': (iresnet(200), 23.5), 'vit_t': (vit(256, 12), 1.5), 'vit_s': (vit(512, 12), 5.7),
          'vit_b': (vit(512, 24), 11.4), 'vit_l': (vit(768, 24), 25.3)}
LARGE = ('r200', 'vit_b', 'vit_l')
# In M. EdgeFace's authors count a multiplication and an addition as two (README of otroshi/edgeface), and so do those
# that state 439.8 for the paper's MobileFaceNet (Boutros et al., MixFaceNets, 2021). GhostFaceNets' are those of
# TensorFlow, of which 2% are PReLUs (Alansari et al., 2023, and Flops.ipynb beside its code).
PUBLISHED = {'mobilefacenet': (mobile(128), 439.8 / 2, 0.01), 'edgeface_xxs': (edge('xxs', 168), 94.72 / 2, 0.01),
             'edgeface_xs_gamma_06': (edge('xs', 192, 0.6), 154.00 / 2, 0.01),
             'edgeface_s_gamma_05': (edge('s', 304, 0.5), 306.12 / 2, 0.01),
             'edgeface_base': (edge('base', 584), 1398.83 / 2, 0.01),
             'ghostfacenet_v1_1.3_1': (ghost(1, 664), 215.7, 0.02),
             'ghostfacenet_v1_1.3_2': (ghost(1, 664, 2), 60.3, 0.02),
             'ghostfacenet_v2_1.3_1': (ghost(2, 1248), 272.105108, 0.02)}
# The whole network that makes 512 numbers. AdaFace's count has no scale and shift in its last norm (1024 more here);
# that of GhostFaceNetV1, 4,088,812, has BatchNorm's statistics and 512 biases.
PARAMETERS = {'ir_se50': (iresnet(50, attention=dict(type='SqueezeExcitation'), shortcut='subsample',
                                  inner_norm=False), 43_797_696),
              'adaface_ir18': (iresnet(18, shortcut='subsample'), 24_020_352 + 1024),
              'mbf': (mobile(scale=2), 2_059_520), 'mbf_large': (mobile(scale=4, blocks=(2, 8, 12, 4)), 6_314_880),
              'ghostfacenet_v2_1.3_1': (ghost(2, 1248), 6_795_720),
              'ghostfacenet_v1_1.3_1': (ghost(1, 664), 4_088_812 - 512 - 28_552)}
MILLIONS = {'edgeface_xxs': 1.24, 'edgeface_xs_gamma_06': 1.77, 'edgeface_s_gamma_05': 3.65, 'edgeface_base': 18.23}


@pytest.mark.parametrize('name', [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())
                                  for name in README])
def test_products_are_those_of_insightfaces_table(name):
    network, published = README[name]
    assert count_macs(built(*network)) / 1e9 == pytest.approx(published, abs=0.05 + 0.01 * published)


@pytest.mark.parametrize('name', PUBLISHED)
def test_products_are_those_of_the_papers(name):
    network, published, tolerance = PUBLISHED[name]
    assert count_macs(built(*network)) / 1e6 == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize('name', PARAMETERS)
def test_parameters_are_as_many_as_published(name):
    network, published = PARAMETERS[name]
    assert sum(p.numel() for p in built(*network).parameters()) == published


@pytest.mark.parametrize('name', MILLIONS)
def test_parameters_of_edgeface_are_as_many_as_published(name):
    assert round(sum(p.numel() for p in built(*PUBLISHED[name][0]).parameters()) / 1e6, 2) == MILLIONS[name]


def test_a_mobilefacenet_has_its_published_count_by_the_rules_of_ptflops():
    """Two operations for each number that a norm gives, and one for each of an activation."""
    model, more = built(*mobile(scale=2)), []
    for module in model.modules():
        worth = 2 if isinstance(module, nn.modules.batchnorm._BatchNorm) else isinstance(module, nn.PReLU)
        module.register_forward_hook(lambda module, args, out, worth=worth: more.append(worth * out.numel()))
    assert round((count_macs(model) + sum(more)) / 1e9, 2) == 0.45


@pytest.mark.parametrize('depth, blocks', [(18, (2, 2, 2, 2)), (34, (3, 4, 6, 3)),
                                           pytest.param(200, (6, 26, 60, 6), marks=pytest.mark.slow)])
def test_an_iresnet_is_counted_as_by_hand(depth, blocks):
    macs, side, c_in = 112 * 112 * 27 * 64, 112, 64
    for count, c in zip(blocks, (64, 128, 256, 512)):
        half = (side // 2) ** 2
        macs += side ** 2 * 9 * c_in * c + half * 9 * c * c + half * c_in * c + (count - 1) * half * 18 * c * c
        side, c_in = side // 2, c
    assert count_macs(built(*iresnet(depth))) == macs + 49 * 512 * 512


def test_a_transformer_is_counted_as_by_hand_with_its_attention_on_a_processor_too():
    dim, depth, length, embedding = 32, 4, 16, 24
    backbone = dict(type='VisionTransformer', dim=dim, depth=depth, in_size=36)
    model = MODELS.build(dict(RECOGNIZER, backbone=backbone, neck=dict(
        type='TokenNeck', in_channels=dim, in_size=4, embedding_size=embedding)))
    counter = count_products(model)
    a_block = length * 12 * dim ** 2 + 2 * length ** 2 * dim
    assert counter.macs == {'stem': length * 3 * 81 * dim, **{f'stage {n}': a_block for n in (1, 2, 3, 4)},
                            'neck': length * dim * dim + dim * embedding}
    assert counter.activations['stem'] == length * dim
    assert counter.activations['stage 1'] == length * dim * (3 + 1 + 1 + 4 + 1)


@pytest.mark.parametrize('backbone', tiny.backbones())
def test_the_parts_are_the_whole(backbone):
    model = tiny.recognizer(backbone, 'HybridAttention', mla=True, head=None)
    rows = {row.pop('part'): row for row in costs(model, batch_size=2, repeats=1)}
    assert [*rows] == [*parts_of(model), REST] and {'stem', 'stage 1', 'branch', 'fusion', 'neck'} < set(rows)
    assert sum(row['parameters'] for row in rows.values()) == sum(p.numel() for p in model.parameters())
    assert rows[REST]['macs'] == 0 and rows['stage 1']['macs'] > 0 < rows['branch']['macs']
    assert all(row['milliseconds'] > 0 for row in rows.values())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_part_is_timed_whatever_it_calls_and_however_often():
    model = tiny.recognizer(mla=True)
    calls = []
    model.neck.register_forward_hook(lambda *_: calls.append(1))
    seconds = time_parts(model, repeats=3)
    assert len(calls) == 4 and set(seconds) == {*parts_of(model), REST}


def test_the_command_shows_the_parts_and_writes_them(tmp_path, capsys):
    config = tmp_path / 'net.py'
    config.write_text("model = dict(type='FaceRecognizer', head=dict(type='TinyHead'), backbone=dict(type='IResNet', "
                      "width=0.125, in_size=32), neck=dict(type='EmbeddingNeck', in_channels=64, in_size=2))")
    main([str(config), '--repeats', '1', '--json', str(tmp_path / 'costs.json'), '--device', 'cpu'])
    said = capsys.readouterr().out
    report = json.loads((tmp_path / 'costs.json').read_text())
    assert [row['part'] for row in report['parts']][:6] == ['stem', 'stage 1', 'stage 2', 'stage 3', 'stage 4', 'neck']
    model = MODELS.build(dict(RECOGNIZER, backbone=dict(type='IResNet', width=0.125, in_size=32),
                              neck=dict(type='EmbeddingNeck', in_channels=64, in_size=2)))
    assert report['total']['parameters'] == sum(p.numel() for p in model.parameters())  # without the head
    assert report['total']['macs'] == count_macs(model) and report['input'] == [3, 32, 32]
    assert re.search(r'stage 1 .* ms|ms: of an image', said) and f'{report["total"]["macs"] / 1e6:,.2f} M' in said
    main([str(config), '--repeats', '0'])
    assert 'ms' not in capsys.readouterr().out.replace('params', '')
    with pytest.raises(SystemExit):
        main([str(config), '--repeats', '-1'])
