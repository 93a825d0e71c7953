"""Checkpoints on disk: whole or absent, the latest good one, the last K."""
import re
import shutil
from pathlib import Path

import torch

from mlaface.engine.checkpoint.row_manifest import MANIFEST, read_manifest, together, verify
from mlaface.engine.distributed import gather_objects, rank
from mlaface.engine.errors import CheckpointError
from mlaface.utils.checksums import checksum
from mlaface.utils.errors import FULL
from mlaface.utils.files import atomic_path, is_state_dict, load_tensors

SCHEMA = 1
NAME = 'iter_{:08d}.pth'
_PATTERN = re.compile(r'iter_(\d+)\.pth$')
# what a run leaves in its work directory, but for log.txt and config.py, which the next one has opened by then
LEFT = ('*iter_*.pth', '*iter_*.rows', 'best.pth', 'scalars.jsonl', 'metrics.json', 'curves.png', 'record.json',
        'record_*.npz', 'vis_data')
_NUMBERED = re.compile(r'(best_)?iter_(\d+)\.(pth|rows)')


def rows_folder(path):
    """The folder of the row-sharded tensors that belong to a checkpoint file."""
    return Path(path).with_suffix('.rows')


def write_error(path, error):
    """The error to raise when a checkpoint could not be written; says what survives."""
    full = getattr(error, 'errno', None) in FULL
    full = full or 'failed writing' in str(error) or 'unexpected pos' in str(error)
    reason = 'the disk is full' if full else str(error).splitlines()[0]
    survivors = checkpoints(Path(path).parent)
    kept = f'the last one, {survivors[0]}, is untouched' if survivors else 'there is no earlier one'
    return CheckpointError(f'checkpoint {path} could not be written: {reason} ({type(error).__name__}); {kept}. '
                           'Make room, then continue with --resume')


