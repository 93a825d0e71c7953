"""The segments of a JPEG before its pixels: tables, sizes, and what cameras write about a picture."""
SOI, SCAN, EOI = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'  # begin of the file, of the pixels, and end
APP0, APP1, ADOBE = 0xE0, 0xE1, 0xEE
APPLICATIONS = frozenset([*range(0xE0, 0xF0), 0xFE])  # and comments
JFIF = b'\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0'  # colours are read by its presence
ALONE = frozenset([0x01, *range(0xD0, 0xD8)])  # markers without a length


def segments(data):
    """Walk over the segments as libjpeg does: stray bytes and fill bytes between them are passed over.

    Args:
        data (bytes): A JPEG.

    Yields:
        tuple[int, int, int]: The marker, where its segment begins (at 0xFF) and ends; the last one, of the pixels,
        ends with the file.
    """
    place = data.find(b'\xff', 2)
    while 0 <= place < len(data) - 3:
        marker = data[place + 1]
        if marker == 0xFF or marker == 0:
            place += 1
        elif marker in (SCAN[1], EOI[1]):
            yield marker, place, len(data)
            return
        else:
            start, place = place, place + 2
            if marker not in ALONE:
                place += max(2, int.from_bytes(data[place:place + 2], 'big'))
            yield marker, start, place
        place = data.find(b'\xff', place)


def pixels_alone(data):
    """A JPEG without what says nothing of its pixels and may be faulty: stray bytes, profiles, an odd version of JFIF.

    Args:
        data (bytes): The file.

    Returns:
        bytes: A file of the same pixels.
    """
    kept = [SOI]
    for marker, start, stop in segments(data):
        if marker == APP0 and data[start + 4:start + 9] == b'JFIF\0':
            kept.append(JFIF)
        elif marker not in APPLICATIONS or marker == ADOBE:
            kept.append(data[start:stop])
    return b''.join(kept)
