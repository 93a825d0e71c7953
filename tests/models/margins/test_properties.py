"""Properties that hold for every registered margin, and neutral settings that give the parent."""
import math

import pytest
import torch
from torch.nn.functional import normalize

from mlaface.models.heads.margin_head import MarginHead
from mlaface.registry import MARGINS

CLASSES, SIZE = 7, 6
EVERY = MARGINS.names()


def head_of(margin, **options):
    margin = dict(type=margin) if isinstance(margin, str) else margin
    return MarginHead(CLASSES, SIZE, margin, **options)


def batch(count=5, scale=20.0, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(count, SIZE, dtype=torch.float64, generator=generator) * scale
    return embeddings.to(dtype).requires_grad_(), torch.arange(count) % CLASSES


def step(head, embeddings, labels):
    loss = head.loss(embeddings, labels)['loss']
    loss.backward()
    return loss


@pytest.mark.parametrize('name', EVERY)
@pytest.mark.parametrize('chunk', [None, pytest.param(2, marks=pytest.mark.slow)])  # test_chunks_change_nothing, too
def test_gradients_agree_with_differences(name, chunk):
    head = head_of(name, chunk_size=chunk).double().eval()  # statistics stand still between evaluations
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(3))
    embeddings, labels = batch(3, scale=1.0)
    if name in ('CircleLoss', 'ArcNegFace', 'NPCFace', 'AdaFace'):
        pytest.skip('has factors that are constant to the gradient but not to differences; golden numbers test it')
    assert torch.autograd.gradcheck(lambda x, w: head.loss(x, labels)['loss'], (embeddings, head.weight), atol=1e-4)


@pytest.mark.parametrize('name', EVERY)
def test_batch_of_one_and_half_precision(name):
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        embeddings, labels = batch(1, dtype=dtype)
        loss = step(head_of(name), embeddings, labels)
        same = head_of(name).loss(embeddings.detach().float(), labels)['loss']
        assert loss.dtype == torch.float32 and torch.equal(loss.detach(), same.detach())
        assert embeddings.grad.isfinite().all()


@pytest.mark.parametrize('name', EVERY)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('scale', [1e-6, 1.0, 1e6])
def test_finite_at_poles_and_any_scale(name, dtype, scale):
    head = head_of(name).to(dtype)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(1)) * scale)
        head.weight[:2] = head.weight[:1]
    rows = head.weight.detach()[[0, 0]].clone()
    embeddings = (torch.stack([rows[0], -rows[1]]) * (1 if scale == 1 else scale)).requires_grad_()
    loss = step(head, embeddings, torch.tensor([0, 0]))
    assert loss.isfinite() and embeddings.grad.isfinite().all() and head.weight.grad.isfinite().all()


@pytest.mark.parametrize('name', EVERY)
def test_loss_does_not_depend_on_the_scale_of_centres(name):
    heads = [head_of(name).double() for _ in range(2)]
    if not heads[0].margin.normalized:
        pytest.skip('takes raw products')
    with torch.no_grad():
        heads[1].weight *= 1e3
    first, second = (head.loss(*batch())['loss'] for head in heads)
    torch.testing.assert_close(first, second)
    if not heads[0].margin.needs_norms:
        embeddings, labels = batch()
        third = head_of(name).double().loss(embeddings.detach() * 1e3, labels)['loss']
        torch.testing.assert_close(first, third)


@pytest.mark.parametrize('name', EVERY)
def test_target_logit_falls_with_the_angle(name):
    margin = head_of(name).double().margin.eval()
    theta = torch.linspace(1e-3, math.pi - 1e-3, 2000, dtype=torch.float64)
    cosine = torch.full((len(theta), CLASSES), -1.0, dtype=torch.float64)
    labels = torch.zeros(len(theta), dtype=torch.int64)
    if margin.centers_per_class > 1:
        cosine = cosine.repeat_interleave(margin.centers_per_class, dim=1)
    cosine[:, 0] = torch.cos(theta)
    logits = margin(cosine, labels, norms=torch.full_like(theta, 20.0))[:, 0].detach()
    assert (logits.diff() <= 0).all()
    assert (logits[:1200:100].diff() < 0).all(), 'flat where no clamp is'


@pytest.mark.parametrize('margin', [
    dict(type='CosFace', m=0.0), dict(type='ArcFace', m=0.0), dict(type='CombinedMargin', m2=0.0, m3=0.0),
    dict(type='MVSoftmax', s=64.0, m=0.0, t=1.0), dict(type='SphereFaceR', s=64.0, m=1.0),
    dict(type='UniTSFace', m=0.0, weight=0.0), dict(type='AdaMSoftmax', s=64.0, m=0.0, lam=0.0)])
