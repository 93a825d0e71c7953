"""Each attention plugin against its paper's formula, written a second time; its parameters; where it starts."""
import math

import pytest
import torch
from torch.nn import functional as F

from mlaface.registry import ATTENTION
from tests.models import tiny

SHAPES = [(7, 7), (6, 5)]


def plugin_of(name, channels=16, **options):
    return tiny.moved(ATTENTION.build(dict(type=name, channels=channels, **options))).double().eval()


def map_of(shape, channels=16, count=2):
    return torch.randn(count, channels, *shape, dtype=torch.double, generator=torch.manual_seed(1))


def pointwise(conv, x):
    """A 1x1 convolution over columns (N, C, P)."""
    out = torch.einsum('oc,ncp->nop', conv.weight[:, :, 0, 0], x)
    return out if conv.bias is None else out + conv.bias[None, :, None]


def normed(bn, x):
    """A BatchNorm's affine map in evaluation, over axis 1."""
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    view = (1, -1) + (1,) * (x.dim() - 2)
    return (x - bn.running_mean.view(view)) * scale.view(view) + bn.bias.view(view)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('fusion', ['add', 'scale'])
def test_global_context(shape, fusion):
    plugin, x = plugin_of('GlobalContext', reduction=4, fusion=fusion), map_of(shape)
    places = x.flatten(2)
    energy = pointwise(plugin.mask, places)[:, 0]
    context = sum((energy[:, p].exp() / energy.exp().sum(1))[:, None] * places[:, :, p] for p in range(places.shape[2]))
    first, norm, _, last = plugin.transform
    hidden = context @ first.weight.T + first.bias
    hidden = (hidden - hidden.mean(1, keepdim=True)) / (hidden.var(1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    change = (hidden * norm.weight + norm.bias).clamp_min(0) @ last.weight.T + last.bias
    change = change[:, :, None, None]
    torch.testing.assert_close(plugin(x), x + change if fusion == 'add' else x / (1 + (-change).exp()))


@pytest.mark.parametrize('shape', SHAPES)
def test_triplet(shape):
    """As the paper draws it: the map turned so that another axis lies where the channels were, gated, turned back."""
    plugin, x = plugin_of('TripletAttention', kernel_size=5), map_of(shape)
    total = 0
    for gate, turn in ((plugin.cw, (0, 2, 1, 3)), (plugin.hc, (0, 3, 2, 1)), (plugin.hw, (0, 1, 2, 3))):
        turned = x.permute(turn)
        pooled = torch.stack([turned.max(1).values, turned.mean(1)], 1)
        opened = normed(gate.bn, F.conv2d(F.pad(pooled, (2, 2, 2, 2)), gate.conv.weight)).sigmoid()
        total = total + (turned * opened).permute(turn)
    torch.testing.assert_close(plugin(x), total / 3)


@pytest.mark.parametrize('shape', SHAPES)
def test_efficient_multi_scale(shape):
    plugin, x = plugin_of('EfficientMultiScaleAttention', groups=4), map_of(shape)
    height, expected = shape[0], []
    for part in x.chunk(4, 1):
        along = torch.cat([part.mean(3), part.mean(2)], 2)  # (N, C, H + W)
        gates = pointwise(plugin.conv1x1, along).sigmoid()
        gated = part * gates[:, :, :height, None] * gates[:, :, None, height:]
        mean, variance = gated.mean((2, 3), keepdim=True), gated.var((2, 3), unbiased=False, keepdim=True)
        one = (gated - mean) / (variance + plugin.gn.eps).sqrt() * plugin.gn.weight[:, None, None] \
            + plugin.gn.bias[:, None, None]
        three = F.conv2d(part, plugin.conv3x3.weight, plugin.conv3x3.bias, padding=1)
        crossed = torch.einsum('nc,nchw->nhw', one.mean((2, 3)).softmax(1), three) \
            + torch.einsum('nc,nchw->nhw', three.mean((2, 3)).softmax(1), one)
        expected.append(part * crossed.sigmoid()[:, None])
    torch.testing.assert_close(plugin(x), torch.cat(expected, 1))


@pytest.mark.parametrize('shape', [*SHAPES, (1, 3)])
@pytest.mark.parametrize('scale, pool', [('sqrt', 1), (None, 1), (None, 2)])
def test_non_local(shape, scale, pool):
    plugin, x = plugin_of('NonLocal', scale=scale, pool=pool), map_of(shape) / 4
    theta, phi, g = (pointwise(part, x.flatten(2)) for part in (plugin.theta, plugin.phi, plugin.g))
    if pool == 2:
        window = [min(2, length) for length in shape]
        phi, g = (F.max_pool2d(each.unflatten(2, shape), window).flatten(2) for each in (phi, g))
    energy = torch.einsum('ncp,ncq->npq', theta, phi) / (math.sqrt(8) if scale else 1)
    weights = energy.exp() / energy.exp().sum(2, keepdim=True)
    mixed = pointwise(plugin.project, torch.einsum('npq,ncq->ncp', weights, g))
    torch.testing.assert_close(plugin(x), x + normed(plugin.norm, mixed).unflatten(2, shape))


@pytest.mark.parametrize('shape', [*SHAPES, (2, 2)])
@pytest.mark.parametrize('extent', [0, 2, 4, 8])
def test_gather_excite_without_parameters(shape, extent):
    """The mean of the places nearer than the extent, at every extent-th place; each place has the nearest one's."""
    plugin, x = plugin_of('GatherExcite', extent=extent), map_of(shape)
    assert not list(plugin.parameters())
    (height, width), expected = shape, torch.empty_like(x)
    rows, columns = (-(-length // extent) if extent else 1 for length in shape)
    for i in range(height):
        for j in range(width):
            if extent == 0:
                seen = x.flatten(2)
            else:
                a, b = i * rows // height * extent, j * columns // width * extent
                seen = x[:, :, max(0, a - extent + 1):a + extent, max(0, b - extent + 1):b + extent].flatten(2)
            expected[:, :, i, j] = x[:, :, i, j] * seen.mean(2).sigmoid()
    torch.testing.assert_close(plugin(x), expected)


@pytest.mark.parametrize('reduction', [None, 4])
@pytest.mark.parametrize('extent', [0, 2, 4])
def test_gather_excite_with_parameters(extent, reduction):
    plugin, x = plugin_of('GatherExcite', extent=extent, learned=True, reduction=reduction, size=6), map_of((6, 6))
    gathered, layers = x, [layer for layer in plugin.gather if not isinstance(layer, torch.nn.ReLU)]
    for number, (conv, norm) in enumerate(zip(layers[::2], layers[1::2])):
        gathered = gathered if number == 0 else gathered.relu()
        options = dict(stride=2, padding=1) if extent else {}
        gathered = normed(norm, torch.cat([F.conv2d(gathered[:, c:c + 1], conv.weight[c:c + 1], **options)
                                           for c in range(16)], 1))
    if reduction:
        first, _, last = plugin.bottleneck
        shape = gathered.shape[2:]
        gathered = pointwise(last, pointwise(first, gathered.flatten(2)).relu()).unflatten(2, shape)
    steps = torch.arange(6) * gathered.shape[2] // 6
    torch.testing.assert_close(plugin(x), x * gathered[:, :, steps][:, :, :, steps].sigmoid())


@pytest.mark.parametrize('shape', [*SHAPES, (3, 9)])
@pytest.mark.parametrize('residual', [True, False])
def test_bottleneck_self_attention(shape, residual):
    """Energies place by place, as figure 4 draws them: content and offset of each pair."""
    plugin, x = plugin_of('BottleneckSelfAttention', heads=2, size=4, residual=residual), map_of(shape)
    query, key, value = (pointwise(part, x.flatten(2)) for part in (plugin.query, plugin.key, plugin.value))
    places, expected = [(i, j) for i in range(shape[0]) for j in range(shape[1])], []
    for q, k, v in zip(query.chunk(2, 1), key.chunk(2, 1), value.chunk(2, 1)):
        energy = torch.empty(2, len(places), len(places), dtype=torch.double)
        for p, (i, j) in enumerate(places):
            for o, (a, b) in enumerate(places):
                code = plugin.rows[3 + max(-3, min(3, a - i))] + plugin.columns[3 + max(-3, min(3, b - j))]
                energy[:, p, o] = (q[:, :, p] * (k[:, :, o] + code)).sum(1) / math.sqrt(8)
        expected.append(torch.einsum('npq,ncq->ncp', energy.softmax(2), v))
    expected = torch.cat(expected, 1).unflatten(2, shape)
    torch.testing.assert_close(plugin(x), x + expected if residual else expected)


# parameters at 64 and 512 channels, counted by hand from the papers' layers
COUNTS = [
    (dict(type='HybridAttention'), 2 * 64 * 4 + 1 + 98, 2 * 512 * 32 + 1 + 98),
    (dict(type='SqueezeExcitation'), 512, 32_768),
    (dict(type='SimAM'), 0, 0),
    (dict(type='ECA'), 3, 5),
    (dict(type='CBAM'), 580 + 100, 33_312 + 100),
    (dict(type='CoordinateAttention'), 520 + 16 + 2 * 576, 8_208 + 32 + 2 * 8_704),
    (dict(type='GlobalContext'), 64 + 260 + 8 + 320, 512 + 16_416 + 64 + 16_896),
    (dict(type='TripletAttention'), 300, 300),
    (dict(type='EfficientMultiScaleAttention'), 6 + 38 + 4, 272 + 2_320 + 32),
    (dict(type='NonLocal'), 4 * 64 * 32 + 3 * 32 + 128, 4 * 512 * 256 + 3 * 256 + 1024),
    (dict(type='GatherExcite'), 0, 0),
    (dict(type='GatherExcite', extent=8, learned=True), 3 * 64 * 11, 3 * 512 * 11),
    (dict(type='GatherExcite', learned=True, size=7, reduction=16), 64 * 51 + 580, 512 * 51 + 33_312),
    (dict(type='BottleneckSelfAttention'), 3 * 64 ** 2 + 54 * 16, 3 * 512 ** 2 + 54 * 128)]


@pytest.mark.parametrize('config, few, many', COUNTS, ids=str)
def test_parameters_are_those_of_the_papers(config, few, many):
    for channels, expected in ((64, few), (512, many)):
        plugin = ATTENTION.build(dict(config, channels=channels))
        assert sum(p.numel() for p in plugin.parameters()) == expected


# what weights are called in files: a name that changes leaves trained networks behind
BN = 'weight bias running_mean running_var num_batches_tracked'
NAMES = {
    'GlobalContext': ['mask.weight', *(f'transform.{place}.{kind}' for place in (0, 1, 3)
                                       for kind in ('weight', 'bias'))],
    'TripletAttention': [f'{gate}.{name}' for gate in ('cw', 'hc', 'hw')
                         for name in ('conv.weight', *(f'bn.{kind}' for kind in BN.split()))],
    'EfficientMultiScaleAttention': [f'{part}.{kind}' for part in ('conv1x1', 'conv3x3', 'gn')
                                     for kind in ('weight', 'bias')],
    'NonLocal': [*(f'{part}.{kind}' for part in ('theta', 'phi', 'g') for kind in ('weight', 'bias')), 'project.weight',
                 *(f'norm.{kind}' for kind in BN.split())],
    'GatherExcite': [],
    'BottleneckSelfAttention': ['rows', 'columns', 'query.weight', 'key.weight', 'value.weight']}


@pytest.mark.parametrize('name', NAMES)
def test_names_of_weights_stay(name):
    assert list(ATTENTION.build(dict(type=name, channels=16)).state_dict()) == NAMES[name]


def test_every_plugin_has_its_parameters_counted():
    assert {config['type'] for config, *_ in COUNTS} >= set(tiny.attentions())


@pytest.mark.parametrize('size', [(1, 1), (7, 7), (14, 9), pytest.param((28, 28), marks=pytest.mark.slow),
                                  pytest.param((56, 56), marks=pytest.mark.slow)])
@pytest.mark.parametrize('name', tiny.attentions())
def test_maps_of_every_size_memory_and_precision(name, size):
    plugin = tiny.moved(ATTENTION.build(dict(type=name, channels=32))).eval()
    x = torch.randn(2, 32, *size, generator=torch.manual_seed(0))
    expected = plugin(x)
    assert expected.shape == x.shape and expected.isfinite().all()
    torch.testing.assert_close(plugin(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plugin(x[:1]), expected[:1], rtol=1e-4, atol=1e-5)  # alone as among others
    half = plugin.to(torch.bfloat16)(x.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert F.cosine_similarity(half.float().flatten(1), expected.flatten(1)).min() > 0.99


@pytest.mark.parametrize('name', ['GlobalContext', 'NonLocal'])
@pytest.mark.parametrize('backbone', ['IResNet', 'MobileFaceNet'])
def test_those_that_start_as_nothing_do_so_inside_a_backbone(name, backbone):
    """A backbone draws the weights of convolutions, but not those of a plugin with a start of its own."""
    plain, attended = tiny.recognizer(backbone), tiny.recognizer(backbone, name)
    attended.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(attended.eval()(tiny.images()), plain.eval()(tiny.images()), rtol=0, atol=0)


@pytest.mark.parametrize('config, word', [
    (dict(type='GlobalContext', fusion='mul'), 'fusion'), (dict(type='NonLocal', scale='sqr'), "'sqrt'"),
    (dict(type='NonLocal', pool=0), 'pool=0'), (dict(type='GatherExcite', extent=3), 'extent=3'),
    (dict(type='GatherExcite', learned=True), 'set size, and attention_stages'),
    (dict(type='BottleneckSelfAttention', heads=3), '3 heads do not divide 16'),
    (dict(type='EfficientMultiScaleAttention', groups=5), '5 groups do not divide 16'),
    (dict(type='GlobalContex'), "did you mean 'GlobalContext'")])
def test_what_cannot_be_is_refused(config, word):
    with pytest.raises((ValueError, KeyError), match=word):
        ATTENTION.build(dict(config, channels=16))


@pytest.mark.parametrize('name', ['CBAM', 'ECA', 'TripletAttention', 'HybridAttention'])
@pytest.mark.parametrize('kernel_size', [4, 0, 3.0, True])
def test_a_kernel_has_an_odd_size(name, kernel_size):
    with pytest.raises(ValueError, match='must be an odd number'):
        plugin_of(name, kernel_size=kernel_size)
