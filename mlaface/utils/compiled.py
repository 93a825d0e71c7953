"""Loops over numbers, compiled by numba."""
from numba import njit


class compiled:
    """Decorator of a kernel, which is compiled when it is first called.

    The code is kept beside the module, or in the user's cache where that cannot be written. Where neither can, the disk
    is full or what is there is damaged, it is compiled for this process alone.

    Code that is kept is made anew when the kernel's own file changes, and only then: constants and functions that may
    change stand in that file.

    Args:
        function (callable): Fills or changes some of the arrays that it is given. Of an error of the compiler or of its
            files it is called again: those come before any array is written.
        fastmath (set[str]): What the compiler may do beyond IEEE 754. Default none, so that every processor's numbers
            are the same.
    """

    def __init__(self, function, fastmath=()):
        self._function, self._kernel = function, None
        self._options = dict(nogil=True, error_model='numpy', fastmath=set(fastmath))

    def __call__(self, *arrays):
        """Call it."""
        try:
            self._kernel = self._kernel or njit(cache=True, **self._options)(self._function)
            self._kernel(*arrays)
        except Exception:  # kernels raise nothing: it is the compiler, or its files
            self._kernel = njit(**self._options)(self._function)
            self._kernel(*arrays)
