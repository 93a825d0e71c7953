"""A network as a file for others to run: converted, checked, described, and only then under its name."""
import json
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mlaface.evaluation.results.result import file_sha256
from mlaface.evaluation.results.thresholds import read_thresholds, thresholds_path
from mlaface.export.accuracy import measure_loss
from mlaface.export.extractor import Extractor, Form, metadata_of, shades
from mlaface.export.reference import TorchReference
from mlaface.registry import EXPORTERS, NETWORKS
from mlaface.utils.errors import InputError, UserError
from mlaface.utils.files import atomic_path

BATCHES = (1, 1, 1, 1, 3, 64)  # alone, a dark and a bright image may go another way through a network
# largest difference to torch, as a share of the largest element; 8 bits have none that holds for every image
TOLERANCE = dict(float32=1e-4, float16=2e-2, bfloat16=1e-1, int8=np.inf)


def export_model(model, path, format=None, form=None, precision='float32', images=None, suite=None, max_loss=0.002,
                 tolerance=None, progress=None, **options):
    """Write a recognizer in a format for others to run; the file is whole and checked, or what was there before.

    The file is opened as ``mlaface test`` opens it and compared with torch at batches of 1, 3 and 64.

    Args:
        model (FaceRecognizer): The network; it stays as it is.
        path (str | Path): Where to.
        format (str, optional): A name in ``EXPORTERS``. Default: by the path's suffix.
        form (Form, optional): What goes in and out. Default: uint8 in, the network's embedding out.
        precision (str): ``'float32'``, or fewer bits as the format has them: ``'float16'``, ``'bfloat16'``, ``'int8'``.
        images (ndarray, optional): Faces uint8 (N, 3, H, W), RGB, that ``'int8'`` is calibrated on.
        suite (Suite, optional): Benchmarks on which the accuracy of fewer bits is compared with float32.
        max_loss (float): Largest loss of a benchmark's headline number, a fraction. Default 0.002.
        tolerance (float, optional): Largest difference to torch, as a share of the largest element. Default: by
            precision; none for 8 bits.
        progress (callable, optional): Called with the number of images embedded.
        **options: Of the format, such as ``opset``.

    Returns:
        dict[str, str]: The metadata that is in the file.

    Raises:
        InputError: If format and precision do not go together, the format cannot hold the network, the file does not
            reproduce it, or more accuracy is lost than ``max_loss``; nothing is written.
    """
    path = Path(path)
    format = format or format_of(path)
    exporter = EXPORTERS.build(dict(type=format, **options))
    _check_request(exporter, format, path, precision, images, suite)
    extractor = Extractor(model, form or Form(), exporter.dtype(precision))
    reference = TorchReference(model, extractor.form)
    metadata = metadata_of(extractor, precision, *_origin(model))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.export-', dir=path.parent) as folder:
        draft = Path(folder, path.name)
        with _refused_in_a_line(format):
            program = exporter.convert(extractor, precision, images)
        exporter.save(program, draft, metadata)
        network = NETWORKS.get(exporter.kind)(str(draft))
        _check(network, reference, TOLERANCE[precision] if tolerance is None else tolerance)
        if suite is not None:
            metadata['accuracy'] = json.dumps(measure_loss(reference, network, suite, precision, max_loss, progress))
            del network
            exporter.save(program, draft, metadata)
        _publish(draft, path)
    return metadata


def format_of(path):
    """The format whose files have this suffix; ``InputError`` if there is none or are several."""
    found = [name for name, exporter in EXPORTERS.classes().items() if Path(path).suffix in exporter.suffixes]
    if len(found) != 1:
        known = ', '.join(f'{name} ({", ".join(exporter.suffixes)})' for name, exporter in EXPORTERS.classes().items())
        raise InputError(f'{path} does not say its format: name one by --format, of {known}')
    return found[0]


def _check_request(exporter, format, path, precision, images, suite):
    if path.suffix not in exporter.suffixes:
        raise InputError(f'a file of the format {format} ends in {" or ".join(exporter.suffixes)}, not as {path.name}')
    if precision not in exporter.precisions:
        raise InputError(f'{format} has no {precision}, only {", ".join(exporter.precisions)}')
    if precision == 'int8' and images is None:
        raise InputError('int8 is calibrated on faces: name a .bin or .rec file or a folder by --calibrate')
    if precision != 'float32' and suite is None:
        raise InputError(f'what {precision} loses is measured before the file is written: name benchmarks by --sets')


def _origin(model):
    """The checkpoint's name and hash, and its thresholds; None where it came from no file."""
    restored = getattr(model, 'restored', None)
    if restored is None or restored.file is None:
        return None, None
    file = Path(restored.file)
    stored = restored.content.get('thresholds')
    thresholds = stored or (read_thresholds(file) if thresholds_path(file).is_file() else None)
    return dict(file=file.name, sha256=file_sha256(file)), thresholds


def _check(network, reference, tolerance):
    """Compare the file with torch.

    Raises:
        InputError: If embeddings differ by more than ``tolerance`` of their largest element.
    """
    for seed, count in enumerate(BATCHES):
        images = shades(count, reference.size, seed)
        expected, found = reference.embed(images), network.embed(images)
        difference = np.inf
        if found.shape == expected.shape and np.isfinite(found).all():
            difference = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
        if not (difference <= tolerance and np.isfinite(difference)):
            raise InputError(f'the file differs from the network by {difference:.2g} of the largest element (limit '
                             f'{tolerance:g}) at batch {count}: it was not written')


@contextmanager
def _refused_in_a_line(format):
    """Whatever torch raises of a network that it cannot write, as an ``InputError``: its first words, and the line of
    the network's code that they are about."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # torch has many kinds, with pages of words
        while error.__cause__ is not None and not isinstance(error.__cause__, UserError):
            error = error.__cause__
        first = re.sub(r'\x1b\[[0-9;]*m', '', str(error)).strip().partition('\n')[0]
        lines = re.findall(r'File "([^"]+)", line (\d+), in .*\n *(.*)', str(error))
        place = f' ({os.path.basename(lines[-1][0])}:{lines[-1][1]}: {lines[-1][2].strip()})' if lines else ''
        raise InputError(f'the network cannot be written as {format}: {first or type(error).__name__}{place}. A format '
                         'holds one way through the network, whatever the image') from error


def _publish(draft, path):
    """Give all files of a draft their names, the main one last."""
    for file in sorted(draft.parent.iterdir(), key=lambda file: file == draft):
        with atomic_path(path.parent / file.name) as temporary:
            os.replace(file, temporary)