def write(path, content):
    """Write a checkpoint file: to a temporary name, flushed, renamed.

    Args:
        path (str | Path): Where to.
        content (dict): Tensors and plain values.

    Raises:
        CheckpointError: If it cannot be written; nothing is left behind and nothing older is lost.
    """
    try:
        with atomic_path(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:
        raise write_error(path, error) from error


def read(path, map_location='cpu'):
    """Read a checkpoint file and check that it and its row files are whole.

    Args:
        path (str | Path): The ``.pth`` file.
        map_location (str): Where the tensors go. Default 'cpu'.

    Returns:
        dict: Its content, as in docs/architecture.md.

    Raises:
        CheckpointError: If it is not there, torn, damaged, incomplete, or not a checkpoint of ours.
    """
    content = _checked(_load(path, map_location), path)
    if content.get('rows'):
        _check_rows(path, content['rows'])
    return content


def _load(path, map_location='cpu'):
    try:
        return load_tensors(path, map_location)
    except (FileNotFoundError, ValueError) as error:
        raise CheckpointError(str(error)) from error


def _checked(content, path):
    """What was read, if it is a checkpoint of ours."""
    if not isinstance(content, dict) or content.get('schema') != SCHEMA or 'model' not in content:
        raise CheckpointError(f'{path} is not a checkpoint of mlaface with schema {SCHEMA}. Weights of other projects '
                              'are brought over by the converters in tools/converters')
    return content


def _check_rows(path, rows):
    """Refuse a file whose rows are not there, not whole, or of another save under the same name."""
    folder = Path(path).resolve().parent / rows['folder']
    for name, size in rows['files'].items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else None
        if found != size:
            state = 'is missing' if found is None else f'has {found} bytes instead of {size}'
            raise CheckpointError(f'{path} is incomplete: {folder / name} {state}')
    manifest = folder / MANIFEST
    if 'id' in rows and (not manifest.is_file() or checksum(manifest) != rows['id']):
        raise CheckpointError(f'{path} is incomplete: {folder} holds the rows of another save of this name, which '
                              'ended before its file was written')


def read_weights(path):
    """The trunk in a file: of a checkpoint, whose rows need not be there, a bare state dict as the converters write, or
    a published network.

    Args:
        path (str | Path): The ``.pth`` or ``.safetensors`` file, a name of the zoo, or ``hf://OWNER/NAME``.

    Returns:
        dict: ``state_dict`` (by our names; the moving average where there is one, which is what was validated),
        ``average`` (bool), ``num_classes`` (int or None).

    Raises:
        CheckpointError: As ``read``; if it is an ONNX file.
        UserError: If there is no model of this name, or its file cannot be had or is damaged.
    """
    from mlaface.zoo.locate import find_model  # the zoo is no part of the start of every training
    file = find_model(path)
    if str(file).endswith('.onnx'):
        raise CheckpointError(f'{path} is an ONNX file, whose network cannot be trained: give a checkpoint or a '
                              'published file of mlaface (.pth, .safetensors), or the name of one; mlaface models '
                              'lists them')
    if str(file).endswith('.safetensors'):
        return _published_weights(file)
    content = _load(file)
    if is_state_dict(content):
        return dict(state_dict=content, average=False, num_classes=None)
    model = _checked(content, file)['model']
    average = {name: value for name, value in (content.get('ema') or {}).items() if name in model['state_dict']}
    return dict(state_dict={**model['state_dict'], **average}, average=bool(average),
                num_classes=model.get('num_classes'))


def _published_weights(path):
    from mlaface.zoo.model_file import read_model_file
    try:
        metadata, state = read_model_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(str(error)) from error
    return dict(state_dict=state, average=False, num_classes=(metadata or {}).get('num_classes'))


def checkpoints(folder):
    """Files of numbered checkpoints in a folder, latest first (list of Path)."""
    found = [(int(match[1]), path) for path in Path(folder).glob('iter_*.pth') if (match := _PATTERN.search(path.name))]
    return [path for _, path in sorted(found, reverse=True)]


def check_whole(path):
    """Refuse a checkpoint of which any byte that matters is not as it was written. All ranks call it.

    Args:
        path (str | Path): The ``.pth`` file; the first rank reads it, and each a share of its rows.

    Raises:
        CheckpointError: On all ranks, as ``read``; the same of the rows.
        OSError, ValueError: On all ranks, if rows are missing, torn or damaged.
    """
    rows = together(lambda: read(path).get('rows') if rank() == 0 else None)[0]
    if rows:
        folder = Path(path).resolve().parent / rows['folder']
        together(lambda: verify(folder, read_manifest(folder)))


def find_latest(folder, warn):
    """The latest checkpoint of a folder that is whole. All ranks call it.

    Args:
        folder (str | Path): Work directory.
        warn (callable): Is told of each torn, damaged or incomplete file that is passed over.

    Returns:
        Path or None: The file.
    """
    for path in gather_objects(checkpoints(folder))[0]:
        try:
            check_whole(path)
            return path
        except (CheckpointError, OSError, ValueError) as error:
            warn(f'passed over {path}: {error}')
    return None


def remove(path):
    """Remove a checkpoint: the file first, so that no checkpoint without its rows is ever there."""
    Path(path).unlink(missing_ok=True)
    shutil.rmtree(rows_folder(path), ignore_errors=True)


def set_aside(folder, logged=0):
    """Move what an earlier run left, its numbers, log and checkpoints, into a folder ``previous_N``.

    Args:
        folder (str | Path): Work directory.
        logged (int): Bytes of its ``log.txt`` that are the earlier run's. Default 0.

    Returns:
        Path or None: The new folder, if there was anything to move.
    """
    folder = Path(folder)
    _remove_rows_alone(folder)
    target = _move_aside(folder, [path for name in LEFT for path in folder.glob(name)], logged)
    if logged:
        log = folder / 'log.txt'
        text = log.read_bytes()
        (target / log.name).write_bytes(text[:logged])
        log.write_bytes(text[logged:])  # in place: this run's logger holds the file open, and appends
    return target


def set_later_aside(folder, iteration, best):
    """Move the checkpoints that lie behind the one that a run goes on from, so that none is taken for its own.

    Args:
        folder (str | Path): Work directory.
        iteration (int): Numbered checkpoints above it are moved, and
        best (int): the best one, if its number is above this one.

    Returns:
        Path or None: The new folder, if there was anything to move.
    """
    folder, found = Path(folder), []
    for path in folder.iterdir():
        match = _NUMBERED.fullmatch(path.name)
        if match and int(match[2]) > (best if match[1] else iteration):
            found.append(path)
    target = _move_aside(folder, sorted(found, key=lambda path: path.suffix))  # files first: rows alone are nothing
    link = folder / 'best.pth'
    if link.is_symlink() and not link.exists():
        link.unlink()
    return target


def _move_aside(folder, found, always=False):
    """Move files and folders into a new folder ``previous_N``, which is given; None where there are none."""
    if not found and not always:
        return None
    number = 1 + max((int(p.name.removeprefix('previous_')) for p in folder.glob('previous_*')
                      if p.name.removeprefix('previous_').isdigit()), default=0)
    target = folder / f'previous_{number}'
    target.mkdir()
    for path in found:
        path.rename(target / path.name)
    return target


def prune(folder, keep):
    """Remove all numbered checkpoints but the latest ``keep``, and rows whose file was never written."""
    for path in checkpoints(folder)[keep:]:
        remove(path)
    _remove_rows_alone(folder)


def _remove_rows_alone(folder):
    """Remove rows whose file was never written: they are no checkpoint."""
    for rows in Path(folder).glob('*.rows'):
        if not rows.with_suffix('.pth').exists():
            shutil.rmtree(rows, ignore_errors=True)
