"""Pickles of lists, bytes and flat arrays, read so that nothing in them is run.

Classes and functions are refused by name, and so is every opcode that plain values do not need. The few names of numpy
that old files hold become inert stand-ins, looked at after the whole pickle was read.
"""
import io
import pickle

import numpy as np

from mlaface.datasets.formats.errors import FormatError


class _Dtype:
    """Stand-in of ``numpy.dtype``: what a pickle says of it, with nothing behind it."""
    order = '|'

    def __init__(self, code, align=False, copy=False):
        self.code = code.decode('latin1') if isinstance(code, bytes) else code

    def __setstate__(self, state):
        self.order = state[1].decode('latin1') if isinstance(state[1], bytes) else state[1]


class PickledArray:
    """Stand-in of ``numpy.ndarray``: what a pickle says of it; nothing is allocated before it is checked."""
    shape, dtype, raw = (), None, b''

    def __setstate__(self, state):
        _, self.shape, self.dtype, _, self.raw = state

    def flat(self):
        """Its values: a list of objects, or an ndarray (N,) of integers or truth values.

        Raises:
            FormatError: If it is anything else.
        """
        code = getattr(self.dtype, 'code', None)
        if code == 'O8' and isinstance(self.raw, list) and self.shape == (len(self.raw),):
            return self.raw
        if code in NUMBERS and self.dtype.order in ('|', '<', '>') and isinstance(self.raw, bytes):
            dtype = np.dtype(self.dtype.order + code)
            if self.shape == (len(self.raw) // dtype.itemsize,) and len(self.raw) % dtype.itemsize == 0:
                return np.frombuffer(self.raw, dtype)
        raise FormatError(f'it holds an array of {code if isinstance(code, str) else "unknown type"} that is not flat, '
                          'or not of integers, truth values or objects')


def _encode(text, encoding='latin1'):
    """Stand-in of ``_codecs.encode``, through which protocol 2 spells bytes."""
    if encoding not in ('latin1', 'latin-1'):
        raise FormatError(f'it holds bytes spelled in {encoding!r}')
    return text.encode('latin1')


def _reconstruct(kind, shape, typecode):
    """Stand-in of numpy's: an empty array, which its state fills."""
    return PickledArray()


NUMBERS = ('b1', 'u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8')
ALLOWED = {
    ('numpy.core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy._core.multiarray', '_reconstruct'): _reconstruct,
    ('numpy', 'ndarray'): PickledArray,
    ('numpy', 'dtype'): _Dtype,
    ('_codecs', 'encode'): _encode,
}
OPCODES = [  # no dicts and sets: hashing what lies deep in them ends the process, and a dict can set attributes
    'PROTO', 'FRAME', 'STOP', 'MARK', 'POP', 'POP_MARK', 'NONE', 'NEWTRUE', 'NEWFALSE', 'INT', 'BININT', 'BININT1',
    'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT', 'STRING', 'BINSTRING', 'SHORT_BINSTRING', 'BINBYTES',
    'SHORT_BINBYTES', 'BINBYTES8', 'UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'EMPTY_LIST', 'LIST',
    'APPEND', 'APPENDS', 'EMPTY_TUPLE', 'TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'GET', 'BINGET', 'LONG_BINGET', 'PUT',
    'BINPUT', 'LONG_BINPUT', 'MEMOIZE', 'GLOBAL', 'STACK_GLOBAL', 'INST', 'REDUCE', 'BUILD']


class _Dispatch(dict):
    def __missing__(self, opcode):
        import pickletools
        known = pickletools.code2op.get(chr(opcode))
        raise FormatError(f'it holds {known.name if known else f"byte {opcode:#04x}"} where a pickle of lists, bytes '
                          'and truth values has none')


class RestrictedUnpickler(pickle._Unpickler):
    """Unpickles lists, tuples, strings, bytes, numbers and stand-ins of numpy arrays; refuses all else by name.

    Python's own unpickler in Python: that in C can be made to reserve memory for a memo of any size.
    """
    dispatch = _Dispatch((code, pickle._Unpickler.dispatch[code])
                         for code in (getattr(pickle, name)[0] for name in OPCODES))

    def find_class(self, module, name):
        """The stand-in of an allowed name.

        Raises:
            FormatError: If the name is not allowed.
        """
        found = ALLOWED.get((module, name))
        if found is None:
            raise FormatError(f'it asks for {module}.{name}, which no verification set needs and which may run code; '
                              'refused, nothing was run')
        return found


def load_plain(data):
    """Unpickle bytes that nobody vouches for; nothing in them is run.

    Args:
        data (bytes): The pickle, of any protocol; strings of Python 2 become bytes.

    Returns:
        object: Lists, tuples, strings, bytes, numbers and ``PickledArray``.

    Raises:
        FormatError: If it is no pickle, or holds anything else; says what.
    """
    try:
        return RestrictedUnpickler(io.BytesIO(data), encoding='bytes').load()
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(f'it cannot be unpickled ({type(error).__name__}: {error}). A .bin holds a pickled pair '
                          '(encoded images, issame); fetch it again') from error
