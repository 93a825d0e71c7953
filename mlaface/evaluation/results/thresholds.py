"""Calibrated thresholds beside a model: written by ``calibrate``, read by whoever decides with the model."""
import json
from pathlib import Path

from mlaface.evaluation.results.result import file_sha256
from mlaface.utils.files import atomic_path
from mlaface.utils.texts import parse_json, read_json

SCHEMA = 1


def thresholds_path(model):
    """Where a model's thresholds lie: ``best.pth`` has ``best.thresholds.json``.

    Args:
        model (str | Path): The model's file.

    Returns:
        Path: Beside it.
    """
    return Path(model).with_suffix('.thresholds.json')


def write_thresholds(report, path):
    """Write thresholds, whole or not at all.

    Args:
        report (dict): From ``cli.calibrate``.
        path (str | Path): Where to.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2, allow_nan=False) + '\n')


def read_report(path):
    """Thresholds as they were written, whoever's they are.

    Args:
        path (Path): The file.

    Returns:
        dict: Schema 1.

    Raises:
        ValueError: If the file is no such JSON; names it.
    """
    report = read_json(path)
    if (not isinstance(report, dict) or report.get('schema') != SCHEMA or not isinstance(report.get('thresholds'), dict)
            or not isinstance(report.get('model') or {}, dict)):
        raise ValueError(f'{path} holds no thresholds of schema {SCHEMA}; mlaface calibrate writes them')
    return report


def check_owner(path, model):
    """Refuse to write over the thresholds of another model: ``best.pth`` and ``best.onnx`` share one name for theirs.

    Raises:
        ValueError: If the file there was made for a model of another name.
    """
    owner = (read_report(path).get('model') or {}).get('file') if path.is_file() else None
    if owner not in (None, Path(model).name):
        raise ValueError(f'{path} holds the thresholds of {owner}: name another file by --out')


def read_thresholds(model, path=None):
    """The thresholds of a model, of this very file's bytes; a published model carries them.

    Args:
        model (str | Path): The model's file.
        path (str | Path or None): The thresholds; None looks beside the model.

    Returns:
        dict: ``metric``, ``flip`` and ``thresholds``: name of the target -> ``far``, ``threshold`` and so on, as
        ``functional.calibration.calibrate_thresholds`` gives.

    Raises:
        FileNotFoundError: If there are none; says how to make them.
        ValueError: If the file is no such JSON, or was made for another model; names both.
    """
    if path is None and Path(model).suffix == '.safetensors' and not thresholds_path(model).is_file():
        return _published_thresholds(model)
    path = Path(path) if path is not None else thresholds_path(model)
    if not path.is_file():
        raise FileNotFoundError(f'no thresholds at {path}: make them with mlaface calibrate EMBEDDINGS '
                                f'--model {model}')
    report = read_report(path)
    made_for = (report.get('model') or {}).get('sha256')
    if made_for is not None and made_for != file_sha256(model):
        raise ValueError(f'the thresholds in {path} were made for another model ({report["model"]["file"]}, SHA-256 '
                         f'{made_for[:16]}...) than {model}: calibrate this one')
    return report


def _published_thresholds(model):
    """The thresholds in the metadata of a published model."""
    from safetensors import SafetensorError, safe_open
    try:
        with safe_open(str(model), 'numpy') as file:
            report = parse_json((file.metadata() or {}).get('thresholds', 'null'), 'its thresholds')
    except (SafetensorError, ValueError) as error:
        raise ValueError(f'{model} cannot be read as a published model ({error})') from error
    if report is None:
        raise FileNotFoundError(f'{model} was published without thresholds: make them with '
                                f'mlaface calibrate EMBEDDINGS --model {model}')
    return report
