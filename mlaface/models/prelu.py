"""PReLU (He et al., ICCV 2015, eq. 8 to 10) that stays in the cache on CPU.

torch's own backward pass writes the slope's gradient per element and sums it afterwards: tensors of the map's size that
go through memory. Here it is one compiled pass (``kernels.prelu``) where that can be used; else a block of images is
read once, and what is in between is never larger than the block. Half types in channels-last memory cost torch many
times float32 where the channels do not fill a vector register.
"""
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from mlaface.models.blockwise import blocks, fits, is_channels_last, trains_eagerly_on_cpu
from mlaface.models.kernels import kernels

VECTOR = 32  # numbers of a half type in a register


def _compiled(x):
    """Kernels for a map, or None."""
    return kernels('prelu', x) if is_channels_last(x) else None


def _forward(x, slope):
    """PReLU of a map (N, C, H, W), slope (C, 1, 1) of its type."""
    by_torch = x.element_size() > 2 or x.is_contiguous() or x.shape[1] % VECTOR == 0
    if by_torch:
        return torch.prelu(x, slope.flatten())
    if compiled := _compiled(x):
        return compiled.forward(x, slope.flatten())
    out = torch.empty_like(x)  # torch's kernel goes number by number here
    for block in blocks(x):
        torch.mul(x[block].clamp(max=0), slope, out=out[block])
        out[block].add_(x[block].clamp(min=0))  # one of the two is zero: nothing is rounded
    return out


class _BlockwisePReLU(torch.autograd.Function):
    """PReLU whose backward pass goes through blocks of images."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return _forward(x, weight.to(x.dtype).view(-1, 1, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        slope = weight.to(x.dtype).view(-1, 1, 1)
        if compiled := _compiled(x):
            grad = grad.contiguous(memory_format=torch.channels_last)
            grad_x, grad_weight = compiled.backward(x, grad, slope.flatten())
            return grad_x, grad_weight.to(weight.dtype)
        grad_x, grad_weight = torch.empty_like(x), torch.zeros_like(weight)
        for block in blocks(x):
            out = grad_x[block]
            torch.ops.aten.threshold_backward.grad_input(grad[block], x[block], 0, grad_input=out)
            below = grad[block] - out  # the gradient where x <= 0, zero elsewhere
            out.add_(below * slope)
            grad_weight += below.mul_(x[block]).sum((0, 2, 3), dtype=weight.dtype)
        return grad_x, grad_weight


class PReLU(nn.PReLU):
    """``nn.PReLU`` with a slope per channel: same names, same results, a backward pass 2 to 3 times as fast on CPU.

    Under bfloat16 or float16 autocast the map is of that type, and the slope's gradient is summed in float32.
    Everything but eager training on CPU (export, compilation, other devices) is ``nn.PReLU`` itself.

    Args:
        num_parameters (int): C of the map.
        init (float): Initial slope. Default 0.25.
    """

    blockwise = True  # the benchmark sets it to False to measure against torch's own

    def _plain(self, x):
        return not (self.blockwise and trains_eagerly_on_cpu(x) and self.num_parameters == x.shape[1]
                    and self.weight.requires_grad and fits(x.dtype, self.weight.dtype))

    def forward(self, x):
        """Map (N, C, H, W), shape kept."""
        return super().forward(x) if self._plain(x) else _BlockwisePReLU.apply(x, self.weight)
