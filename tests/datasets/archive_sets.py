"""Small sets in every layout, and how two folders are compared."""
import io
from base64 import b64encode

import numpy as np
from PIL import Image

from mlaface.datasets.archives.convert import convert
from mlaface.datasets.archives.examine import Rules
from mlaface.datasets.formats.jpeg import encode

PEOPLE = {'Ann': 3, 'bob': 1, 'Ärger 名': 5, '0_0_0000001': 2}


def face(number, size=(112, 112)):
    """A JPEG that no other number has, small and quickly decoded."""
    image = np.zeros((*size, 3), np.uint8)
    image[:8, :32] = np.unpackbits(np.frombuffer(number.to_bytes(4, 'big'), np.uint8))[None, :, None] * 255
    return encode(image, 90)


def png(number):
    """A picture as PNG."""
    out = io.BytesIO()
    Image.fromarray(np.full((112, 112, 3), number, np.uint8)).save(out, 'PNG')
    return out.getvalue()


def people(folder, counts=PEOPLE):
    """A folder of identities; its path."""
    number = 0
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for image in range(count):
            (folder / name / f'{image}.a.jpg').write_bytes(face(number))
            number += 1
    return folder


def table_row(person, rank, number, data, name=None):
    """A line of MS-Celeb-1M's cropped faces, or, with a name, of its whole pictures."""
    columns = [person, *([name] if name else []), str(rank), 'http://image', 'http://page']
    columns += [] if name else [f'FaceId-{number}', b64encode(np.float32([0, 0, 1, 1]).tobytes()).decode()]
    return '\t'.join([*columns, b64encode(data).decode()]) + '\n'


def content(path):
    """Paths below a folder, with their bytes; of a file its bytes alone."""
    if path.is_file():
        return path.read_bytes()
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob('*')) if file.is_file()}


def converted(source, out, layout, **options):
    """``convert`` with one thread and without rules; its summary."""
    return convert(source, out, layout, options.pop('rules', Rules()), workers=1, **options)
