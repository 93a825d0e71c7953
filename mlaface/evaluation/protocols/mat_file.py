"""The structure of MATLAB files of version 5, looked at before scipy reads them: it believes every length and count.

Source: MAT-File Format, The MathWorks, chapter 1. A file is a header of 128 bytes and elements: a type and a number of
bytes, then these, padded to a multiple of 8; up to four bytes may stand within the head itself. An array (miMATRIX) is
made of elements: flags with its class, dimensions, its name, and numbers or further arrays.
"""
import struct
import zlib
from math import prod

from mlaface.datasets.formats.errors import FormatError

INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}  # bytes of a number
CELL, STRUCT, CHAR, NUMBERS = 1, 2, 4, range(6, 16)
TEXTS = (1, 2, 4, 16, 17, 18)  # types of characters
COMPLEX = 0x800
LARGEST, DEEPEST, MOST_DIMENSIONS = 1 << 28, 16, 32  # bytes unpacked, arrays within each other, as scipy has it


def check_mat(data):
    """Refuse a file whose lengths and counts do not fit each other, or that holds what lists are not made of.

    Args:
        data (bytes): The file.

    Raises:
        FormatError: Says at which byte; of a compressed part, counted in it.
    """
    order = {b'IM': '<', b'MI': '>'}.get(data[126:128])
    if order is None or len(data) < 136:
        raise FormatError('it does not begin as such a file does')
    elements = _Elements(data, 128, len(data), order)
    while elements.left():
        kind, body = elements.take()
        if kind == COMPRESSED:
            inner = _Elements(_unpacked(body), 0, None, order)
            kind, body = inner.take()
        if kind != MATRIX:
            raise FormatError(f'an element of type {kind} where an array is expected')
        _check_array(body, order)


def _unpacked(body):
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(body, LARGEST)
    if not unpacker.eof:
        raise FormatError(f'a compressed part is cut off, or larger than {LARGEST:,} bytes')
    return data


class _Elements:
    """Elements one behind the other."""

    def __init__(self, data, place, end, order):
        self.data, self.place, self.order = data, place, order
        self.end = len(data) if end is None else end

    def left(self):
        return self.place < self.end

    def take(self, *kinds):
        """Type and bytes of the next element, which is one of some types, if any are named."""
        start = self.place
        if self.end - start < 8:
            raise FormatError(f'it ends within an element at byte {start}')
        kind, size = struct.unpack_from(f'{self.order}II', self.data, start)
        begin, step = start + 8, 8
        if kind >> 16:  # both in four bytes, and up to four bytes of content behind them
            kind, size, begin = kind & 0xFFFF, kind >> 16, start + 4
            if size > 4:
                raise FormatError(f'an element at byte {start} has {size} bytes where there are four')
        else:
            step += size + (-size % 8 if kind != COMPRESSED else 0)
        if begin + size > self.end or (kinds and kind not in kinds) or kind not in (*SIZES, MATRIX, COMPRESSED):
            raise FormatError(f'an element at byte {start} of type {kind} and {size} bytes does not fit')
        self.place = min(start + step, self.end)
        return kind, self.data[begin:begin + size]

    def numbers(self, kind, code):
        """The numbers of the next element, which is of a type."""
        body = self.take(kind)[1]
        if len(body) % SIZES[kind]:
            raise FormatError(f'an element before byte {self.place} is of {len(body)} bytes, no multiple of '
                              f'{SIZES[kind]}')
        return struct.unpack(f'{self.order}{len(body) // SIZES[kind]}{code}', body)


def _check_array(body, order, depth=0):
    """An array with all that it holds; none at all is an empty one."""
    if not body and depth:
        return
    if depth > DEEPEST:
        raise FormatError(f'arrays are within each other more than {DEEPEST} times')
    elements = _Elements(body, 0, None, order)
    flags = elements.numbers(UINT32, 'I')
    shape = elements.numbers(INT32, 'i')
    elements.take(INT8)
    if len(flags) != 2 or not 2 <= len(shape) <= MOST_DIMENSIONS or min(shape) < 0:
        raise FormatError(f'an array of shape {shape}')
    kind, count = flags[0] & 0xFF, prod(shape)
    if count > LARGEST:
        raise FormatError(f'an array of {count} entries')
    if kind in (CELL, STRUCT):
        _check_arrays(elements, count * (_fields(elements) if kind == STRUCT else 1), order, depth)
    elif kind == CHAR:
        stored, text = elements.take(*TEXTS)
        if len(text) < count * (1 if stored == 16 else SIZES[stored]):  # UTF-8 has one byte a character or more
            raise FormatError(f'{len(text)} bytes where {count} characters are expected')
    elif kind in NUMBERS:
        for _ in range(2 if flags[0] & COMPLEX else 1):
            stored, numbers = elements.take(*SIZES)
            if len(numbers) != count * SIZES[stored]:
                raise FormatError(f'{len(numbers)} bytes where {count} numbers of {SIZES[stored]} are expected')
    else:
        raise FormatError(f'an array of class {kind}, of which lists are not made')


def _fields(elements):
    """How many fields a structure has."""
    length, = elements.numbers(INT32, 'i') or (0,)
    names = elements.take(INT8)[1]
    if length < 1 or len(names) % length:
        raise FormatError(f'{len(names)} bytes of names of {length} each')
    return len(names) // length


def _check_arrays(elements, count, order, depth):
    for _ in range(count):
        _check_array(elements.take(MATRIX)[1], order, depth + 1)
