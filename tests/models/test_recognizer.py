"""FaceRecognizer and FacePreprocessor."""
import copy

import pytest
import tiny
import torch
from mmengine.optim import OptimWrapper

from mlaface.registry import MODELS


@pytest.fixture
def model():
    return tiny.recognizer(mla=True, attention='HybridAttention')


def test_modes(model):
    model.eval()
    raw = model(tiny.images())
    losses = model(tiny.images(), tiny.labels(), mode='loss')
    assert raw.shape == (4, 16) and losses['loss'].dim() == 0
    assert losses['gate'] == losses['attention_gate'] == 0.5 and not losses['gate'].requires_grad
    predicted = model(tiny.images(), mode='predict')
    torch.testing.assert_close(predicted.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(predicted, torch.nn.functional.normalize(model.extract(tiny.images(), 'sum')))


def test_extract_joins_the_mirror_image_and_leaves_the_network_as_it_was(model):
    before = copy.deepcopy(model.state_dict())
    model.train()
    model.neck.eval()
    x = tiny.images()
    alone, mirrored = model.extract(x), model.extract(x.flip(3))
    assert not alone.requires_grad and not torch.allclose(alone, mirrored)
    torch.testing.assert_close(model.extract(x, 'sum'), alone + mirrored)
    torch.testing.assert_close(model.extract(x, 'concat'), torch.cat([alone, mirrored], 1))
    assert model.backbone.training and not model.neck.training
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    with pytest.raises(ValueError, match="'concat'"):
        model.extract(x, 'both')


def test_steps_as_mmengine_calls_them(model):
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05))
    before = model.head.weight.detach().clone()
    data = dict(images=tiny.images(), labels=tiny.labels(), index=torch.arange(4))
    losses = [float(model.train_step(data, wrapper)['loss'].detach()) for _ in range(6)]
    assert losses[-1] < losses[0] and not torch.equal(before, model.head.weight)
    out = model.eval().val_step(data)
    assert out['embeddings'].dtype == torch.float32 and torch.equal(out['index'], data['index'])


def test_autocast_keeps_the_last_layer_in_float32(model):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(tiny.images(), tiny.labels(), mode='loss')
        assert model(tiny.images()).dtype == torch.float32
    losses['loss'].backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters() if p.grad is not None)
    full = tiny.recognizer(neck='GDCNeck').eval()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = full(tiny.images())
    assert half.dtype == torch.float32 and torch.nn.functional.cosine_similarity(half, full(tiny.images())).min() > 0.99


def test_published_variant_fixes_branch_and_fusion():
    model = tiny.recognizer(mla=True, norm='shared', variant='published')
    assert model.branch.clamp == (-1, 1) and model.branch.scale is None and model.fusion.norm == 'shared'
    model(tiny.images())
    assert model.neck.bn2.num_batches_tracked == 3
    with pytest.raises(ValueError, match='fusion.norm'):
        tiny.recognizer(mla=True, norm='separate', variant='published')
    with pytest.raises(ValueError, match='variant'):
        tiny.recognizer(mla=True, variant='publised')


def test_a_copy_stands_alone(model):
    twin = copy.deepcopy(model)
    model.eval(), twin.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert twin(tiny.images()).abs().sum() > 0


@pytest.mark.slow
@pytest.mark.parametrize('with_cp', (False, True))
def test_compiled_equals_eager(with_cp):
    options = dict(mla=True, attention='HybridAttention', frozen=['branch'],
                   backbone_options=dict(with_cp=with_cp, frozen_stages=1, norm_eval=with_cp))
    eager = tiny.recognizer(**options).double().train()
    compiled = tiny.recognizer(compile=dict(backend='aot_eager'), **options).double().train()
    compiled.load_state_dict(eager.state_dict())
    for network in (eager, compiled):
        network(tiny.images(), tiny.labels(), mode='loss')['loss'].backward()
    torch.testing.assert_close(compiled.state_dict(), eager.state_dict())
    for left, right in zip(compiled.parameters(), eager.parameters()):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('bad, error, words', [
    (torch.zeros(2, 3, 40, 32, dtype=torch.uint8), ValueError, '40x32 pixels.*32x32'),
    (torch.zeros(2, 32, 32, 3, dtype=torch.uint8), ValueError, 'channels come first'),
    (torch.zeros(2, 3, 32, 32, dtype=torch.uint8).numpy(), TypeError, 'must be a tensor, got ndarray'),
    (torch.zeros(3, 32, 32, dtype=torch.uint8), ValueError, r'\(N, 3, 32, 32\)'),
    (torch.zeros(2, 3, 32, 32, dtype=torch.int64), TypeError, 'uint8'),
    (torch.full((2, 3, 32, 32), 255.0), ValueError, 'uint8'),
    (torch.full((2, 3, 32, 32), float('nan')), ValueError, 'finite')])
def test_wrong_images_are_refused(model, bad, error, words):
    with pytest.raises(error, match=words):
        model(bad)


def test_wrong_labels_and_missing_head_are_refused(model):
    with pytest.raises(ValueError, match='one label per image'):
        model(tiny.images(4), tiny.labels(3), mode='loss')
    with pytest.raises(ValueError, match='one label per image'):
        model(tiny.images(4), mode='loss')
    with pytest.raises(ValueError, match='head'):
        tiny.recognizer(head=None)(tiny.images(), tiny.labels(), mode='loss')
    with pytest.raises(ValueError, match="'predict'"):
        model(tiny.images(), mode='predicted')


@pytest.mark.parametrize('wrong, words', [
    (dict(head=dict(type='TinyHead', embedding_size=8)), 'head.embedding_size=16'),
    (dict(branch=dict(type='PatchSelfAttention', channels=8), fusion=dict(type='GatedFusion', channels=64)),
     'branch.channels=64'),
    (dict(in_channels=128), 'neck.in_channels=64'),
    (dict(branch=dict(type='PatchSelfAttention', channels=64)), 'both, or neither')])
def test_parts_that_do_not_fit_are_refused_when_built(wrong, words):
    with pytest.raises(ValueError, match=words):
        tiny.recognizer(**wrong)


def test_preprocessor_normalises_and_swaps():
    x = tiny.images()
    plain = MODELS.build(dict(type='FacePreprocessor', size=32))
    torch.testing.assert_close(plain(x), (x.float() - 127.5) / 127.5, rtol=0, atol=0)
    assert plain.spec == dict(color='RGB', mean=[127.5] * 3, std=[127.5] * 3, size=[32, 32])
    swapped = MODELS.build(dict(type='FacePreprocessor', size=32, color='BGR', mean=(1, 2, 3), std=2,
                                channels_last=True))
    found = swapped(x)
    torch.testing.assert_close(found[:, 0], (x[:, 2].float() - 1) / 2)
    assert found.is_contiguous(memory_format=torch.channels_last)
    for wrong in (dict(std=0), dict(mean=(1, 2)), dict(color='GBR')):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MODELS.build(dict(type='FacePreprocessor', **wrong))
