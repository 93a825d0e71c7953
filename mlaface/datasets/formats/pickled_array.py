"""Stand-ins of numpy's arrays, types and scalars in a pickle: what it says of them, with nothing behind it."""
from functools import cached_property
from math import prod

import numpy as np

from mlaface.datasets.formats.errors import FormatError

# as numpy writes them; truth values are looked at as bytes, since any byte but 0 and 1 is none
NUMBERS = {code: code for code in ('u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f2', 'f4', 'f8')} | {'b1': 'u1'}
OBJECTS = ('O', 'O4', 'O8')


class Dtype:
    """Stand-in of ``numpy.dtype``: what a pickle says of it, with nothing behind it."""
    order = '|'

    def __init__(self, code, align=False, copy=False):
        self.code = _text(code)

    def __setstate__(self, state):
        self.order = _text(state[1])


class PickledArray:
    """Stand-in of ``numpy.ndarray``: what a pickle says of it; nothing is allocated before it is checked."""
    shape, dtype, raw = (), None, b''

    def __setstate__(self, state):
        _, self.shape, self.dtype, _, self.raw = state

    def flat(self):
        """Its values, of an array with one dimension that is not 1.

        Returns:
            list | ndarray: Objects, or numbers (N,); truth values are 0 and 1.

        Raises:
            FormatError: If it is anything else.
        """
        values = self.raw if self._code in OBJECTS and isinstance(self.raw, list) else _numbers(self.dtype, self.raw)
        sizes = self.shape if isinstance(self.shape, tuple) else (self.shape,)
        if not all(isinstance(size, int) for size in sizes) or sum(size != 1 for size in sizes) > 1:
            raise FormatError('it holds an array that is not flat')
        if prod(sizes) != len(values):
            raise FormatError(f'it holds an array that lacks values: there are {len(values)}')
        return values

    @cached_property
    def octets(self):
        """The bytes of a flat uint8 array, made once however often a file names it; ``FormatError`` for another."""
        if self._code != 'u1':
            raise FormatError(f'it holds an array of {shown(self._code)} where an encoded image is expected')
        return self.flat().tobytes()

    @property
    def _code(self):
        return getattr(self.dtype, 'code', None)


def _text(value):
    """A short string that Python 2 may have written as bytes."""
    return value[:60].decode('latin1') if isinstance(value, bytes) else value


def shown(value):
    """What a file says, for a message: of any length, and nested to any depth."""
    return repr(value[:60]) if isinstance(value, str) else f'a {type(value).__name__}'


def _numbers(dtype, raw):
    """An array (N,) of plain numbers over the bytes of a pickle."""
    code, order = getattr(dtype, 'code', None), getattr(dtype, 'order', None)
    if not (isinstance(code, str) and code in NUMBERS and order in ('|', '<', '>', '=') and isinstance(raw, bytes)):
        raise FormatError(f'it holds an array of {shown(code)}, not of numbers, truth values or objects')
    kind = np.dtype(order + NUMBERS[code])
    if len(raw) % kind.itemsize:
        raise FormatError(f'it holds {len(raw)} bytes that are no numbers of {kind.itemsize} bytes each')
    return np.frombuffer(raw, kind)


def scalar(dtype, raw):
    """Stand-in of ``multiarray.scalar``: a number of Python's."""
    number, = _numbers(dtype, raw)
    return number.item()


def reconstruct(kind, shape, typecode):
    """Stand-in of numpy's: an empty array, which its state fills."""
    return PickledArray()


def frombuffer(raw, dtype, shape, order, axis_order=None):
    """Stand-in of numpy's, through which protocol 5 spells arrays; the order of a flat array is all one."""
    array = PickledArray()
    array.__setstate__((None, shape, dtype, None, raw))
    return array
