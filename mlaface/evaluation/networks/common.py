"""What all kinds of networks share: their entry in result JSON, and what counts as embeddings."""
import zipfile
from pathlib import Path

import numpy as np

from mlaface.evaluation.results.result import file_sha256


def describe(path, input_format):
    """The ``model`` entry of result JSON.

    Args:
        path (str | Path | None): The model's file, or its import path.
        input_format (dict): ``color``, ``mean``, ``std``, ``size``, ``layout``.

    Returns:
        dict: ``embedding_size`` is None: whoever has embeddings knows it.
    """
    file = path if path is not None and Path(path).is_file() else None
    return dict(file=None if path is None else str(path), sha256=file_sha256(file) if file else None,
                name=None if path is None else Path(path).stem, embedding_size=None, input=input_format)


def as_embeddings(output, images, name):
    """What a network gave, as embeddings; anything that would have to be guessed at is refused.

    Args:
        output (object): Array or tensor of any number type, (N, D) or (N, D, 1, 1), or a tuple of one of them.
        images (int): How many images it was given.
        name (str | Path): The model, for the message.

    Returns:
        ndarray float32 (N, D).

    Raises:
        ValueError: If it is anything else; names the model and what it gave.
    """
    if isinstance(output, (tuple, list)) and len(output) == 1:
        output = output[0]
    if hasattr(output, 'detach'):
        output = output.detach().float().cpu().numpy()  # numpy knows no bfloat16
    if not hasattr(output, 'shape') and not isinstance(output, list):
        size = len(output) if hasattr(output, '__len__') else 'shape ()'
        raise ValueError(f'{name} gave a {type(output).__name__} of {size} for {images} images; let it return the '
                         'embeddings alone, one array of numbers or tensor, (images, dimensions)')
    found = np.asarray(output)
    shape = found.shape
    flat = len(shape) >= 2 and shape[0] == images and set(shape[2:]) <= {1} and shape[1] > 0
    if not flat or found.dtype.kind not in 'fiu':
        raise ValueError(f'{name} gave {found.dtype} of shape {shape} for {images} images; embeddings are one array of '
                         f'numbers, ({images}, dimensions)')
    return found.reshape(images, -1).astype(np.float32)


def first_line(error):
    """The first line of an error's text that says anything."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def archive_names(path):
    """Names of the records of a zip archive (list of str); none of anything else, or of one that is broken.

    Whoever takes the file says what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception:  # of many classes, by what the bytes happen to say
        return []
