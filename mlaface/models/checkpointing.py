"""Gradient checkpointing that leaves BatchNorm's running statistics as they would be without it."""
import contextlib

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextlib.contextmanager
def frozen_statistics(module):
    """Keep running statistics and step counts of every BatchNorm in ``module`` while the block runs.

    Momentum 0 rather than ``track_running_stats=False``: the recomputed graph must save the same tensors.
    """
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, kept):
            norm.momentum, norm.num_batches_tracked = momentum, tracked


def run_checkpointed(module, x):
    """``module(x)`` whose activations are computed again in the backward pass instead of held.

    Args:
        module (nn.Module): A block, tensor in, tensor out.
        x (Tensor): Its input.

    Returns:
        Tensor: The same output, gradients and running statistics as ``module(x)``.
    """
    if torch.compiler.is_compiling():  # the compiler recomputes values only, never the updates of buffers
        return checkpoint(module, x, use_reentrant=False)
    return checkpoint(module, x, use_reentrant=False,
                      context_fn=lambda: (contextlib.nullcontext(), frozen_statistics(module)))
