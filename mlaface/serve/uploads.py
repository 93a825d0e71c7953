"""Images out of requests: their bytes alone, in memory, never by a path or an address."""
import io
import json
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from mlaface.datasets.formats.names import image_kind
from mlaface.serve.refusals import RefusedError

HEADS = {b'\xff\xd8\xff': 'JPEG', b'\x89PNG\r\n\x1a\n': 'PNG', b'GIF87a': 'GIF', b'GIF89a': 'GIF', b'BM': 'BMP',
         b'II*\x00': 'TIFF', b'MM\x00*': 'TIFF'}
TAKEN = 'JPEG, PNG, WebP, GIF, BMP and TIFF are taken'
WHOLE = ('image/', 'application/octet-stream')


class Picture(NamedTuple):
    """An image file that was sent.

    Args:
        name (str): Of the field, for messages; what the file is called there is not looked at.
        data (bytes): Its bytes.
    """
    name: str
    data: bytes


class Form(NamedTuple):
    """What a request brought.

    Args:
        pictures (list[Picture]): Images, in order.
        fields (dict[str, str]): Other fields.
    """
    pictures: list
    fields: dict


class _InMemory(MultiPartParser):
    """Never puts an image on the disk; the body is limited before."""
    spool_max_size = max_file_size = 2 ** 40  # the older name, of Starlette before 0.45


async def read_form(request, names, most=1, fields=()):
    """Images and fields of a request.

    Args:
        request (Request): ``multipart/form-data``; or the bytes of one image, where one is enough.
        names (tuple[str]): Fields that must hold an image each.
        most (int): Images that the first of them may hold.
        fields (tuple[str]): Of text.

    Returns:
        Form: Images in the order of ``names``.

    Raises:
        RefusedError: 415 for another type, 400 for a torn form, 422 for fields that lack or are not known.
    """
    kind = request.headers.get('content-type', '').partition(';')[0].strip().lower()
    if request.headers.get('content-encoding', 'identity').lower() != 'identity':
        raise RefusedError('the body is compressed: send it as it is', 415, 'unsupported_media_type')
    if kind.startswith(WHOLE) and len(names) == 1:
        return Form([Picture(names[0], await request.body())], {})
    if kind != 'multipart/form-data':
        other = ' or one image as the body (Content-Type: image/jpeg)' if len(names) == 1 else ''
        raise RefusedError(f'Content-Type {kind or "is missing"}: send multipart/form-data with {", ".join(names)}'
                           f'{other}', 415, 'unsupported_media_type')
    parser = _InMemory(request.headers, request.stream(), max_files=len(names) + most - 1, max_fields=len(fields))
    try:
        form = await parser.parse()
    except (MultiPartException, HTTPException) as error:
        said = getattr(error, 'message', None) or getattr(error, 'detail', 'it is torn')
        raise RefusedError(f'the form cannot be read: {said.rstrip(".")}; it takes {_taken(names, fields)}', 400,
                           'bad_form') from error
    try:
        return await _sorted(form, names, most, fields)
    finally:
        await form.close()


def _taken(names, fields):
    """What a form may hold, in words (str)."""
    taken = ', '.join([f'{name} (a file)' for name in names] + list(fields))
    return f'{taken}. Options stand in the address: ?NAME=VALUE'


async def _sorted(form, names, most, fields):
    """Fields of a form as a ``Form``; what is not known is refused, so that a misspelled name is noticed."""
    pictures, texts = {name: [] for name in names}, {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name in fields:
            texts[name] = value
        elif not isinstance(value, str) and name in pictures:
            pictures[name].append(Picture(name, await value.read()))
        else:
            raise RefusedError(f'field {ascii(name[:80])} is none of: {_taken(names, fields)}', 422, 'unknown_field')
    for number, name in enumerate(names):
        if not 1 <= len(pictures[name]) <= (1 if number else most):
            raise RefusedError(f'field {name} must hold {"an image" if number or most == 1 else f"1 to {most} images"},'
                               f' and holds {len(pictures[name])}', 422, 'missing_image')
    return Form([picture for name in names for picture in pictures[name]], texts)


def json_of(text, name):
    """The JSON object in a field, or None for an empty one.

    Raises:
        RefusedError: 422 if it is none.
    """
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f'field {name} is no JSON ({error})', 422, 'bad_json') from error
    if not isinstance(found, dict):
        raise RefusedError(f'field {name} must be a JSON object, such as {{"door": 3}}', 422, 'bad_json')
    return found


def check_picture(picture, pixels):
    """Refuse what is no image, or too large a one, by its first bytes: nothing is decoded.

    Args:
        picture (Picture): What was sent.
        pixels (int): At most so many.

    Raises:
        RefusedError: 415 for another format, 413 for too many pixels, 422 for a head that cannot be read.
    """
    from PIL import Image, UnidentifiedImageError
    data = picture.data
    kind = 'WEBP' if data[:4] == b'RIFF' and data[8:12] == b'WEBP' else next(
        (kind for head, kind in HEADS.items() if data.startswith(head)), None)
    if kind is None:
        named = {'.heic': ' (this is HEIC: phones save JPEG as well)', '.avif': ' (this is AVIF: save it as JPEG)'}
        raise RefusedError(f'{picture.name}: {len(data):,} bytes of no known format{named.get(image_kind(data), "")}; '
                           f'{TAKEN}', 415,
                           'unsupported_media_type')
    try:
        width, height = Image.open(io.BytesIO(data), formats=[kind]).size
    except Image.DecompressionBombError as error:
        raise RefusedError(f'{picture.name} has too many pixels: at most {pixels:,}, scale it down', 413,
                           'too_many_pixels') from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, KeyError) as error:
        raise RefusedError(f'{picture.name} is a damaged {kind} file: send it again', 422, 'unreadable_image'
                           ) from error
    if width * height > pixels:
        raise RefusedError(f'{picture.name} has {width} x {height} pixels, more than {pixels:,}: scale it down', 413,
                           'too_many_pixels')
