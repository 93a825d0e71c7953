"""A published network as one safetensors file: weights as they are, and all that is known of them as JSON beside.

Reading runs nothing: a header of JSON, numbers, and no more. The first eight digits of the file's SHA-256 stand in its
name. The header is written here because the package's own writer puts metadata in another order in every process: one
network has one file and one hash.
"""
import json
import os
import re
import struct
import tempfile
from pathlib import Path

from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.checksums import UNSEALED, check_seal, seal
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path

SCHEMA = 1
SUFFIX = '.safetensors'
HASHED = re.compile(r'-([0-9a-f]{8})\.safetensors$')
FIELDS = ('schema', 'mlaface', 'name', 'config', 'input', 'template', 'embedding_size')
TYPES = {'float64': 'F64', 'float32': 'F32', 'float16': 'F16', 'bfloat16': 'BF16', 'int64': 'I64', 'int32': 'I32',
         'int16': 'I16', 'int8': 'I8', 'uint8': 'U8', 'bool': 'BOOL'}


def write_model_file(folder, name, tensors, metadata):
    """Write a model file, whole or not at all.

    Args:
        folder (str | Path): Where to.
        name (str): Of the model: letters, digits, ``_``, ``-`` and ``.``.
        tensors (dict[str, Tensor]): Weights.
        metadata (dict): Name to plain values; each is stored as JSON.

    Returns:
        Path: ``NAME-HASH.safetensors``; the same content has the same name.

    Raises:
        InputError: If the name cannot be that of a file.
    """
    check_name(name)
    stated = dict(checksum=UNSEALED, schema=SCHEMA, **metadata)
    plain = {key: json.dumps(value, allow_nan=False) for key, value in stated.items()}
    header, pieces, end = dict(__metadata__=plain), [], 0
    for key, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        data = _bytes(tensor)
        kind = TYPES[str(tensor.dtype).removeprefix('torch.')]
        header[key] = dict(dtype=kind, shape=list(tensor.shape), data_offsets=[end, end + len(data)])
        pieces, end = [*pieces, data], end + len(data)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.', dir=folder) as scratch:
        written = Path(scratch, 'model')
        with open(written, 'wb') as stream:
            stream.writelines([struct.pack('<Q', len(text)), text, *pieces])
        seal(written)
        path = Path(folder, f'{name}-{file_sha256(written)[:8]}{SUFFIX}')
        with atomic_path(path) as temporary:
            os.replace(written, temporary)
    return path


def _bytes(tensor):
    import torch
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def check_name(name):
    """Refuse what cannot name a model: it becomes a file's name, and part of an address.

    Raises:
        InputError: Says what is allowed.
    """
    if not re.fullmatch(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}', name):
        raise InputError(f'{name!r} cannot name a model: letters, digits, _, - and . (not in front), 100 at most')


def check_hash(path):
    """Refuse a file whose name says another hash than its bytes have.

    Args:
        path (str | Path): A file of any name; without a hash in it there is nothing to check.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: Names both hashes.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no model at {path}')
    stated = HASHED.search(Path(path).name)
    if not stated:
        return
    found = file_sha256(path)[:8]
    if found != stated[1]:
        raise InputError(f'{path} is not the file that its name says: its SHA-256 begins with {found}, not '
                         f'{stated[1]}. It was damaged or changed: get it again')


def read_metadata(path):
    """What a model file says of itself, without its weights.

    Args:
        path (str | Path): The file.

    Returns:
        dict or None: Name to value; None for a safetensors file that is not a published model.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is torn, or its metadata are not as they are written here.
    """
    with _opened(path) as file:
        texts = file.metadata() or {}
    if 'mlaface' not in texts or 'config' not in texts:
        return None
    try:
        metadata = {key: json.loads(text) for key, text in texts.items()}
    except ValueError as error:
        raise InputError(f'{path} is damaged: its metadata are not JSON ({error})') from error
    _check(metadata, path)
    return metadata


def _check(metadata, path):
    schema = metadata.get('schema')
    if schema != SCHEMA:
        raise InputError(f'{path} has schema {schema!r}, and this mlaface reads {SCHEMA}: it was written by mlaface '
                         f'{metadata["mlaface"]}')
    missing = [key for key in FIELDS if key not in metadata]
    if missing or not isinstance(metadata['config'], dict) or not isinstance(metadata['input'], dict):
        raise InputError(f'{path} is damaged: {", ".join(missing) or "config or input"} must be in its metadata')


def read_model_file(path):
    """A model file.

    Args:
        path (str | Path): The file.

    Returns:
        tuple: Metadata as ``read_metadata`` gives, and the weights (dict[str, Tensor]).

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is torn, or its name says another hash; one line that names it.
        DamagedFileError: If its bytes do not have the checksum that stands in them, whatever it is called.
    """
    check_hash(path)
    check_seal(path)
    metadata = read_metadata(path)
    with _opened(path) as file:
        return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


def _opened(path):
    from safetensors import SafetensorError, safe_open
    if not Path(path).is_file():
        raise FileNotFoundError(f'no model at {path}')
    try:
        return safe_open(str(path), 'pt')
    except (SafetensorError, OSError) as error:
        raise InputError(f'{path} cannot be read as a safetensors file ({error}): it is torn or damaged, get it '
                         'again') from error
