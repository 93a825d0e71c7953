"""One run of a real head on 4, then 2, then 3, then 1 rank: its losses are those of an uninterrupted run."""
import pytest
import torch

from mlaface.engine.checkpoint.rows import load_rows, save_rows
from mlaface.engine.optimizers.adamw import RowAdamW
from mlaface.engine.optimizers.sgd import RowSGD
from mlaface.models.heads.margin_head import MarginHead
from tests.engine.gloo import run_ranks

CLASSES, SIZE, STEPS = 11, 6, 3
OPTIMIZERS = dict(sgd=lambda p: RowSGD(p, lr=0.1, momentum=0.9, weight_decay=0.01), adamw=lambda p: RowAdamW(p, lr=0.1))


def train(head, optimizer, rank, world, first):
    """Losses of some steps on one global batch of 12, shared out evenly."""
    losses = []
    for step in range(first, first + STEPS):
        generator = torch.Generator().manual_seed(step)
        embeddings = torch.randn(12, SIZE, generator=generator, dtype=torch.float64)
        labels = torch.randint(CLASSES, (12,), generator=generator)
        mine = slice(12 // world * rank, 12 // world * (rank + 1))
        optimizer.zero_grad()
        loss = head.loss(embeddings[mine], labels[mine])['loss']
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def part(rank, world, folder, margin, kind, first):
    head = MarginHead(CLASSES, SIZE, dict(type=margin), chunk_size=2).double()
    optimizer = OPTIMIZERS[kind](head.parameters())
    if first:
        load_rows(folder / f'{first}.rows', head, optimizer)
        head.margin.load_state_dict(torch.load(folder / f'{first}.pth'), strict=False)
    losses = train(head, optimizer, rank, world, first)
    save_rows(folder / f'{first + STEPS}.rows', head, optimizer, piece=100)
    if rank == 0:
        torch.save(dict(head.margin.named_buffers()), folder / f'{first + STEPS}.pth')
    return losses


@pytest.mark.slow
@pytest.mark.parametrize('margin, kind', [
    ('CurricularFace', 'sgd'), pytest.param('AdaMSoftmax', 'sgd', marks=pytest.mark.slow),
    pytest.param('SubCenterArcFace', 'adamw', marks=pytest.mark.slow)])
def test_losses_do_not_tell_on_how_many_ranks_they_were_made(margin, kind, tmp_path):
    head = MarginHead(CLASSES, SIZE, dict(type=margin)).double()
    optimizer = OPTIMIZERS[kind](head.parameters())
    for number, world in enumerate((4, 2, 3, 1)):
        expected = train(head, optimizer, 0, 1, number * STEPS)
        for losses in run_ranks(part, world, tmp_path / f'run{number}', tmp_path, margin, kind, number * STEPS):
            assert losses == pytest.approx(expected, rel=1e-9)
