"""A gallery as one file and back: ``.npz`` for numpy, ``.jsonl`` for everything else; no code is in either.

``.npz``: ``names`` (N,) and ``embeddings`` (N, D), optionally ``metadata`` (N,) of JSON texts ('' for none) and
``model``, a JSON text, or its ``sha256``.
``.jsonl``: a line ``{"mlaface_gallery": 1, "model": {...}}``, then a line an image with
``name``, ``embedding`` (base64 of little-endian float32), and ``metadata`` and ``image`` (base64) if there are any.
"""
import base64
import json
from pathlib import Path

import numpy as np

from mlaface.evaluation.embeddings.saved import read_arrays
from mlaface.gallery.header import check_model
from mlaface.gallery.records import Enrolment
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path

FORMAT = 1


def export(gallery, file):
    """Write everybody in a gallery to a file, which is whole or not there, and readable by its owner only.

    Args:
        gallery (Gallery): What is written, not encrypted even if it is.
        file (str | Path): ``.npz`` or ``.jsonl``.

    Returns:
        int: How many images.

    Raises:
        InputError: If the name has another ending, or ``.npz`` would lose stored images.
    """
    write = _writer(file)
    with atomic_path(file) as temporary:
        count = write(gallery, temporary)
    Path(file).chmod(0o600)
    return count


def import_(gallery, file):
    """Enrol all images of a file but those that are there, or none.

    Args:
        gallery (Gallery): Where to.
        file (str | Path): ``.npz`` or ``.jsonl``.

    Returns:
        int: How many.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is no such file, is torn, or another model made it; names what is wrong where.
    """
    return len(gallery.enroll_new(read(file, gallery.model)))


def read(file, model):
    """Enrolments in a file.

    Args:
        file (str | Path): See ``import_``.
        model (dict): The one that must have made it; a file that does not say is taken at its giver's word.

    Returns:
        list[Enrolment]: All of them.
    """
    stated, enrolments = _read(file)
    if stated is not None:
        check_model(model, stated, 'the gallery')
    return enrolments


def stated_model(file):
    """The model that a file says made its embeddings (dict).

    Raises:
        InputError: If it does not say.
    """
    stated, _ = _read(file)
    if stated is None:
        raise InputError(f'{file} does not say which model made its embeddings, so that no gallery can be made of it: '
                         'enrol somebody from an image first')
    return stated


def _read(file):
    """The model or None, and the enrolments."""
    _writer(file)
    stated, enrolments = (_read_npz if Path(file).suffix == '.npz' else _read_lines)(file)
    if stated is not None and not (isinstance(stated, dict) and {'name', 'sha256', 'embedding_size'} <= set(stated)):
        raise InputError(f'{file}: its model lacks name, sha256 or embedding_size')
    return stated, enrolments


def _writer(file):
    writers = {'.npz': _write_npz, '.jsonl': _write_lines}
    if Path(file).suffix not in writers:
        raise InputError(f'{file}: a gallery is written to and read from {" or ".join(writers)}')
    return writers[Path(file).suffix]


def _write_npz(gallery, path):
    images = [image for _, image in gallery.enrolments()]
    if any(image.picture for image in images):
        raise InputError('.npz takes no images, and the gallery holds some: export to .jsonl')
    rows = np.stack([image.embedding for image in images]) if images else np.empty((0, gallery.size), np.float32)
    with open(path, 'wb') as opened:
        np.savez(opened, names=np.array([image.name for image in images], str), embeddings=rows,
                 metadata=np.array([json.dumps(image.metadata) if image.metadata else '' for image in images], str),
                 model=np.array(json.dumps(gallery.model)))
    return len(images)


def _write_lines(gallery, path):
    with open(path, 'w', encoding='utf-8') as opened:
        opened.write(json.dumps(dict(mlaface_gallery=FORMAT, model=gallery.model)) + '\n')
        return sum(opened.write(_line(image) + '\n') > 0 for _, image in gallery.enrolments())


def _line(image):
    fields = dict(name=image.name, embedding=_text(image.embedding.astype('<f4').tobytes()), metadata=image.metadata,
                  image=_text(image.picture) if image.picture else None)
    return json.dumps({key: value for key, value in fields.items() if value}, ensure_ascii=False)


def _text(data):
    return base64.b64encode(data).decode()


def _read_npz(file):
    arrays = read_arrays(file)
    lacking = {'names', 'embeddings'} - set(arrays)
    if lacking:
        raise InputError(f'{file} lacks {", ".join(sorted(lacking))}; it holds {", ".join(arrays) or "nothing"}')
    names, rows = arrays['names'], arrays['embeddings']
    texts = arrays.get('metadata', np.full(names.shape, ''))
    if names.ndim != 1 or names.dtype.kind != 'U' or texts.shape != names.shape or rows.shape[:1] != names.shape:
        raise InputError(f'{file}: names (N,) of text, embeddings (N, D) and metadata (N,) are needed; got '
                         f'{names.dtype} {names.shape}, {rows.shape} and {texts.shape}')
    try:
        return _model_of(arrays), [Enrolment(str(name), row, json.loads(str(text)) if text else None)
                       for name, row, text in zip(names, rows, texts)]
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f'{file}: metadata or model are no JSON: {error}') from error


def _model_of(arrays):
    """The model that made the embeddings, as ``export`` or ``mlaface embed`` state it, or None."""
    if 'model' in arrays:
        return json.loads(str(arrays['model']))
    sha256 = str(arrays.get('sha256', ''))
    return dict(name='another model', sha256=sha256, embedding_size=arrays['embeddings'].shape[-1]) if sha256 else None


def _read_lines(file):
    with open(file, 'rb') as lines:  # a line that is no UTF-8 is then named as every other
        head = _parsed(file, 1, next(lines, b''), json.loads)
        if not isinstance(head, dict) or head.get('mlaface_gallery') != FORMAT:
            raise InputError(f'{file}: line 1 does not say "mlaface_gallery": {FORMAT}')
        return head.get('model'), [_parsed(file, number, line, _enrolment) for number, line in enumerate(lines, 2)]


def _parsed(file, number, line, parse):
    try:
        return parse(line)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f'{file}: line {number} is torn, or no line of a gallery ({type(error).__name__}: {error})'
                         ) from error


def _enrolment(text):
    line = json.loads(text)
    data = base64.b64decode(line['embedding'], validate=True)
    picture = base64.b64decode(line['image'], validate=True) if 'image' in line else None
    return Enrolment(line['name'], np.frombuffer(data, '<f4'), line.get('metadata'), picture)
