"""Files as disks, transfers and editors leave them: cut anywhere, or with a few bytes other than they were."""
import random
import time

from mlaface.utils.errors import UserError

WORDS = (b'\xff\xff\xff\x7f', b'\xff' * 4, bytes(4), b'\0\0\0\x80', b'\xff' * 8, bytes(8),
         (1 << 40).to_bytes(8, 'little'))
SECONDS = 10  # more than any reader takes of such a small file, however busy the machine: it hangs


def flipped(data, draw):
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1:]


def overwritten(data, draw):
    place, word = draw.randrange(len(data)), draw.choice(WORDS)
    return data[:place] + word + data[place + len(word):]


def inserted(data, draw):
    place = draw.randrange(len(data))
    return data[:place] + draw.randbytes(draw.choice((1, 2, 4, 8))) + data[place:]


def removed(data, draw):
    place = draw.randrange(len(data))
    return data[:place] + data[place + draw.choice((1, 2, 4, 8)):]


def scattered(data, draw):
    for _ in range(3):
        data = flipped(data, draw)
    return data


KINDS = (flipped, overwritten, inserted, removed, scattered)


def damaged_copies(data, number, cuts=400, seed=0):
    """Damaged copies of a file, each another than the whole.

    Args:
        data (bytes): The whole file.
        number (int): Copies with other bytes.
        cuts (int): Copies that are cut off; where this is not below the file's length, at every byte.
        seed (int): Of the choice.

    Returns:
        list[bytes]: The copies.
    """
    draw = random.Random(seed)
    places = range(len(data)) if len(data) <= cuts else draw.sample(range(len(data)), cuts)
    copies = [data[:place] for place in places] + [draw.choice(KINDS)(data, draw) for _ in range(number)]
    return [copy for copy in copies if copy != data]


def check_refusals(path, copies, read, check=None, errors=(UserError, ValueError, OSError)):
    """Read damaged copies: each is refused in a line that names the file, or what was read passes a check.

    Args:
        path (Path): Where the copies are put.
        copies (list[bytes]): Of ``damaged_copies``.
        read (callable): Reads the file; any error but of ``errors`` is a fault.
        check (callable, optional): Takes what was read.
        errors (tuple[type]): By which files are refused.

    Returns:
        int: How many were read.
    """
    count = 0
    for copy in copies:
        path.write_bytes(copy)
        begun = time.process_time()
        try:
            found = read(path)
        except errors as error:
            assert path.name in str(error) and len(str(error).splitlines()) == 1, (copy, repr(error))
        else:
            count += 1
            if check:
                check(found)
        assert time.process_time() - begun < SECONDS, copy
    return count
