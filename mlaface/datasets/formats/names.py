"""Names that images and identities have in files of other kinds, so that every name comes back and none collides.

What a place cannot hold is written as ``utils/names.py`` says, and read by ``plain_name`` there.
"""
from mlaface.utils.names import escape

KINDS = ((b'\xff\xd8', '.jpg'), (b'\x89PNG', '.png'), (b'BM', '.bmp'), (b'GIF8', '.gif'), (b'II*\0', '.tif'),
         (b'MM\0*', '.tif'))
HEIC = {b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1'}  # brands of ISO/IEC 23008-12
AVIF = {b'avif', b'avis'}  # of AV1 in the same container, which names mif1 too


def folder_name(name):
    """A name as that of a folder or file, visible and on one line; ``plain_name`` is the way back.

    Args:
        name (str): Any text.

    Returns:
        str: Without slash and control characters, and with no dot at its begin.
    """
    return escape(name or '\0', r'[/\\\x00-\x1f\x7f]|^\.')


def member_stem(stem):
    """A file's name without its ending, as in a tar file of WebDataset, which takes the first dot for an ending's.

    Args:
        stem (str): As ``folder_name`` gives it, or any.

    Returns:
        str: Without dots.
    """
    return folder_name(stem).replace('.', '%2E')


def image_kind(data):
    """The ending (str) of a file with these bytes, by their begin; ``''`` where it is not known."""
    if data[:2] == KINDS[0][0]:
        return KINDS[0][1]  # as nearly always
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        return '.webp'
    if data[4:8] == b'ftyp':  # a box of its length, its name, the first brand, a number, and brands that it is, too
        brands = {bytes(data[at:at + 4]) for at in (8, *range(16, min(int.from_bytes(data[:4], 'big'), 256), 4))}
        return '.avif' if brands & AVIF else '.heic' if brands & HEIC else ''
    return next((ending for begin, ending in KINDS if data.startswith(begin)), '')
