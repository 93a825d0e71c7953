"""Symmetries of every margin: names of classes, order of samples, the axes of the space are nobody's business."""
import copy

import pytest
import torch

from mlaface.models.heads.margin_head import MarginHead
from mlaface.registry import MARGINS

CLASSES, SIZE, COUNT = 9, 6, 7
DRAWING = ('ElasticArcFace', 'ElasticCosFace')  # margins of their own draws, which follow the order of samples


def batch(seed=0):
    """Samples at different angles, below those that AdaCos takes for one, to the centre of a class that has one."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(CLASSES * 3, SIZE, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, CLASSES, (COUNT,), generator=generator)
    noise = torch.randn(COUNT, SIZE, dtype=torch.float64, generator=generator)
    embeddings = 9 * weight[labels] + 9 * torch.linspace(0.6, 0.1, COUNT, dtype=torch.float64)[:, None] * noise
    return embeddings, labels, weight


def head_of(name, weight, reduction='mean'):
    head = MarginHead(CLASSES, SIZE, dict(type=name), reduction=reduction).double()
    with torch.no_grad():
        head.weight.copy_(weight[:len(head.weight)])
    return head


def results(name, embeddings, labels, weight, reduction='mean'):
    """Loss, gradients of embeddings and weight, and the statistics after the step."""
    head, own = head_of(name, weight, reduction), embeddings.clone().requires_grad_()
    loss = head.loss(own, labels)['loss']
    loss.sum().backward()
    state = {key: value.clone() for key, value in head.margin.named_buffers()}
    return loss.detach(), own.grad, head.weight.grad, state


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize('name', MARGINS.names())
def test_the_numbers_of_classes_are_names(name):
    embeddings, labels, weight = batch()
    order = torch.randperm(CLASSES, generator=torch.Generator().manual_seed(1))
    per_class = head_of(name, weight).margin.centers_per_class
    rows = (order[:, None] * per_class + torch.arange(per_class)).flatten()
    loss, gradient, of_weight, state = results(name, embeddings, labels, weight)
    again, other, of_other, other_state = results(name, embeddings, order.argsort()[labels], weight[rows])
    close(again, loss)
    close(other, gradient)
    close(of_other, of_weight[rows])
    close(other_state, state)


@pytest.mark.parametrize('name', [name for name in MARGINS.names() if name not in DRAWING])
def test_the_order_of_samples_changes_nothing(name):
    embeddings, labels, weight = batch()
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(2))
    loss, gradient, of_weight, state = results(name, embeddings, labels, weight, 'none')
    again, other, of_other, other_state = results(name, embeddings[order], labels[order], weight, 'none')
    close(again, loss[order])
    close(other, gradient[order])
    close(of_other, of_weight)
    close(other_state, state)


@pytest.mark.parametrize('name', MARGINS.names())
def test_turning_the_space_turns_the_gradients(name):
    embeddings, labels, weight = batch()
    turn = torch.linalg.qr(torch.randn(SIZE, SIZE, dtype=torch.float64,
                                       generator=torch.Generator().manual_seed(3)))[0]
    loss, gradient, of_weight, _ = results(name, embeddings, labels, weight)
    again, other, of_other, _ = results(name, embeddings @ turn, labels, weight @ turn)
    close(again, loss)
    close(other, gradient @ turn)
    close(of_other, of_weight @ turn)


@pytest.mark.parametrize('name', MARGINS.names())
def test_evaluation_moves_no_statistics_and_gives_the_same_twice(name):
    embeddings, labels, weight = batch()
    head = head_of(name, weight).eval()
    before = copy.deepcopy(head.margin.state_dict())
    drawn = torch.full((COUNT,), 0.4, dtype=torch.float64) if name in DRAWING else None
    first, second = (head.loss(embeddings, labels, drawn=drawn)['loss'] for _ in range(2))
    assert torch.equal(first, second) and first.isfinite()
    for key, value in head.margin.state_dict().items():
        assert torch.equal(value, before[key]) if torch.is_tensor(value) else value == before[key]


@pytest.mark.parametrize('name', MARGINS.names())
def test_gradients_of_the_centres_of_cosines_are_tangent(name):
    """A centre's length is of no consequence where columns are cosines: no gradient points along it."""
    embeddings, labels, weight = batch()
    head = head_of(name, weight)
    if not head.margin.normalized:
        pytest.skip('takes raw products')
    _, gradient, of_weight, _ = results(name, embeddings, labels, weight)
    along = (of_weight * weight[:len(of_weight)]).sum(1) / weight[:len(of_weight)].norm(dim=1)
    assert along.abs().max() < 1e-9 * max(1, of_weight.abs().max())
    if not head.margin.needs_norms and not head.margin.needs_embeddings:
        assert (gradient * embeddings).sum(1).abs().max() < 1e-9
