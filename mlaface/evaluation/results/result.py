"""Result JSON, schema 1: what was measured, on which model, by which rules, where and when."""
import hashlib
import json
import platform
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from mlaface.utils.files import atomic_path
from mlaface.utils.texts import read_json
from mlaface.version import __version__

SCHEMA = 1


def make_result(benchmarks, model=None, device=None):
    """Assemble result JSON.

    Args:
        benchmarks (dict): Name -> entry, as the functions of ``evaluation.functional`` give.
        model (dict or None): What is known of ``file``, ``sha256``, ``name``, ``embedding_size``, ``input``.
        device (str or None): Where the embeddings were computed.

    Returns:
        dict: Schema 1. ``mean_accuracy`` is None where no benchmark has an accuracy.
    """
    known = dict(file=None, sha256=None, name=None, embedding_size=None, input=None)
    accuracies = [entry['metrics']['accuracy']['value'] for entry in benchmarks.values()
                  if 'accuracy' in entry['metrics']]
    return dict(schema=SCHEMA, model={**known, **(model or {})}, environment=environment(device),
                benchmarks=benchmarks, mean_accuracy=float(np.mean(accuracies)) if accuracies else None)


def plain(value):
    """A value with Python's numbers and lists in place of numpy's, which JSON and tables do not know."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(plain, value))
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def environment(device=None):
    """Versions, device, threads and date (UTC) of a measurement."""
    import torch
    return dict(mlaface=__version__, torch=torch.__version__, python=platform.python_version(),
                device=str(device or 'cpu'), cpu_threads=torch.get_num_threads(),
                date=datetime.now(timezone.utc).isoformat(timespec='seconds'))


def write_result(result, path):
    """Write result JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(plain(result), indent=1, allow_nan=False) + '\n')


def read_result(path):
    """Read result JSON.

    Args:
        path (str | Path): The file.

    Returns:
        dict: Schema 1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON, or of another schema.
    """
    result = read_json(path)
    if not isinstance(result, dict) or result.get('schema') != SCHEMA or not isinstance(result.get('benchmarks'), dict):
        raise ValueError(f'{path} is not result JSON of schema {SCHEMA}: write one with mlaface test ... --out FILE')
    return result


def model_names(models):
    """A short and distinct name for each model: its file, with as many folders as tell it from the others.

    Args:
        models (sequence of dict): ``model`` entries of result JSON.

    Returns:
        list[str]: In their order; models of one file are numbered.
    """
    parts = [Path(model['file'] or model['name'] or 'model').parts for model in models]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ['/'.join(part[-depth:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return [name if names.count(name) == 1 else f'{name} ({number})' for number, name in enumerate(names, 1)]


def file_sha256(path):
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else _digest(file)


def _digest(file):
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b''):
        digest.update(block)
    return digest.hexdigest()
