"""The vision transformer, EdgeFace and GhostFaceNet: what only they do, and what they refuse."""
import pytest
import torch
from torch import nn

from mlaface.models.backbones.vision_transformer import PatchMask, to_map
from mlaface.models.drop_path import DropPath, drop_path_rates
from mlaface.models.low_rank import LowRankLinear
from mlaface.registry import MODELS
from tests import libraries


def vit(**options):
    return MODELS.build(dict(type='VisionTransformer', dim=16, depth=4, heads=4, patch_size=8, in_size=32, **options))


def draw(net, seed=0):
    """Weights as after a training."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in net.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.1 if tensor.dim() < 2 else
                         torch.randn(tensor.shape, generator=generator) / tensor[0].numel() ** 0.5)
    return net.double()


def test_masked_patches_are_others_in_each_image_and_get_the_one_token():
    net = draw(vit(mask_ratio=0.3)).train()
    with torch.no_grad():
        x = torch.randn(8, 3, 32, 32, dtype=torch.double)
        out = net(x).flatten(2).transpose(1, 2)  # (8, 16, 16)
        masked = (out == net.mask.token).all(-1)
        assert (masked.sum(1) == 16 - int(16 * 0.7)).all() and len({tuple(row.tolist()) for row in masked}) > 1
        row, kept = 3, ~masked[3]
        tokens = net.patch_embed(x[row:row + 1])[:, kept]  # no other patch has a part in those that stay
        for block in net.blocks:
            tokens = block(tokens)
        torch.testing.assert_close(out[row, kept], net.norm(tokens)[0])


def test_nothing_is_masked_in_evaluation_and_the_draw_is_that_of_the_seed():
    net, plain = draw(vit(mask_ratio=0.5)), draw(vit())
    x = torch.randn(2, 3, 32, 32, dtype=torch.double)
    plain.load_state_dict(net.state_dict())
    assert torch.equal(net.eval()(x), plain.eval()(x)) and torch.equal(plain.train()(x), plain.eval()(x))
    net.train()
    draws = [(torch.manual_seed(seed), net(x))[1] for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_the_token_learns_where_patches_are_masked_and_is_in_every_file():
    masked, plain = vit(mask_ratio=0.5), vit()
    assert masked.state_dict().keys() == plain.state_dict().keys()
    assert 'mask.token' not in dict(plain.named_parameters())
    masked.train()(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None for p in masked.parameters()) and masked.mask.token.grad.abs().sum() > 0


@pytest.mark.parametrize('ratio', (0.1, 0.5, 0.99))
def test_masking_keeps_the_share_that_the_trainer_keeps(ratio):
    mask = PatchMask(4, ratio).train()
    x = torch.arange(144.0)[None, :, None].expand(3, -1, 4)
    kept, places = mask.take(x)
    assert kept.shape == (3, int(144 * (1 - ratio)), 4) and torch.equal(kept[:, :, 0], places.float())
    whole = mask.fill(kept, places, 144)
    assert torch.equal(whole.gather(1, places[:, :, None].expand(-1, -1, 4)), kept)
    assert torch.equal(to_map(x, 12)[0, 0], torch.arange(144.0).view(12, 12))  # rows of the image are rows of the map


def test_checkpointed_masking_and_dropped_paths_give_the_same_gradients():
    plain = vit(mask_ratio=0.25, drop_path_rate=0.5).train()
    twin = vit(mask_ratio=0.25, drop_path_rate=0.5, with_cp=True).train()
    twin.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 32, 32)
    for net in (plain, twin):
        torch.manual_seed(5)
        net(x).square().sum().backward()
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(plain.parameters(), twin.parameters()))


def test_dropped_paths_are_of_whole_images_and_keep_the_mean():
    x, drop = torch.ones(20000, 2, 3), DropPath(0.25).train()
    out = drop(x)
    assert set(out.flatten().tolist()) == {0.0, torch.tensor(1 / 0.75).item()} and (out.std((1, 2)) == 0).all()
    assert abs(out.mean() - 1) < 0.02 and drop.eval()(x) is x
    assert drop_path_rates(0.1, 3) == [0, 0.05, 0.1] and drop_path_rates(0.1, 1) == [0]
    net = MODELS.build(dict(type='EdgeFace', size='xxs', drop_path_rate=0.11))
    assert [round(m.rate, 2) for m in net.modules() if isinstance(m, DropPath)] == [n / 100 for n in range(12)]


def test_edgeface_is_of_low_rank_everywhere_or_nowhere():
    whole, low = (MODELS.build(dict(type='EdgeFace', rank_ratio=ratio)) for ratio in (None, 0.6))
    assert not any(isinstance(m, LowRankLinear) for m in whole.modules())
    linear = [name for name, m in whole.named_modules() if isinstance(m, nn.Linear)]
    assert linear == [name for name, m in low.named_modules() if isinstance(m, LowRankLinear)]
    ranks = {m.linear1.out_features / min(m.linear1.in_features, m.linear2.out_features) for m in low.modules()
             if isinstance(m, LowRankLinear)}
    assert 0.58 < min(ranks) <= max(ranks) <= 0.6


@pytest.mark.parametrize('version, name', [pytest.param(1, 'ghostnet_100', marks=pytest.mark.slow),
                                           (2, 'ghostnetv2_100')])
def test_ghostfacenet_with_relu_is_timms_ghostnet(version, name):
    theirs = libraries.timm().create_model(name).double().eval()
    ours = draw(MODELS.build(dict(type='GhostFaceNet', version=version, width=1.0, stem_stride=2))).eval()
    for module in ours.modules():
        if isinstance(module, nn.PReLU):
            nn.init.zeros_(module.weight)
    names = {'last.0.': 'blocks.9.0.conv.', 'last.1.': 'blocks.9.0.bn1.'}
    state = {next((new + n[len(old):] for old, new in names.items() if n.startswith(old)), n): t
             for n, t in ours.state_dict().items()}
    rows = 8 if version == 1 else 9  # the last block of GhostFaceNetV1 is narrower
    wanted = {n: t for n, t in state.items() if version == 2 or not n.startswith(('blocks.8.', 'blocks.9.'))}
    missing = theirs.load_state_dict(wanted, strict=False).missing_keys
    assert all(n.startswith(('conv_head', 'classifier', *(('blocks.8.', 'blocks.9.') if version == 1 else ())))
               for n in missing)
    x = torch.randn(2, 3, 112, 112, dtype=torch.double)
    with torch.no_grad():
        found, expected = ours.act1(ours.bn1(ours.conv_stem(x))), theirs.act1(theirs.bn1(theirs.conv_stem(x)))
        for row in range(rows):
            found, expected = ours.blocks[row](found), theirs.blocks[row](expected)
        if version == 2:
            found, expected = ours.last(found), theirs.blocks[9](expected)
            torch.testing.assert_close(ours(x), expected)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('backbone', [dict(type='VisionTransformer', dim=16, depth=4, heads=4, patch_size=8,
                                           mask_ratio=0.25), dict(type='EdgeFace', size='xxs', width=0.125)])
@pytest.mark.parametrize('neck', ['TokenNeck', 'PoolNeck'])
def test_mixed_precision_ends_in_float32(backbone, neck):
    channels, size = (16, 4) if 'dim' in backbone else (24, 1)
    model = MODELS.build(dict(type='FaceRecognizer', backbone=dict(backbone, in_size=32), neck=dict(
        type=neck, in_channels=channels, in_size=size, embedding_size=8)))
    with torch.autocast('cpu', torch.bfloat16):
        out = model(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))
    out.square().mean().backward()
    assert out.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize('config, message', [
    (dict(type='VisionTransformer', heads=7), '7 heads do not divide its 256'),
    (dict(type='VisionTransformer', depth=3), 'depth=3 must be 4'),
    (dict(type='VisionTransformer', in_size=8), 'smaller than a patch'),
    (dict(type='VisionTransformer', mask_ratio=1.0), 'mask_ratio=1.0 must be a share'),
    (dict(type='VisionTransformer', drop_path_rate=-0.1), 'drop_path_rate=.* must be a share'),
    (dict(type='VisionTransformer', mask_ratio=0.1, attention=dict(type='ECA')), 'set mask_ratio=0'),
    (dict(type='EdgeFace', size='m'), "no size 'm'; choose one of 'xxs'"), (dict(type='EdgeFace', in_size=24), '32 or'),
    (dict(type='EdgeFace', rank_ratio=0), 'rank_ratio=0 must be'), (dict(type='EdgeFace', width=0), 'above 0'),
    (dict(type='GhostFaceNet', version=3), 'no version 3; choose 1 or 2'),
    (dict(type='GhostFaceNet', width=-1), 'above 0'),
    (dict(type='IResNet', shortcut='pool'), "shortcut='pool' of IResNet is unknown; choose 'projection' or"),
    (dict(type='PoolNeck', rank_ratio=1.5), 'rank_ratio=1.5 must be')])
def test_what_cannot_be_is_refused_in_a_line(config, message):
    with pytest.raises(ValueError, match=message) as error:
        MODELS.build(config)
    assert '\n' not in str(error.value)
