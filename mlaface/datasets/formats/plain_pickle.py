"""Pickles of lists, bytes, numbers and flat arrays, read so that nothing in them is run.

Classes and functions are refused by name, and so is every opcode that plain values do not need. The few names by which
bytes and numpy's arrays and scalars are spelled stand for functions of ours, which make inert values and take no
memory that the file does not fill.
"""
import io
import pickle
import struct

from mlaface.datasets.formats import pickled_array
from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.formats.pickled_array import shown

EXPECTED = 'A .bin holds a pickled pair (encoded images, issame); fetch it again'
ALLOWED = {
    **{(f'numpy.{core}.{module}', name): function for core in ('core', '_core') for module, name, function in (
        ('multiarray', '_reconstruct', pickled_array.reconstruct), ('multiarray', 'scalar', pickled_array.scalar),
        ('numeric', '_frombuffer', pickled_array.frombuffer))},
    ('numpy', 'ndarray'): pickled_array.PickledArray,
    ('numpy', 'dtype'): pickled_array.Dtype,
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
            raise FormatError(f'it holds bytes spelled as {shown(content)} in {shown(encoding)}')
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
    if not data:
        raise FormatError(f'it is empty. {EXPECTED}')
    try:
        return RestrictedUnpickler(data).load()
    except FormatError:
        raise
    except Exception as error:
        fault = 'it is cut off' if isinstance(error, EOFError) or 'truncated' in str(error) else 'it is no pickle'
        raise FormatError(f'{fault} ({type(error).__name__}: {str(error)[:200]}). {EXPECTED}') from error