def test_neutral_settings_give_normface(margin):
    check_same(margin, 'NormFace')


@pytest.mark.parametrize('margin,parent', [
    (dict(type='SubCenterArcFace', k=1), 'ArcFace'), (dict(type='ElasticArcFace', sigma=0.0), 'ArcFace'),
    (dict(type='ElasticCosFace', sigma=0.0, plus=True), 'CosFace'),
    (dict(type='MagFace', l_m=0.5, u_m=0.5, lambda_g=0.0), 'ArcFace')])
def test_neutral_settings_give_the_parent(margin, parent):
    check_same(margin, parent)


def check_same(margin, parent):
    results = []
    for config in (margin, parent):
        head, (embeddings, labels) = head_of(config).double(), batch()
        loss = step(head, embeddings, labels)
        results.append((loss.detach(), embeddings.grad, head.weight.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-9, atol=1e-9)


def test_large_loss_is_exact():
    head = head_of(dict(type='NormFace', s=1000.0)).double()
    with torch.no_grad():
        head.weight.zero_()
        head.weight[0, 0], head.weight[1:, 0] = -1.0, 1.0
    embeddings = torch.zeros(1, SIZE, dtype=torch.float64)
    embeddings[0, 0] = 1.0
    loss = head.loss(embeddings, torch.tensor([0]))['loss'].item()
    assert loss == pytest.approx(2000 + math.log(CLASSES - 1), rel=1e-12)


@pytest.mark.parametrize('config,word', [
    (dict(type='ArcFace', s=0.0), 'scale'), (dict(type='ArcFace', m=4.0), 'm must'),
    (dict(type='CosFace', m=-1), 'm must'),
    (dict(type='ArcFace', gradient='magic'), 'gradient'),
    (dict(type='SubCenterArcFace', k=0), 'k must'),
    (dict(type='MagFace', lambda_g=20.0), 'lambda_g'), (dict(type='MVSoftmax', t=-1.0), 't must'),
    (dict(type='NPCFace', t=-1.0), 't must'), (dict(type='RobustFace', t=-0.1), 't must'),
    (dict(type='CosFace', m=math.nan), 'm must'), (dict(type='AdaFace', h=math.inf), 'h must'),
    (dict(type='SphereFace', gamma=math.nan), 'gamma'), (dict(type='NPCFace', a=None), 'a must'),
    (dict(type='ArcFace', s='64'), 's must'),
    (dict(type='ElasticArcFace', seed=None), 'seed'),
    (dict(type='SphereFace2', bias=math.nan), 'bias'), (dict(type='SphereFace', m=1.5), 'whole'),
    (dict(type='SphereFace2', lam=1.0), 'lam'),
    (dict(type='RobustFace', noise_rate=1.0), 'noise_rate'), (dict(type='MVSoftmax', kind='x'), 'kind')])
def test_senseless_settings_are_refused(config, word):
    with pytest.raises(ValueError, match=word) as error:
        head_of(config)
    assert config['type'] in str(error.value)


def test_adacos_needs_three_classes():
    with pytest.raises(ValueError, match='AdaCos'):
        MarginHead(1, SIZE, dict(type='AdaCos'))


def test_spherefaces_bias_balances_at_chance():
    margin = head_of('SphereFace2').double().margin
    zero = torch.zeros(1, 1, dtype=torch.float64)
    pull = margin.positive_weight * torch.sigmoid(-margin.target_logit(zero[0], {}))
    push = margin.negative_weight * (CLASSES - 1) * torch.sigmoid(margin.other_logits(zero, {}))[0]
    torch.testing.assert_close(pull, push, rtol=1e-4, atol=0)


def test_a_plugin_may_override_the_target_alone():
    from mlaface.models.margins.base import Margin

    class Halved(Margin):
        def target_logit(self, target, context):
            return self.s * target / 2
    embeddings, labels = batch()
    head = MarginHead(CLASSES, SIZE, Halved(s=10.0), chunk_size=3).double()
    cosine = normalize(embeddings) @ normalize(head.weight).T
    logits = 10 * cosine.index_put((torch.arange(5), labels), cosine[torch.arange(5), labels] / 2)
    expected = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(head.loss(embeddings, labels)['loss'], expected)
