"""Which files of a folder are images: one rule for all commands.

An image is a file whose name has an ending of one, in any case; what begins with a dot is hidden. Links are followed,
to files and to folders, but not to a folder that holds the link: there is no way round in circles.
"""
import os
import warnings
from functools import cached_property
from pathlib import Path

ENDINGS = ('.jpg', '.jpeg', '.jfif', '.png', '.bmp', '.webp')  # what training sets and protocols read
FOREIGN = {'.tif': 'TIFF', '.tiff': 'TIFF', '.gif': 'GIF', '.avif': 'AVIF', '.heic': 'HEIC', '.heif': 'HEIC',
           '.jp2': 'JPEG 2000', '.jxl': 'JPEG XL', '.ppm': 'PPM', '.pgm': 'PGM'}  # what they name and leave out
PHOTOGRAPHS = (*ENDINGS, *FOREIGN)  # what is tried as a photograph


def is_image(name, endings=ENDINGS):
    """Whether a file's name (str) ends as images do, in any case; a hidden file is none."""
    return name.lower().endswith(tuple(endings)) and not name.startswith('.')


def image_files(folder, endings=PHOTOGRAPHS):
    """The image files below a folder; a folder in it that cannot be read is warned of.

    Args:
        folder (str | Path): Where.
        endings (Sequence[str]): Of images, in lower case. Default: all that may be one.

    Returns:
        list[Path]: With the folder, sorted. A link to nothing is there: reading it says so.

    Raises:
        OSError: If the folder is not there or cannot be read.
    """
    return sorted(_below(Path(folder), Listed(folder), endings))


def _below(folder, listed, endings):
    yield from (folder / name for name in listed.files if is_image(name, endings))
    for inner in (folder / name for name in listed.folders):
        try:
            inside = Listed(inner, listed)
        except OSError as error:
            warnings.warn(f'{inner} cannot be read ({error.strerror}): its images are left out', stacklevel=2)
            continue
        yield from _below(inner, inside, endings)


class Listed:
    """What is in a folder, sorted, without what begins with a dot and links to what holds it.

    Args:
        folder (str | Path): Where.
        within (Listed, optional): The folder that it was come to from.

    Attributes:
        folders, files, special (list[str]): Names; ``special`` is neither of the two.
        odd (list[str]): Names that are not UTF-8, written as ``caf\\xe9``.

    Raises:
        OSError: If the folder is not there or cannot be read.
    """

    def __init__(self, folder, within=None):
        self.folder, self.within = folder, within
        self.folders, self.files, self.special, self.odd = found = [], [], [], []
        for entry in os.scandir(folder):
            if entry.name.startswith('.') or entry.is_symlink() and os.path.realpath(entry.path) in self.above:
                continue
            if _is_utf_8(entry.name):
                found[_kind(entry)].append(entry.name)
            else:
                self.odd.append(os.fsencode(entry.name).decode('utf-8', 'backslashreplace'))
        for names in found:
            names.sort()

    @cached_property
    def above(self):
        """Real paths of the folder and of all that hold it, by whatever way it was come to (set[str])."""
        real = Path(os.path.realpath(self.folder))
        return {str(real), *map(str, real.parents), *(self.within.above if self.within else ())}


def _kind(entry):
    """0 for a folder, 1 for a file, 2 for what is neither; a link to nothing is a file, and reading it says so."""
    try:
        if entry.is_file():
            return 1
        if entry.is_dir():
            return 0
        entry.stat()
    except OSError:
        return 1
    return 2


def _is_utf_8(name):
    try:
        return name.isascii() or bool(name.encode())
    except UnicodeEncodeError:
        return False
