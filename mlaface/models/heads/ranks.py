"""The few collectives of a sharded head, with gradients that sum over ranks to the true one."""
import torch
import torch.distributed as dist
from torch.autograd import Function

# torch 2.13 renamed them
_all_gather = getattr(dist, 'all_gather_single', None) or getattr(dist, 'all_gather_into_tensor', None)
_reduce_scatter = getattr(dist, 'reduce_scatter_single', None) or getattr(dist, 'reduce_scatter_tensor', None)


class Ranks:
    """The ranks that share one head; every method is a no-op on a single process.

    What all ranks compute alike from the global batch has the same whole gradient on every rank; what a rank computes
    from its own classes has a partial gradient. ``share`` turns the first kind into an equal share of it, so that in
    the end gradients are always summed over ranks, and no factor of the number of ranks appears.

    Args:
        group (ProcessGroup | None): The ranks. Default: the default group where it is initialised, else one process.
    """

    def __init__(self, group=None):
        self.group = group
        active = dist.is_available() and dist.is_initialized()
        self.size = dist.get_world_size(group) if active else 1
        self.rank = dist.get_rank(group) if active else 0
        self._host_group = None

    def __deepcopy__(self, memo):
        return self  # a copy of a model (an average of weights) talks to the same ranks

    def batch_sizes(self, count):
        """Batch sizes of all ranks, list[int]; exchanged between hosts, so that no device is waited for."""
        if self.size == 1:
            return [count]
        counts = torch.zeros(self.size, dtype=torch.int64)
        _all_gather(counts, torch.tensor([count]), group=self._hosts())
        return counts.tolist()

    def _hosts(self):
        if 'gloo' in dist.get_backend(self.group):
            return self.group
        if self._host_group is None:
            self._host_group = dist.new_group(dist.get_process_group_ranks(self.group), backend='gloo')
        return self._host_group

    def gather(self, tensor, sizes):
        """Rows of all ranks in rank order, (sum of sizes, ...); the gradient is summed back to its rank."""
        return tensor if self.size == 1 else _Gather.apply(tensor, sizes, self)

    def sum(self, tensor):
        """Sum over ranks; each rank's addend takes the whole gradient."""
        return tensor if self.size == 1 else _Sum.apply(tensor, self)

    def log_sum_exp(self, tensor):
        """Log of the sum over ranks of ``exp(tensor)``, exact at any size; two all-reduces of (N,)."""
        return tensor if self.size == 1 else _LogSumExp.apply(tensor, self)

    def share(self, tensor):
        """The tensor itself; its gradient, equal on all ranks, becomes this rank's share of it."""
        return tensor if self.size == 1 else _Share.apply(tensor, self.size)

    def sum_in_place(self, tensors):
        """Add up a list of small tensors over ranks with one all-reduce, without gradient."""
        if self.size == 1 or not tensors:
            return
        packed = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(packed, group=self.group)
        for tensor, total in zip(tensors, packed.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(total.view_as(tensor))

    def stack(self, tensor):
        """Tensors of all ranks, of one shape, as (ranks, ...), without gradient."""
        tensor = tensor.contiguous()
        everyone = tensor.new_empty((self.size * tensor.shape[0], *tensor.shape[1:]))
        _all_gather(everyone, tensor, group=self.group)
        return everyone.view(self.size, *tensor.shape)


def _padded(tensor, rows):
    """The tensor with zero rows appended up to ``rows``."""
    missing = rows - tensor.shape[0]
    return torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])]) if missing else tensor


class _Gather(Function):
    @staticmethod
    def forward(ctx, tensor, sizes, ranks):
        ctx.sizes, ctx.ranks = sizes, ranks
        everyone = ranks.stack(_padded(tensor, max(sizes)))
        return torch.cat([rows[:size] for rows, size in zip(everyone, sizes)])

    @staticmethod
    def backward(ctx, gradient):
        ranks, sizes = ctx.ranks, ctx.sizes
        if 'nccl' in dist.get_backend(ranks.group):
            parts = torch.cat([_padded(part, max(sizes)) for part in gradient.split(sizes)])
            own = parts.new_empty((max(sizes), *parts.shape[1:]))
            _reduce_scatter(own, parts, group=ranks.group)
            return own[:sizes[ranks.rank]], None, None
        total = gradient.contiguous().clone()
        dist.all_reduce(total, group=ranks.group)
        return total.split(sizes)[ranks.rank], None, None


class _Sum(Function):
    @staticmethod
    def forward(ctx, tensor, ranks):
        total = tensor.contiguous().clone()
        dist.all_reduce(total, group=ranks.group)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class _LogSumExp(Function):
    @staticmethod
    def forward(ctx, tensor, ranks):
        most = tensor.contiguous().clone()
        dist.all_reduce(most, dist.ReduceOp.MAX, group=ranks.group)
        most.clamp_(min=torch.finfo(most.dtype).min)  # -inf where no rank has another class
        total = torch.exp(tensor - most)
        dist.all_reduce(total, group=ranks.group)
        total = total.log_().add_(most)
        ctx.save_for_backward(tensor, total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        tensor, total = ctx.saved_tensors
        floor = torch.finfo(total.dtype).min
        return gradient * torch.exp(tensor - total.clamp(min=floor)), None


class _Share(Function):
    @staticmethod
    def forward(ctx, tensor, size):
        ctx.size = size
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx, gradient):
        return gradient / ctx.size, None
