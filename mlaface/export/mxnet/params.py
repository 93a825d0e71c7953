"""MXNet's ``.params``: a list of arrays and their names, as ``mx.nd.save`` writes it; little endian.

``uint64 0x112, uint64 0, uint64 count``, the arrays, ``uint64 count``, the names, each ``uint64 length`` and its bytes.
An array: ``uint32 magic``, its storage (dense, int32 0), shape (``uint32 dimensions``, int64 each), device (int32 1,
int32 0: CPU), ``int32 type``, the numbers. Older files leave out the storage (magic V1), or magic and storage, with a
shape of uint32 (before V1).
"""
import struct
from math import prod
from pathlib import Path

import numpy as np

from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.files import atomic_path

LIST, V1, V2, V3 = 0x112, 0xF993FAC8, 0xF993FAC9, 0xF993FACA
TYPES = {0: '<f4', 1: '<f8', 2: '<f2', 3: 'u1', 4: '<i4', 5: 'i1', 6: '<i8'}
CODES = {np.dtype(name): code for code, name in TYPES.items()}
CPU = struct.pack('<ii', 1, 0)
MAX_DIMENSIONS = 32


class _Reader:
    """A file's bytes, taken from the front."""

    def __init__(self, content):
        self._content, self._place = memoryview(content), 0

    def take(self, count):
        if count > len(self._content) - self._place:
            raise InputError('it ends too soon')
        self._place += count
        return self._content[self._place - count:self._place]

    def numbers(self, form):
        form = f'<{form}'
        found = struct.unpack(form, self.take(struct.calcsize(form)))
        return found[0] if len(found) == 1 else found

    def shape(self, form, count):
        if count > MAX_DIMENSIONS:
            raise InputError(f'an array of {count} dimensions')
        return tuple(struct.unpack(f'<{count}{form}', self.take(count * struct.calcsize(f'<{form}'))))


def read_params(path):
    """The arrays of a file, by name.

    Args:
        path (str | Path): Such as ``model-0000.params``.

    Returns:
        dict[str, ndarray]: In the file's order; the names are whole, with ``arg:`` or ``aux:`` in front.

    Raises:
        MissingDataError: If there is no such file.
        InputError: If it is torn, no such file, or holds sparse arrays; names it.
    """
    if not Path(path).is_file():
        raise MissingDataError(f'no parameters of MXNet at {path}')
    reader = _Reader(Path(path).read_bytes())
    try:
        if reader.numbers('QQ')[0] != LIST:
            raise InputError('it does not begin as a list of arrays does')
        arrays = [_read_array(reader) for _ in range(reader.numbers('Q'))]
        names = [bytes(reader.take(reader.numbers('Q'))).decode() for _ in range(reader.numbers('Q'))]
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f'{path} cannot be read as parameters of MXNet: {error}') from error
    if len(set(names)) < len(arrays):
        raise InputError(f'{path} has {len(arrays)} arrays and {len(set(names))} names')
    return dict(zip(names, arrays))


def _read_array(reader):
    magic = reader.numbers('I')
    if magic in (V2, V3) and reader.numbers('i') != 0:
        raise InputError('a sparse array')
    if magic in (V1, V2, V3):
        shape = reader.shape('q', reader.numbers('I'))
    else:
        shape = reader.shape('I', magic)  # before V1 there was no magic: this was the number of dimensions
    if not shape and magic != V3:
        return np.empty(0, np.float32)
    reader.take(len(CPU))
    code = reader.numbers('i')
    if code not in TYPES or min(shape, default=0) < 0:
        raise InputError(f'an array of type {code} and shape {shape}')
    dtype = np.dtype(TYPES[code])
    return np.frombuffer(reader.take(prod(shape) * dtype.itemsize), dtype).reshape(shape)


def write_params(path, arrays):
    """Write arrays as ``mx.nd.save`` does, byte for byte.

    Args:
        path (str | Path): Where to.
        arrays (dict[str, ndarray]): By name; at least one dimension each.
    """
    with atomic_path(path) as temporary, open(temporary, 'wb') as stream:
        stream.write(struct.pack('<QQQ', LIST, 0, len(arrays)))
        for array in arrays.values():
            stream.write(struct.pack(f'<IiI{array.ndim}q', V2, 0, array.ndim, *array.shape))
            stream.write(CPU + struct.pack('<i', CODES[array.dtype.newbyteorder('<')]))
            stream.write(np.ascontiguousarray(array, array.dtype.newbyteorder('<')).data)
        stream.write(struct.pack('<Q', len(arrays)))
        for name in map(str.encode, arrays):
            stream.write(struct.pack('<Q', len(name)) + name)
