"""What CUDA's autocast does beyond the CPU's: more operators run in float32, and give it.

A map of float32 in a network of half types makes those of all later blocks float32 too.
"""
import pytest
import torch
from torch.overrides import TorchFunctionMode

from mlaface.registry import ATTENTION

# torch 2.13, aten/src/ATen/autocast_mode.h, of those that attention uses
WIDE = {'sum', 'prod', 'softmax', 'log_softmax', 'cumsum', 'group_norm', 'layer_norm', 'pow', 'exp', 'log', 'rsqrt',
        'reciprocal', 'norm', 'vector_norm', 'softplus', 'cosine_similarity', 'logsumexp'}
OWN = [name for name in ATTENTION.names() if '.' not in name] if hasattr(ATTENTION, 'names') else sorted(
    name for name in ATTENTION.module_dict if '.' not in name)


class CudaAutocast(TorchFunctionMode):
    """Those operators get float32."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, '__name__', '') not in WIDE:
            return function(*args, **(kwargs or {}))
        args = [each.float() if torch.is_tensor(each) and each.dtype == torch.bfloat16 else each for each in args]
        with torch.autocast('cpu', enabled=False):
            return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('name', OWN)
def test_maps_stay_of_half_types(name):
    torch.manual_seed(0)
    plugin = ATTENTION.build(dict(type=name, channels=64)).train()
    if hasattr(plugin, 'tell_size'):
        plugin.tell_size(14)
    with torch.autocast('cpu', torch.bfloat16), CudaAutocast():
        assert plugin(torch.randn(2, 64, 14, 14).bfloat16()).dtype == torch.bfloat16


def test_simam_of_large_float16_maps_is_finite():
    x = torch.zeros(1, 2, 4, 4, dtype=torch.float16)
    x[0, 0, 0, 0] = 4000
    assert ATTENTION.build(dict(type='SimAM', channels=2))(x).isfinite().all()
