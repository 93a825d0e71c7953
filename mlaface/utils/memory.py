"""What a process does with memory that it no longer needs."""
import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h
GROWTH = 64 << 20
CHOSEN_BY_USER = ('GLIBC_TUNABLES', 'LD_PRELOAD', 'MALLOC_MMAP_MAX_', 'MALLOC_MMAP_THRESHOLD_',
                  'MALLOC_TRIM_THRESHOLD_', 'MALLOC_TOP_PAD_')


def keep_freed_memory():
    """Let this process keep the memory that it frees, for the next tensor of that size; for networks on a CPU.

    glibc asks the system for each large block and hands it back when it is freed, so that every large map of every step
    is made of pages that are touched for the first time: a third of a training step's time on a virtual machine
    (docs/performance.md). The peak is up to a third higher, and the memory is the process's until it ends. Results
    do not change. Nothing is done where the C library is another, or one of ``CHOSEN_BY_USER`` is in the environment.

    Returns:
        bool: Whether freed memory is kept by this call.
    """
    if platform.libc_ver()[0] != 'glibc' or any(map(os.environ.get, CHOSEN_BY_USER)):
        return False
    library = ctypes.CDLL(None)
    wanted = (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, GROWTH)
    return all(library.mallopt(*setting) for setting in wanted)
