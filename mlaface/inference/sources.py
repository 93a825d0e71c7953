"""What a user names as images, as a sequence of single ones: folders, videos and cameras taken apart."""
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlaface.inference.images import MAX_PIXELS, is_stream, read_image
from mlaface.utils.errors import InputError, MissingDataError
from mlaface.utils.image_files import PHOTOGRAPHS, image_files

VIDEOS = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v')


class Source(NamedTuple):
    """An image that can be read.

    Args:
        name (str): For messages and records: the path as it was given, ``clip.mp4#12`` for a frame.
        read (callable): Gives uint8 (H, W, 3), RGB and upright, or raises ``InputError`` or ``OSError``.
    """
    name: str
    read: Callable


def open_sources(given, max_pixels=MAX_PIXELS):
    """Single images, in order; they are not read yet, frames of videos and cameras excepted.

    Args:
        given (object): An image as ``images.read_image`` takes it; a folder, whose images are taken by name, those of
            its folders too; a video file; an int for a camera; or an iterable of these.
        max_pixels (int): See ``read_image``.

    Yields:
        Source: Images.

    Raises:
        MissingDataError: If a path is not there, or a folder holds no image; a link to nothing is an image that cannot
            be read.
        InputError: If a video or a camera cannot be opened.
    """
    if _is_single(given):
        given = [given]
    for number, entry in enumerate(given):
        if isinstance(entry, Source):
            yield entry
        elif isinstance(entry, int):
            yield from _frames(entry, f'camera {entry}')
        elif isinstance(entry, (str, Path)):
            yield from _of_path(Path(entry), max_pixels)
        else:
            name = getattr(entry, 'filename', None) or f'image {number}'
            yield Source(str(name), lambda entry=entry: read_image(entry, max_pixels))


def attempt(source):
    """Read an image, or know why not.

    Args:
        source (Source): The image.

    Returns:
        tuple: Its name, its pixels or None, and the error or None; the error names the image.
    """
    try:
        return source.name, source.read(), None
    except (OSError, ValueError) as error:
        return source.name, None, error if source.name in str(error) else InputError(f'{source.name}: {error}')


def _is_single(given):
    """Whether it is one source rather than an iterable of them; an array of one image counts as one."""
    from collections.abc import Iterable
    return isinstance(given, (str, Path, bytes, bytearray, memoryview, int, Source)) or hasattr(given, 'shape') \
        or is_stream(given) or not isinstance(given, Iterable)


def _of_path(path, max_pixels):
    if path.is_dir():
        found = image_files(path)
        if not found:
            raise MissingDataError(f'no image in {path}: files named {", ".join(PHOTOGRAPHS)} are taken')
        yield from (Source(str(file), lambda file=file: read_image(file, max_pixels)) for file in found)
    elif not path.exists() and not path.is_symlink():  # a link to nothing is there: reading it says so
        raise MissingDataError(f'no image, folder or video at {path}')
    elif path.suffix.lower() in VIDEOS and path.exists():
        yield from _frames(str(path), str(path))
    else:
        yield Source(str(path), lambda: read_image(path, max_pixels))


def _frames(place, name):
    """The frames of a video file or a camera, in order."""
    import cv2
    capture = cv2.VideoCapture(place)
    try:
        if not capture.isOpened():
            raise InputError(f'{name} cannot be opened as a video: is it one, and is OpenCV built to read it?')
        number = 0
        while (grabbed := capture.read())[0]:
            frame = grabbed[1][..., ::-1]
            yield Source(f'{name}#{number}', lambda frame=frame: read_image(frame))
            number += 1
        if not number:
            raise InputError(f'{name} gives no frame')
    finally:
        capture.release()
