"""What torch's operators do slowly on CPU in float32 and bfloat16, compiled by numba where that is installed.

Who calls them has the same in torch's operators, for other types and where numba is missing: ``kernels(name)`` says
which of the two.
"""
import warnings
from functools import cache
from importlib import import_module

import torch

from mlaface.utils.errors import MissingPackageError
from mlaface.utils.packages import import_optional, is_installed

TYPES = torch.float32, torch.bfloat16


def kernels(name, *tensors):
    """A module of this room, if it can be used.

    Args:
        name (str): Of the module.
        *tensors (Tensor): What its functions will be given.

    Returns:
        module or None: None if a tensor is not of these types on CPU, or numba is missing or switched off.
    """
    fitting = all(tensor.dtype in TYPES and tensor.device.type == 'cpu' for tensor in tensors)
    return _module(name) if fitting else None


@cache
def _module(name):
    if not is_installed('numba'):
        return None
    try:
        numba = import_optional('numba', 'Training by compiled kernels', ', or go on without them, more slowly')
    except MissingPackageError as error:  # a release that does not fit numpy's
        warnings.warn(str(error), stacklevel=2)
        return None
    return None if numba.config.DISABLE_JIT else import_module(f'{__name__}.{name}')
