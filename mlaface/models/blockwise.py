"""Slices of a batch that stay in a core's cache, and what a map must be like for work by slices to pay."""
import torch

BLOCK_ELEMENTS = 1 << 19  # two megabytes of float32: more in a cache costs less than more calls of operators
HALF = torch.bfloat16, torch.float16


def blocks(x):
    """Slices of the batch, each of about ``BLOCK_ELEMENTS`` numbers."""
    count = max(1, BLOCK_ELEMENTS // max(1, x[0].numel())) if len(x) else 1
    return [slice(start, start + count) for start in range(0, len(x), count)]


def is_channels_last(x):
    """Whether a map lies in channels-last memory, and not in both layouts at once, as one of one channel or place."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def rows(x):
    """A map in channels-last memory as (N, places, C)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def trains_eagerly_on_cpu(x):
    """Whether a map's gradient will be asked for, on CPU and by nothing that must see torch's own operators."""
    return (x.device.type == 'cpu' and x.dim() == 4 and torch.is_grad_enabled() and x.requires_grad
            and not torch.compiler.is_compiling() and not torch.jit.is_tracing())


def fits(dtype, weight):
    """Whether maps of a type are for weights of this one: the same, or what autocast makes of it."""
    half = torch.is_autocast_enabled('cpu') and dtype in HALF
    return dtype == weight or half and weight == torch.float32
