"""Losses beside the margin: formulas, one rank and two, weights, what is drawn."""
import numpy as np
import pytest
import torch
from torch.nn import functional

from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.losses import _teacher
from mlaface.models.losses.base import FaceLoss, short_name
from mlaface.models.losses.relational_distillation import angles, relative_distances
from mlaface.registry import LOSSES
from mlaface.utils.errors import InputError, UnknownNameError
from tests.engine.gloo import run_ranks
from tests.models.heads.test_margin_head import AsksTheDevice

CLASSES, SIZE = 6, 8
LABELS = torch.tensor([0, 0, 1, 1, 4, 4, 5, 5, 0, 1])


class Scene:
    """A teacher that embeds an image as its first numbers."""

    def embed(self, images):
        return images.reshape(len(images), -1)[:, :SIZE].astype(np.float32) - 128


class Opener:
    @staticmethod
    def open_network(name, device):
        assert name == 'scene.onnx'
        return Scene()


def name_teacher(patch):
    patch.setattr(_teacher, 'import_module', lambda name: Opener)


@pytest.fixture(autouse=True)
def _teacher_by_name(monkeypatch):
    name_teacher(monkeypatch)


@LOSSES.register_module()
class DrawnScale(FaceLoss):
    """Draws, and has a parameter."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(SIZE, dtype=torch.float64))

    def forward(self, embeddings, labels):
        return (embeddings * torch.rand(SIZE) * self.factor).square().mean()


def batch():
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (len(LABELS), 3, 8, 8), generator=generator, dtype=torch.uint8)
    return torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=generator), images


OWN = [dict(type='RelationalDistillation', teacher='scene.onnx', weight=0.7),
       dict(type='CosineDistillation', teacher='scene.onnx', weight=2), dict(type='CentroidPenalty', weight=0.3),
       dict(type='DrawnScale', weight=0.5, name='drawn')]
TRIPLETS = [dict(type='pml.TripletMarginLoss', weight=0.1, margin=0.2, miner=dict(type='pml.MultiSimilarityMiner'),
                 distance=dict(type='pml.CosineSimilarity')),
            dict(type='pml.ContrastiveLoss', weight=0.2),
            dict(type='pml.ProxyAnchorLoss', num_classes=CLASSES, embedding_size=SIZE, weight=0.1)]


def head(losses, **options):
    torch.manual_seed(5)  # of proxies
    return MarginHead(CLASSES, SIZE, dict(type='ArcFace', s=8.0, m=0.2), losses=losses, seed=2, **options).double()


def step(made, embeddings, labels, images):
    embeddings = embeddings.clone().requires_grad_()
    found = made.loss(embeddings, labels, images=images)
    found['loss'].backward()
    return dict({name: value.detach() for name, value in found.items()}, gradient=embeddings.grad,
                weight=made.weight.grad, parameters=[p.grad for p in made.terms.parameters()])


def on_rank(rank, world, losses):
    name_teacher(pytest.MonkeyPatch())  # in a process of its own, which ends with this
    embeddings, images = batch()
    mine = slice(0, 3) if rank == 0 else slice(3, None)
    made = head(losses)
    for _ in range(2):  # draws differ from step to step
        made.zero_grad()
        found = step(made, embeddings[mine], LABELS[mine], images[mine])
    return found


def test_losses_wait_for_no_device_and_are_the_formulas_that_do():
    """The classes of a batch, and the pairs of its images, without a shape that depends on values; bit for bit."""
    labels, cosine = LABELS, torch.rand(len(LABELS), requires_grad=True)
    embeddings = functional.normalize(batch()[0]).requires_grad_()
    _, place, count = torch.unique(labels, return_inverse=True, return_counts=True)
    penalty = ((1 - cosine) / count[place]).sum() / len(count)
    apart = ~torch.eye(len(labels), dtype=torch.bool)
    squared = (2 - 2 * embeddings @ embeddings.T).clamp(min=1e-12)
    distances = torch.where(apart, squared, 1.0).sqrt() * apart
    expected = [penalty, distances / distances[apart].mean()]
    with AsksTheDevice():
        held = LOSSES.build(dict(type='CentroidPenalty'))
        found = [held(None, labels, cosine=cosine), relative_distances(embeddings)]
        slopes = [torch.autograd.grad(each.square().sum(), leaf)[0] for each, leaf in zip(found, (cosine, embeddings))]
    for each, other, slope, leaf in zip(found, expected, slopes, (cosine, embeddings)):
        assert torch.equal(each, other) and torch.equal(slope, torch.autograd.grad(other.square().sum(), leaf)[0])


def check_ranks(losses, folder):
    made, (embeddings, images) = head(losses), batch()
    for _ in range(2):
        made.zero_grad()
        whole = step(made, embeddings, LABELS, images)
    found = run_ranks(on_rank, 2, folder, losses)
    for name in [key for key in whole if key.startswith('loss')]:
        for result in found:
            torch.testing.assert_close(result[name], whole[name])
    for name in ('gradient', 'weight'):
        torch.testing.assert_close(torch.cat([result[name] for result in found]), whole[name])
    for number, gradient in enumerate(whole['parameters']):  # what DDP sums
        torch.testing.assert_close(sum(result['parameters'][number] for result in found), gradient)
    return whole


def test_two_ranks_are_one_rank_with_the_whole_batch(tmp_path):
    whole = check_ranks(OWN, tmp_path)
    parts = [whole[f'loss_{name}'] for name in ('relational_distillation', 'cosine_distillation', 'centroid_penalty',
                                                'drawn')]
    weighted = sum(weight * part for weight, part in zip([0.7, 2, 0.3, 0.5], parts))
    torch.testing.assert_close(whole['loss'], whole['loss_margin'] + weighted)


def test_metric_losses_on_two_ranks_are_those_of_one(tmp_path):
    pytest.importorskip('pytorch_metric_learning')
    whole = check_ranks(TRIPLETS, tmp_path)
    assert {'loss_triplet_margin', 'loss_contrastive', 'loss_proxy_anchor'} <= whole.keys()


def test_metric_losses_are_those_of_the_library():
    losses = pytest.importorskip('pytorch_metric_learning.losses')
    embeddings, _ = batch()
    built = LOSSES.build(dict(type='pml.TripletMarginLoss', margin=0.3))
    torch.testing.assert_close(built(embeddings, LABELS), losses.TripletMarginLoss(margin=0.3)(embeddings, LABELS))
    with pytest.raises(UnknownNameError, match="did you mean 'TripletMarginLoss'"):
        LOSSES.build(dict(type='pml.TripletMarginLos'))
    with pytest.raises(TypeError, match="no argument 'margn'; did you mean 'margin'"):
        LOSSES.build(dict(type='pml.TripletMarginLoss', margn=1))


def test_relations_are_those_of_the_paper():
    """Equations 6 to 10 of Park et al., written out."""
    found = functional.normalize(batch()[0][:5])
    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    mean = sum((found[i] - found[j]).norm() for i, j in pairs) / len(pairs)
    for i, j in pairs:
        torch.testing.assert_close(relative_distances(found)[i, j], (found[i] - found[j]).norm() / mean)
        for k in range(5):
            if k not in (i, j):
                expected = functional.cosine_similarity(found[i] - found[j], found[k] - found[j], dim=0)
                torch.testing.assert_close(angles(found)[j, i, k], expected)
    loss = LOSSES.build(dict(type='RelationalDistillation', teacher='scene.onnx'))
    embeddings = batch()[0].requires_grad_()
    assert loss(embeddings, LABELS, targets=3 * embeddings.detach()) < 1e-20
    loss(embeddings, LABELS, targets=torch.randn(10, 3).double()).backward()
    assert embeddings.grad.isfinite().all(), 'of an image to itself'
    same = torch.ones(4, SIZE, requires_grad=True)
    loss(same, LABELS[:4], targets=torch.randn(4, 3)).backward()
    assert same.grad.isfinite().all()


def test_the_penalty_counts_classes_once():
    cosine = torch.tensor([1.0, 0.0, 0.5])
    loss = LOSSES.build(dict(type='CentroidPenalty'))
    assert loss(None, torch.tensor([3, 3, 1]), cosine=cosine) == pytest.approx((0.5 + 0.5) / 2)


def test_what_is_drawn_goes_on_where_it_was():
    embeddings, images = batch()
    first, second = head(OWN[3:]), head(OWN[3:])
    values = [float(first.loss(embeddings, LABELS)['loss_drawn']) for _ in range(3)]
    second.load_state_dict(first.state_dict())
    assert len(set(values)) == 3
    before = torch.get_rng_state()
    fourth = [made.loss(embeddings, LABELS)['loss_drawn'] for made in (first, second)]
    assert fourth[0] == fourth[1] and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize('losses, options, message', [
    ([dict(type='CentroidPenalty', weight=-1)], {}, 'weight of centroid_penalty is -1'),
    ([dict(type='CentroidPenalty')] * 2, {}, 'two have the name'),
    ([dict(type='CentroidPenalty', name='margin')], {}, "'margin' is what the head calls"),
    ([dict(type=torch.nn.Identity)], {}, 'no loss of embeddings'),
    ([dict(type='CentroidPenalty')], dict(reduction='sum'), "reduction='mean'"),
    ([dict(type='CosineDistillation', teacher=None)], {}, 'name a model'),
    ([dict(type='RelationalDistillation', teacher='x', angle=-1)], {}, 'angle=-1')])
def test_what_is_refused(losses, options, message):
    with pytest.raises(ValueError, match=message):
        head(losses, **options)


def test_a_teacher_of_another_size_and_a_missing_image_are_told():
    embeddings, images = batch()
    with pytest.raises(InputError, match='RelationalDistillation'):
        LOSSES.build(dict(type='CosineDistillation', teacher='t'))(embeddings, LABELS, targets=torch.zeros(10, 3))
    with pytest.raises(ValueError, match='needs the images'):
        head(OWN[:1]).loss(embeddings, LABELS)
    with pytest.raises(ValueError, match='raw products'):
        MarginHead(CLASSES, SIZE, dict(type='Softmax'), losses=[dict(type='CentroidPenalty')])


def test_names_in_the_log():
    assert [short_name(name) for name in ('pml.TripletMarginLoss', 'CosineDistillation', 'pml.NTXentLoss')] == [
        'triplet_margin', 'cosine_distillation', 'ntxent']
