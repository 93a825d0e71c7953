"""One rank of the sharded test: every margin, compared with the whole head on one process."""
import copy
import warnings

import torch
import torch.distributed as dist

from mlaface.models.heads.margin_head import MarginHead
from mlaface.registry import MARGINS
from mlaface.utils.sharding import split_rows

CLASSES, SIZE = 11, 8
TIGHT = dict(rtol=1e-6, atol=1e-9)


def batch(world, step):
    """A ragged global batch: one rank has nothing after the first step; rank 0's classes are never positive."""
    generator = torch.Generator().manual_seed(step)
    sizes = [3 + rank for rank in range(world)]
    if step and world > 1:
        sizes[-step % world] = 0
    embeddings = torch.randn(sum(sizes), SIZE, dtype=torch.float64, generator=generator) * 20
    labels = torch.randint(split_rows(CLASSES, 0, world).stop if world > 1 else 0, CLASSES, (sum(sizes),),
                           generator=generator)
    labels[0] = labels[-1]
    return embeddings, labels, sizes


class SameSample:
    """Gives the whole head the classes that all ranks sampled."""

    def __init__(self, head):
        self.head, self.classes, self.size = head, CLASSES, CLASSES
        self.mine, head.sampler.sample = head.sampler.sample, self.remember

    def remember(self, *args):
        rows = self.mine(*args)
        self.local = torch.zeros(CLASSES, dtype=torch.int64)
        self.local[rows + self.head.shard.start] = 1
        return rows

    def sample(self, *_):
        everyone = self.local.clone()
        dist.all_reduce(everyone)
        return everyone.nonzero()[:, 0]


def compare(rank, world, margin, alone, steps, **options):
    """Training steps of the sharded and of the whole head."""
    sharded = MarginHead(CLASSES, SIZE, dict(type=margin), seed=5, **options).double()
    whole = MarginHead(CLASSES, SIZE, dict(type=margin), seed=5, group=alone).double()
    if sharded.sampler is not None:
        whole.sampler = SameSample(sharded)
    rows = slice(sharded.weight.row_shard.start, sharded.weight.row_shard.stop)
    assert torch.equal(sharded.weight, whole.weight[rows]), 'start values depend on the number of ranks'
    for step in steps:
        embeddings, labels, sizes = batch(world, step)
        mine = slice(sum(sizes[:rank]), sum(sizes[:rank + 1]))
        own = embeddings[mine].clone().requires_grad_()
        every = embeddings.clone().requires_grad_()
        sharded.zero_grad(), whole.zero_grad()
        loss, expected = sharded.loss(own, labels[mine])['loss'], whole.loss(every, labels)['loss']
        loss.backward(), expected.backward()
        torch.testing.assert_close(loss, expected, **TIGHT)
        torch.testing.assert_close(own.grad, every.grad[mine], **TIGHT)
        gradient, of_whole = (head.weight.grad.to_dense() if head.sampler else head.weight.grad
                              for head in (sharded, whole))
        torch.testing.assert_close(gradient, of_whole[rows], **TIGHT)
        torch.testing.assert_close(sharded.logits(own, labels[mine]), whole.logits(every, labels)[mine], **TIGHT)
        compare_margins(sharded, whole)


def compare_margins(sharded, whole):
    for (name, one), (_, other) in zip(sharded.margin.named_parameters(), whole.margin.named_parameters()):
        if name in sharded.margin.class_parameters:
            gradient, expected = one.grad, other.grad[one.row_shard.start:one.row_shard.stop]
        else:
            gradient, expected = one.grad.clone(), other.grad
            dist.all_reduce(gradient)
        torch.testing.assert_close(gradient, expected, **TIGHT)
    for (name, one), (_, other) in zip(sharded.margin.named_buffers(), whole.margin.named_buffers()):
        torch.testing.assert_close(one, other, msg=name, **TIGHT)
        least, most = one.double().clone(), one.double().clone()
        dist.all_reduce(least, dist.ReduceOp.MIN), dist.all_reduce(most, dist.ReduceOp.MAX)
        assert torch.equal(least, most), f'{name} differs between ranks'


def faults(rank, world):
    """All ranks raise when one has a bad batch; too few classes are refused; copies keep their ranks."""
    head = MarginHead(CLASSES, SIZE)
    labels = torch.tensor([CLASSES if rank == world - 1 else 0])
    try:
        head.loss(torch.ones(1, SIZE), labels)
    except ValueError as error:
        assert f'label {CLASSES}' in str(error) and f'{CLASSES} classes' in str(error), error
    else:
        raise AssertionError('a label out of range passed')
    if world > 1:
        try:
            MarginHead(world - 1, SIZE)
        except ValueError as error:
            assert f'{world} ranks' in str(error)
        else:
            raise AssertionError('fewer classes than ranks passed')
    assert copy.deepcopy(head).ranks is head.ranks


def sampled(rank, world):
    """Positives always take part; the gradient is sparse, local and distinct; ranks agree on the loss."""
    head = MarginHead(40, SIZE, sample_rate=0.5, chunk_size=4)
    rows = []
    head.row_hook = rows.append
    labels = torch.arange(4) + 4 * rank
    loss = head.loss(torch.randn(4, SIZE, requires_grad=True), labels)['loss']
    loss.backward()
    losses = head.ranks.stack(loss.detach()[None]) if world > 1 else loss
    assert (losses == losses.flatten()[0]).all()
    gradient = head.weight.grad
    assert gradient.is_sparse
    found = gradient._indices()[0]
    assert torch.equal(found, rows[0]) and len(found.unique()) == len(found)
    every = torch.arange(4 * world)
    mine = every[(every >= head.shard.start) & (every < head.shard.stop)] - head.shard.start
    assert torch.isin(mine, found).all()
    assert len(found) == max(len(mine), round(0.5 * head.shard.rows))


def compare_all(rank, world):
    """Every margin on this rank, whole, chunked and sampled."""
    warnings.simplefilter('ignore')  # more positives than the sample: stated elsewhere
    groups = [dist.new_group([member]) for member in range(world)]
    for margin in MARGINS.names():
        try:
            compare(rank, world, margin, groups[rank], (0, 1))
            compare(rank, world, margin, groups[rank], (2,), chunk_size=2)
            compare(rank, world, margin, groups[rank], (0, 2), chunk_size=2, sample_rate=0.7)
        except Exception as error:
            raise AssertionError(f'{margin} on rank {rank} of {world}') from error
    faults(rank, world)
    sampled(rank, world)
