"""Who looks like whom, told to the sampler of hard batches."""
import torch
from mmengine.hooks import Hook
from torch.nn.functional import normalize

from mlaface.engine.distributed import gather_objects, rank
from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS
from mlaface.utils.sharding import row_shard

BLOCK = 4096  # people whose cosines to others are held at once


@HOOKS.register_module()
class HardIdentityHook(Hook):
    """Finds, before an epoch, the nearest class centres of each identity, for ``HardIdentitySampler``.

    Each rank compares its own centres with those of one rank after the other. What was found is kept in checkpoints, as
    the sampler must know it in the middle of an epoch: a resumed run goes on with the same batches.

    Args:
        first_epoch (int): Epochs in which identities are drawn at random, while centres mean nothing. Default 1.
        every (int): Epochs between two searches. Default 1.
    """

    KEY = 'hard_identities'

    def __init__(self, first_epoch=1, every=1):
        if first_epoch < 0 or every < 1:
            raise ConfigError(f'HardIdentityHook: first_epoch must be at least 0 and every at least 1, got '
                              f'{first_epoch} and {every}')
        self.first_epoch, self.every = first_epoch, every
        self.neighbours = None

    def before_train(self, runner):
        """Tell the sampler what the checkpoint knew.

        Raises:
            ConfigError: If the sampler is another, or the head has no class centres.
        """
        sampler = runner.train_dataloader.sampler
        if not hasattr(sampler, 'tell'):
            raise ConfigError("HardIdentityHook: the sampler is a " + type(sampler).__name__ + ". Set "
                              "train_dataloader.sampler.type='HardIdentitySampler'")
        if row_shard(getattr(getattr(runner.bare_model, 'head', None), 'weight', None)) is None:
            raise ConfigError('HardIdentityHook needs a head with class centres of one label space: a MarginHead')
        sampler.tell(self.neighbours)

    def before_train_epoch(self, runner):
        """Search, where an epoch begins and a search is due."""
        loop = runner.train_loop
        if loop.position or loop.epoch < self.first_epoch or (loop.epoch - self.first_epoch) % self.every:
            return
        sampler = loop.dataloader.sampler
        count = min(sampler.near, len(sampler.people) - 1)
        self.neighbours = nearest_people(runner.bare_model.head, torch.as_tensor(sampler.people), count).numpy()
        sampler.tell(self.neighbours)
        runner.logger.info(f'the {count} nearest of {len(self.neighbours)} identities were found')

    def before_save_checkpoint(self, runner, checkpoint):
        """Keep what the sampler knows."""
        if self.neighbours is not None:
            checkpoint[self.KEY] = torch.as_tensor(self.neighbours)

    def after_load_checkpoint(self, runner, checkpoint):
        """Know again what was known; a checkpoint of a run without this hook knew nothing."""
        found = checkpoint.get(self.KEY)
        self.neighbours = None if found is None else found.numpy()


@torch.no_grad()
def nearest_people(head, people, count):
    """The nearest others of each of some classes, by the cosines of their centres. All ranks call it.

    Args:
        head (nn.Module): Its ``weight`` carries ``row_shard``; of several centres a class the mean counts.
        people (Tensor): Classes to compare, int64 (M,), ascending.
        count (int): How many.

    Returns:
        Tensor: int32 (M, count) on the CPU, the same on all ranks: places in ``people``, the nearest first.
    """
    if getattr(head, 'row_hook', None) is not None:
        head.row_hook(None)
    shard = row_shard(head.weight)
    first, last = (torch.searchsorted(people, end // shard.per_class) for end in (shard.start, shard.stop))
    centres = normalize(normalize(head.weight.float()).view(-1, shard.per_class, head.weight.shape[1]).mean(1))
    own = centres[people[first:last].to(centres.device) - shard.start // shard.per_class]
    spans = gather_objects((int(first), int(last)))
    values = own.new_full((len(own), count), -torch.inf)
    places = torch.zeros(values.shape, dtype=torch.int64, device=own.device)
    for source, (start, stop) in enumerate(spans):
        others = own.clone() if source == rank() else own.new_empty(stop - start, own.shape[1])
        if len(spans) > 1:
            torch.distributed.broadcast(others, src=source)
        for other in range(0, len(others), BLOCK):
            for row in range(0, len(own), BLOCK):
                _compare(values[row:row + BLOCK], places[row:row + BLOCK], own[row:row + BLOCK],
                         others[other:other + BLOCK], int(first) + row, start + other)
    return torch.cat(gather_objects(places.int().cpu()))


def _compare(values, places, own, others, first, start):
    """Keep the largest cosines so far of ``own``, from place ``first`` on, to ``others``, from place ``start`` on."""
    cosines = own @ others.T
    numbers = torch.arange(start, start + len(others), device=own.device)
    cosines[numbers == torch.arange(first, first + len(own), device=own.device)[:, None]] = -torch.inf
    best, kept = torch.cat([values, cosines], 1).topk(values.shape[1], dim=1)
    places.copy_(torch.cat([places, numbers.expand(len(own), -1)], 1).gather(1, kept))
    values.copy_(best)
