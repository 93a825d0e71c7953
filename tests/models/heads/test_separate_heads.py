"""Heads of sets that may share people: each sees its own samples, alone and on two ranks."""
import pytest
import torch

from mlaface.models.heads.margin_head import MarginHead
from mlaface.models.heads.separate_heads import SeparateHeads
from mlaface.utils.sharding import row_shard
from tests.engine.gloo import run_ranks

SPACES, SIZE = (5, 4, 6), 8


def heads(**options):
    return SeparateHeads(sum(SPACES), SPACES, dict(type='MarginHead', margin=dict(type='CosFace', s=8.0, m=0.2)),
                         embedding_size=SIZE, **options).double()


def batch(labels=(0, 4, 6, 2, 8, 7, 5, 3)):
    generator = torch.Generator().manual_seed(3)
    return (torch.randn(len(labels), SIZE, dtype=torch.float64, generator=generator, requires_grad=True),
            torch.tensor(labels))


def test_the_loss_is_the_mean_of_each_sample_in_its_own_head():
    both, (embeddings, labels) = heads(weights=[1, 0.5, 2], seed=2), batch()
    found = both.loss(embeddings, labels)
    expected = torch.zeros((), dtype=torch.float64)
    for number, (start, weight) in enumerate([(0, 1), (5, 0.5)]):
        alone = MarginHead(SPACES[number], SIZE, dict(type='CosFace', s=8.0, m=0.2), reduction='sum',
                           seed=2 + number).double()
        own = (labels >= start) & (labels < start + SPACES[number])
        expected += weight * alone.loss(embeddings[own], labels[own] - start)['loss'] / len(labels)
    torch.testing.assert_close(found['loss'], expected)
    torch.testing.assert_close(sum(found[f'loss_{number}'] for number in range(3)), expected.detach())
    assert found['loss_2'] == 0, 'nobody of the third set is in the batch'
    found['loss'].backward()
    assert embeddings.grad.abs().sum(1).min() > 0


def of_a_rank(rank, world):
    both, (embeddings, labels) = heads(), batch()
    mine = slice(0, 3) if rank == 0 else slice(3, None)
    own = embeddings.detach()[mine].requires_grad_()
    loss = both.loss(own, labels[mine])['loss']
    loss.backward()
    return dict(loss=loss.detach(), embeddings=own.grad, weight=both.heads[0].weight.grad,
                start=row_shard(both.heads[0].weight).start)


def test_two_ranks_are_one(tmp_path):
    both, (embeddings, labels) = heads(), batch()
    loss = both.loss(embeddings, labels)['loss']
    loss.backward()
    found = run_ranks(of_a_rank, 2, tmp_path)
    for result in found:
        torch.testing.assert_close(result['loss'], loss.detach())
    torch.testing.assert_close(torch.cat([result['embeddings'] for result in found]), embeddings.grad)
    torch.testing.assert_close(torch.cat([result['weight'] for result in found]), both.heads[0].weight.grad)


def test_what_is_refused():
    with pytest.raises(ValueError, match='MixedFaces'):
        SeparateHeads(5)
    with pytest.raises(ValueError, match='weights of at least 0'):
        heads(weights=[1, 2])
    embeddings, _ = batch()
    with pytest.raises(ValueError, match='label 15 is outside 0 .. 14'):
        heads().loss(embeddings, torch.tensor([15] * 8))


def test_the_losses_beside_a_margin_are_logged_for_each_set():
    embeddings, labels = batch()
    losses = [dict(type='CentroidPenalty', weight=0.5)]
    head = SeparateHeads(sum(SPACES), SPACES, dict(type='MarginHead', losses=losses), embedding_size=SIZE).double()
    found = head.loss(embeddings, labels)
    assert {'loss', 'loss_0', 'loss_1', 'loss_0_margin', 'loss_1_centroid_penalty'} <= set(found)
    assert all(value.dim() == 0 for value in found.values())
