"""How kernels are compiled, called for a batch, and read and write numbers of either type."""
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numba import types
from numba.extending import overload

from mlaface.utils.compiled import compiled as _compiled

# sums may be taken by vectors; what is not finite stays what it is
compiled = partial(_compiled, fastmath={'reassoc', 'contract'})
PIECES = 4  # of a thread's share: one that is held up leaves the rest of its own to the others


def over_images(kernel, *tensors):
    """Call a kernel for a batch, shared by as many threads as torch has; numba's own would run beside torch's.

    Args:
        kernel (callable): Of arrays whose images are independent of each other, so that the numbers do not depend on
            the count of threads.
        *tensors (Tensor): Its arguments, (N, ...) each; it fills some of them.
    """
    arrays = [_array(tensor) for tensor in tensors]
    count = len(arrays[0])
    threads = min(torch.get_num_threads(), count)
    if threads < 2:
        kernel(*arrays)
        return
    pieces = min(PIECES * threads, count)
    edges = [count * piece // pieces for piece in range(pieces + 1)]
    left = iter([[array[first:last] for array in arrays] for first, last in zip(edges, edges[1:])])

    def work():
        for piece in left:  # whoever is free takes the next
            kernel(*piece)
    _together(work, threads)


def _array(tensor):
    """A tensor's memory; of bfloat16, which numpy does not know, the bits."""
    return (tensor.view(torch.uint16) if tensor.dtype == torch.bfloat16 else tensor).numpy()


def widen(value):
    """For kernels: a number of an array, float32; of the bits of a bfloat16 too."""
    raise NotImplementedError('only in compiled code')


def narrow(value, array):
    """For kernels: a float32 as an array's type, rounded to the nearest, of two to the even one."""
    raise NotImplementedError('only in compiled code')


@overload(widen)
def _widen(value):
    if value == types.uint16:
        return lambda value: np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)
    return lambda value: value


@overload(narrow)
def _narrow(value, array):
    def to_bits(value, array):
        bits = np.float32(value).view(np.uint32)
        rounded = np.uint32(bits + np.uint32(0x7fff) + ((bits >> np.uint32(16)) & np.uint32(1)))
        return np.uint16(rounded >> np.uint32(16)) if value == value else np.uint16(0x7fc0)
    return to_bits if array.dtype == types.uint16 else lambda value, array: value


_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_FIRST = os.getpid()  # in a process forked from it the threads of OpenMP are gone, and a call would wait for them


def _together(work, threads):
    """Call a function in several threads at once.

    They are torch's own where those can be had, which spin between its operators: any others would run beside them.
    """
    openmp = _openmp() if os.getpid() == _FIRST else None
    if openmp is None:
        others = [_crew(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()
        return
    faults = []

    def task(_):
        try:
            work()
        except BaseException as fault:  # nothing may leave a function that C has called
            faults.append(fault)
    openmp.GOMP_parallel(_TASK(task), None, threads, 0)
    for fault in faults:
        raise fault


@cache
def _openmp():
    """GNU's OpenMP as torch's wheels bring it and torch has loaded it, or None."""
    found = next((Path(torch.__file__).parent / 'lib').glob('libgomp*.so*'), None)
    try:
        return found and ctypes.CDLL(str(found), os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:  # it is there, and torch has loaded another
        return None


@cache
def _crew(threads):
    return ThreadPoolExecutor(threads, 'kernels')


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_crew.cache_clear)  # threads do not live on in a forked process
