"""Members of tar files, written alike on every machine, and found by one walk over the heads.

Source: POSIX.1-2001 (pax), as Python's ``tarfile`` writes and reads it.
"""
import io
import tarfile

from mlaface.datasets.formats.errors import FormatError

BLOCK = 512
END = bytes(2 * BLOCK)
REST = b'0' + bytes(100) + b'ustar\x0000' + bytes(247)  # behind the checksum
OWNER, TIME = b'0000644\0' + b'0000000\0' * 2, b'\0' + b'0' * 11 + b'\0'
CONSTANT_SUM = sum(OWNER + TIME + REST) + 8 * ord(' ')  # of all that is alike; the checksum counts itself as spaces


def _plain_head(name, size):
    """What ``tarfile`` writes for a short name of ASCII, in a tenth of its time; None for others."""
    if not name.isascii() or len(name) > 100 or size >= 1 << 33:
        return None
    plain, octal = name.encode(), b'%011o' % size
    checksum = sum(plain) + sum(octal) + CONSTANT_SUM
    return b'%b%b%b%b%06o\0 %b' % (plain.ljust(100, b'\0'), OWNER, octal, TIME, checksum, REST)


def member(name, data):
    """A file as it stands in a tar file: no owner, no time, so that the same content gives the same bytes.

    Args:
        name (str): Path in the tar file.
        data (bytes): Content.

    Returns:
        tuple[bytes, int]: Head, content and padding; and where the content begins.
    """
    begin = _plain_head(name, len(data))
    if begin is None:
        head = tarfile.TarInfo(name)
        head.size = len(data)
        begin = head.tobuf(tarfile.PAX_FORMAT, 'utf-8', 'surrogateescape')
    return b''.join([begin, data, bytes(-len(data) % BLOCK)]), len(begin)


def name_of(head):
    """The path that a head states.

    Args:
        head (bytes): From its first byte to the content.

    Returns:
        str: The path.

    Raises:
        FormatError: If it is no head.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(head + END), mode='r:') as file:
            return file.next().name
    except (tarfile.TarError, AttributeError) as error:
        raise FormatError(f'{len(head)} bytes are no head of a member ({error})') from error


def _check_end(path, file, size):
    """``tarfile`` takes a damaged head for the end of the file: that is refused here."""
    if file.offset + BLOCK > size:
        raise FormatError(f'{path}: it ends at byte {size} without the mark of an end: it is cut off')
    file.fileobj.seek(file.offset)
    if any(file.fileobj.read(BLOCK)):
        raise FormatError(f'{path}: no head of a member at byte {file.offset}: it is damaged')


def walk(path, advance=lambda offset: None):
    """The files of a tar file, in order.

    Args:
        path (str | Path): The tar file, not compressed.
        advance (callable): Told the byte that the walk has reached.

    Yields:
        tuple[str, int, int, int]: Path, where the head begins, where the content begins, and its size.

    Raises:
        FormatError: If it is no tar file, or it is cut off.
    """
    try:
        with tarfile.open(path, 'r:') as file:
            file.fileobj.seek(0, 2)
            size = file.fileobj.tell()
            for found in file:
                file.members = []  # which would hold every head of a long file
                advance(found.offset)
                if found.isfile():
                    if found.offset_data + found.size > size:
                        raise FormatError(f'{path}: {found.name} at byte {found.offset} is cut off: the file ends at '
                                          f'byte {size}')
                    yield found.name, found.offset, found.offset_data, found.size
            _check_end(path, file, size)
    except tarfile.TarError as error:
        with open(path, 'rb') as file:
            begin = file.read(6)
        packed = begin[:2] == b'\x1f\x8b' or begin[:3] == b'BZh' or begin == b'\xfd7zXZ\0'
        raise FormatError(f'{path}: ' + ('it is compressed, so that no image can be reached by itself: unpack it first'
                                         if packed else f'no whole tar file ({error})')) from error
