"""How kernels are compiled, and called for a batch."""
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from numba import njit

# sums may be taken by vectors; what is not finite stays what it is
OPTIONS = dict(nogil=True, error_model='numpy', fastmath={'reassoc', 'contract'})


class compiled:
    """Decorator of a kernel, which is compiled when it is first called.

    The code is kept beside the module, or in the user's cache where that cannot be written. Where neither can, the disk
    is full or what is there is damaged, it is compiled for this process alone.

    Args:
        function (callable): Fills some of the arrays that it is given, and reads none of those.
    """

    def __init__(self, function):
        self._function, self._kernel = function, None

    def __call__(self, *arrays):
        """Call it."""
        try:
            self._kernel = self._kernel or njit(cache=True, **OPTIONS)(self._function)
            self._kernel(*arrays)
        except Exception:  # kernels raise nothing: it is the compiler, or its files
            self._kernel = njit(**OPTIONS)(self._function)
            self._kernel(*arrays)


def over_images(kernel, *tensors):
    """Call a kernel for a batch, shared by as many threads as torch has; numba's own would be a second crew of them.

    Args:
        kernel (callable): Of arrays whose images are independent of each other, so that the numbers do not depend on
            the count of threads.
        *tensors (Tensor): Its arguments, (N, ...) each; it fills some of them.
    """
    arrays = [tensor.numpy() for tensor in tensors]
    count = len(arrays[0])
    threads = min(torch.get_num_threads(), count)
    if threads < 2:
        kernel(*arrays)
        return
    edges = [count * part // threads for part in range(threads + 1)]
    own, *others = [[array[first:last] for array in arrays] for first, last in zip(edges, edges[1:])]
    waiting = [_crew(threads - 1).submit(kernel, *part) for part in others]
    kernel(*own)
    for done in waiting:
        done.result()


@cache
def _crew(threads):
    return ThreadPoolExecutor(threads, 'kernels')


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_crew.cache_clear)  # threads do not live on in a forked process
