"""What all ranks must agree on: when they begin and end, the gradient norm, and whether a step is taken."""
import gc
import os
import subprocess
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.nn import SyncBatchNorm
from torch.nn.modules.batchnorm import _BatchNorm

from mlaface.engine.optimizers.sparse import coalesced
from mlaface.utils.errors import InputError
from mlaface.utils.sharding import row_shard

PATIENCE = timedelta(days=30)  # as long as the ranks live: one that ends closes its connections, which all notice
_waiting = None  # the group over which ranks wait for each other


def world_size():
    """Ranks of the process group; 1 where there is none."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank():
    """This process's rank; 0 where there is no process group."""
    return dist.get_rank() if world_size() > 1 else 0


def state_ranks(launcher):
    """Let the environment say what torchrun says in it (``RANK``, ``MASTER_PORT``, ...) where Slurm started this rank.

    Args:
        launcher (str): 'none', 'pytorch' or 'slurm'; others than Slurm need nothing.

    Raises:
        InputError: If Slurm does not name the first node.
    """
    if launcher != 'slurm':
        return
    told = os.environ
    told.update(RANK=told['SLURM_PROCID'], WORLD_SIZE=told['SLURM_NTASKS'], LOCAL_RANK=told.get('SLURM_LOCALID', '0'))
    if 'MASTER_ADDR' not in told:
        nodes = told.get('SLURM_STEP_NODELIST') or told['SLURM_NODELIST']
        done = subprocess.run(['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True)
        if done.returncode or not done.stdout.split():
            raise InputError(f'scontrol does not name the nodes {nodes} ({done.stderr.strip()}): set MASTER_ADDR to '
                             'the first of them')
        told['MASTER_ADDR'] = done.stdout.split()[0]
    if 'MASTER_PORT' not in told:  # another one for each job and step: two may share a node
        told['MASTER_PORT'] = str(12000 + (int(told['SLURM_JOB_ID']) + 101 * int(told.get('SLURM_STEP_ID', 0))) % 20000)


def join_ranks(backend, **where):
    """Start the process group of this process.

    Args:
        backend (str): ``'gloo'`` or ``'nccl'``.
        where: Further arguments of ``torch.distributed.init_process_group``.
    """
    # Functions of this module have the default group as a default argument. Imported later, they would keep the group
    # beyond its end, and gloo's threads would meet an interpreter that shuts down: it aborts.
    import torch.distributed.nn.functional  # noqa: F401
    dist.init_process_group(backend, **where)


def let_wait():
    """Let ``barrier`` wait as long as all ranks live, whatever the timeout of their process group; all call it.

    What one rank does alone, such as a hook that measures after a validation, may take longer than the group's timeout
    (10 minutes with NCCL), which is there to end what hangs.
    """
    global _waiting
    if world_size() > 1:
        _waiting = dist.new_group(backend='gloo', timeout=PATIENCE)


def leave_ranks(wait=True):
    """End the process group, where there is one.

    What holds the group (a ``DistributedDataParallel`` model) should be let go of first: see ``join_ranks``.

    Args:
        wait (bool): When all ranks have come this far; False after an error, which others may not have met.
    """
    global _waiting
    if dist.is_available() and dist.is_initialized():
        try:
            if wait:
                barrier()
        finally:
            _waiting = None
            gc.collect()
            dist.destroy_process_group()


def barrier():
    """Wait for all ranks, where there are several; in training as long as they live (``let_wait``)."""
    if world_size() > 1:
        dist.barrier(group=_waiting)


def any_rank(flag, device='cpu'):
    """Whether a flag (bool) is set on any rank (bool); all ranks ask at the same time.

    Args:
        flag (bool): This rank's.
        device (str): Where the backend communicates.
    """
    if world_size() == 1:
        return flag
    shared = torch.tensor(int(flag), device=device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return bool(shared)


def gather_objects(value):
    """A small picklable value of every rank, in rank order, on all ranks.

    Args:
        value (object): This rank's.

    Returns:
        list: One entry a rank.
    """
    if world_size() == 1:
        return [value]
    barrier()
    values = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def moving_statistics(model):
    """Running means and variances that a step has moved by this rank's images alone.

    Args:
        model (nn.Module): The recognizer, as it has just trained; norms that are held, or synchronized, are left out.

    Returns:
        list[Tensor]: The same on all ranks, in one order.
    """
    norms = (part for part in model.modules() if isinstance(part, _BatchNorm) and not isinstance(part, SyncBatchNorm))
    return [buffer for norm in norms if norm.training and norm.track_running_stats
            for buffer in (norm.running_mean, norm.running_var)]


@torch.no_grad()
def average_statistics(model):
    """Give all ranks the mean of their running statistics, in one message: they train, validate and save one network.

    Done after each update, the statistics are a function of the images seen, and not of when a checkpoint was written.

    Args:
        model (nn.Module): The recognizer. Nothing happens where there is one rank.
    """
    statistics = moving_statistics(model) if world_size() > 1 else []
    if statistics:
        together = torch.cat([tensor.flatten() for tensor in statistics])
        dist.all_reduce(together)
        together /= world_size()
        parts = together.split([tensor.numel() for tensor in statistics])
        torch._foreach_copy_(statistics, [part.view_as(tensor) for part, tensor in zip(parts, statistics)])


def _gradient_values(parameters):
    """Dense tensors that hold the gradients' values, as ``(replicated, sharded)``; sparse ones are coalesced."""
    replicated, sharded = [], []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = coalesced(parameter.grad)
        values = parameter.grad._values() if parameter.grad.is_sparse else parameter.grad
        (replicated if row_shard(parameter) is None else sharded).append(values)
    return replicated, sharded


def _squared_norm(gradients, device):
    total = torch.zeros((), dtype=torch.float32, device=device)
    if gradients:
        norms = torch._foreach_norm(gradients, dtype=torch.float32)
        total += torch.stack([norm.to(device) for norm in norms]).square().sum()
    return total


@torch.no_grad()
def gradient_norm(parameters):
    """The Euclidean norm of the gradient of the whole model: as if no rank existed.

    Replicated parameters, whose gradients are equal on all ranks, count once; row-sharded ones count each rank's
    rows. All ranks must call it, and all get the same value. The value stays on its device: nothing waits for it.

    Args:
        parameters (Iterable[Tensor]): Parameters, with gradients dense or sparse by rows.

    Returns:
        Tensor: Scalar, float32.
    """
    parameters = list(parameters)
    device = parameters[0].device if parameters else torch.device('cpu')
    replicated, sharded = _gradient_values(parameters)
    total, alike = _squared_norm(sharded, device), _squared_norm(replicated, device)
    if world_size() > 1:
        total += alike * 0  # a replicated value that is broken on one rank only is seen by all
        dist.all_reduce(total)
    return (total + alike).sqrt()


@torch.no_grad()
def clip_grad_norm(parameters, max_norm):
    """Scale all gradients so that the norm over all ranks is at most ``max_norm``; nothing waits for the device.

    Args:
        parameters (Iterable[Tensor]): Parameters, with gradients dense or sparse by rows.
        max_norm (float): Largest norm, above 0.

    Returns:
        Tensor: Scalar, the norm before clipping. If it is not finite, gradients become not finite on every rank.

    Raises:
        ValueError: If ``max_norm`` is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f'max_norm is {max_norm}; it must be above 0')
    parameters = list(parameters)
    norm = gradient_norm(parameters)
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    replicated, sharded = _gradient_values(parameters)
    for gradients in (replicated, sharded):
        if gradients:
            torch._foreach_mul_(gradients, factor.to(gradients[0].device))
    return norm


class RankGradScaler(torch.amp.GradScaler):
    """A ``GradScaler`` whose ranks agree: an infinity on one rank skips the step, and lowers the scale, on all.

    With a sharded head the gradients differ between ranks, so one may overflow alone. Nothing else differs from
    torch's: same arguments, same state.
    """

    def unscale_(self, optimizer):
        """Divide the gradients by the scale and share with all ranks whether any value was not finite.

        Args:
            optimizer (torch.optim.Optimizer): Owner of the gradients.
        """
        super().unscale_(optimizer)
        if not self._enabled or world_size() == 1:
            return
        found = self._per_optimizer_states[id(optimizer)]['found_inf_per_device']
        device = self._scale.device
        flag = torch.zeros((), dtype=torch.float32, device=device)
        for value in found.values():
            flag = torch.maximum(flag, value.to(device))
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        found.setdefault(device, flag)
        for value in found.values():
            value.copy_(flag)
