"""Pickles of lists, bytes, numbers and flat arrays, read so that nothing in them is run.

Classes and functions are refused by name, and so is every opcode that plain values do not need. The few names by which
bytes and numpy's arrays and scalars are spelled stand for functions of this file, which make inert values and take no
memory that the file does not fill.
"""
import io
import pickle
import struct
from functools import cached_property
from math import prod

import numpy as np

from mlaface.datasets.formats.errors import FormatError

# as numpy writes them; truth values are looked at as bytes, since any byte but 0 and 1 is none
NUMBERS = {code: code for code in ('u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f2', 'f4', 'f8')} | {'b1': 'u1'}
OBJECTS = ('O', 'O4', 'O8')


class _Dtype:
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
            raise FormatError(f'it holds an array of {_shown(self._code)} where an encoded image is expected')
        return self.flat().tobytes()

    @property
    def _code(self):
        return getattr(self.dtype, 'code', None)


def _text(value):
    """A short string that Python 2 may have written as bytes."""
    return value[:60].decode('latin1') if isinstance(value, bytes) else value


def _shown(value):
    """What a file says, for a message: of any length, and nested to any depth."""
    return repr(value[:60]) if isinstance(value, str) else f'a {type(value).__name__}'


def _numbers(dtype, raw):
    """An array (N,) of plain numbers over the bytes of a pickle."""
    code, order = getattr(dtype, 'code', None), getattr(dtype, 'order', None)
    if not (isinstance(code, str) and code in NUMBERS and order in ('|', '<', '>', '=') and isinstance(raw, bytes)):
        raise FormatError(f'it holds an array of {_shown(code)}, not of numbers, truth values or objects')
    kind = np.dtype(order + NUMBERS[code])
    if len(raw) % kind.itemsize:
        raise FormatError(f'it holds {len(raw)} bytes that are no numbers of {kind.itemsize} bytes each')
    return np.frombuffer(raw, kind)


def _scalar(dtype, raw):
    """Stand-in of ``multiarray.scalar``: a number of Python's."""
    number, = _numbers(dtype, raw)
    return number.item()


def _reconstruct(kind, shape, typecode):
    """Stand-in of numpy's: an empty array, which its state fills."""
    return PickledArray()


def _frombuffer(raw, dtype, shape, order, axis_order=None):
    """Stand-in of numpy's, through which protocol 5 spells arrays; the order of a flat array is all one."""
    array = PickledArray()
    array.__setstate__((None, shape, dtype, None, raw))
    return array


ALLOWED = {
    **{(f'numpy.{core}.{module}', name): function for core in ('core', '_core') for module, name, function in (
        ('multiarray', '_reconstruct', _reconstruct), ('multiarray', 'scalar', _scalar),
        ('numeric', '_frombuffer', _frombuffer))},
    ('numpy', 'ndarray'): PickledArray,
    ('numpy', 'dtype'): _Dtype,
}
BYTES = {('_codecs', 'encode'), *((module, name) for module in ('builtins', '__builtin__')
                                  for name in ('bytearray', 'bytes'))}
OPCODES = [  # no dicts and sets: hashing what lies deep in them ends the process, and a dict can set attributes
    'PROTO', 'FRAME', 'STOP', 'MARK', 'POP', 'POP_MARK', 'NONE', 'NEWTRUE', 'NEWFALSE', 'INT', 'BININT', 'BININT1',
    'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT', 'STRING', 'BINSTRING', 'SHORT_BINSTRING', 'BINBYTES',
    'SHORT_BINBYTES', 'BINBYTES8', 'UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'EMPTY_LIST', 'LIST',
    'APPEND', 'APPENDS', 'EMPTY_TUPLE', 'TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'GET', 'BINGET', 'LONG_BINGET', 'PUT',
    'BINPUT', 'LONG_BINPUT', 'MEMOIZE', 'GLOBAL', 'STACK_GLOBAL', 'INST', 'REDUCE', 'BUILD']


def _load_bytearray(unpickler):
    """Read the bytes of a bytearray as bytes; Python's own reserves their stated number first."""
    length, = struct.unpack('<Q', unpickler.read(8))
    unpickler.append(unpickler.read(length))


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
    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray

    def __init__(self, data):
        super().__init__(io.BytesIO(data), encoding='bytes')
        self.room = len(data)  # for bytes that are spelled as text: each has its characters in the file

    def spelled(self, content=b'', encoding='latin1'):
        """Stand-in of what makes bytes in protocols below 5; a number would ask ``bytearray`` for memory."""
        if isinstance(content, bytes):
            return content
        if encoding not in ('latin1', 'latin-1') or not isinstance(content, str):
            raise FormatError(f'it holds bytes spelled as {_shown(content)} in {_shown(encoding)}')
        self.room -= len(content)
        if self.room < 0:
            raise FormatError('it spells more bytes than it holds')
        return content.encode('latin1')

    def find_class(self, module, name):
        """The stand-in of an allowed name.

        Raises:
            FormatError: If the name is not allowed.
        """
        found = self.spelled if (module, name) in BYTES else ALLOWED.get((module, name))
        if found is None:
            raise FormatError(f'it asks for {module[:60]}.{name[:60]}, which no verification set needs and which may '
                              'run code; refused, nothing was run')
        return found


def load_plain(data):
    """Unpickle bytes that nobody vouches for; nothing in them is run.

    Args:
        data (bytes): The pickle, of any protocol; strings of Python 2 and bytearrays become bytes, numpy's scalars
            become numbers.

    Returns:
        object: Lists, tuples, strings, bytes, numbers and ``PickledArray``.

    Raises:
        FormatError: If it is no pickle, or holds anything else; says what.
    """
    try:
        return RestrictedUnpickler(data).load()
    except FormatError:
        raise
    except Exception as error:
        raise FormatError(f'it cannot be unpickled ({type(error).__name__}: {str(error)[:200]}). A .bin holds a '
                          'pickled pair (encoded images, issame); fetch it again') from error
