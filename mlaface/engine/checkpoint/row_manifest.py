"""What a folder of rows holds, and whether it is whole."""
import json
import os
from itertools import islice
from pathlib import Path

from mlaface.engine.distributed import gather_objects, rank, world_size
from mlaface.engine.errors import CheckpointError
from mlaface.utils.checksums import check_seal, checksum
from mlaface.utils.names import name_lines, read_names
from mlaface.utils.sharding import row_shard

MANIFEST, CLASSES, EXTRA, SHARD = 'manifest.json', 'classes.txt', 'extra.pth', '.distcp'
ADVICE = 'the checkpoint cannot be used: resume from an older one, or copy the file again'
KINDS = (CheckpointError, FileNotFoundError, OSError, ValueError)
SHOWN = 5


def describe(folder, names):
    """Size and checksum of files, by name; the files are flushed to disk.

    Args:
        folder (Path): Their folder.
        names (Iterable[str]): The files.

    Returns:
        dict: ``{name: {'size': bytes, 'crc32': digits}}``.
    """
    for name in names:
        with open(folder / name, 'rb') as stream:
            os.fsync(stream.fileno())
    return {name: dict(size=(folder / name).stat().st_size, crc32=checksum(folder / name)) for name in names}


def read_manifest(folder):
    """The manifest of a folder of rows.

    Args:
        folder (str | Path): The folder.

    Returns:
        dict: ``schema``, ``files``, ``tensors``, ``total``.

    Raises:
        FileNotFoundError: If there is none: the folder is no checkpoint, or was never finished.
        ValueError: If it is torn or damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f'no {path}: the row-sharded part of the checkpoint is missing or was never finished')
    check_seal(path)
    try:
        manifest = json.loads(path.read_text())
        manifest['files'], manifest['tensors']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is torn or no manifest of rows ({error})') from error
    return manifest


def check_shards(tensors):
    """Refuse tensors whose ``row_shard`` is not of their rows; ``ValueError`` names the first."""
    for name, tensor in tensors.items():
        shard = row_shard(tensor)
        if shard is None or shard.rows != tensor.shape[0]:
            raise ValueError(f'{name} has {tensor.shape[0]} rows, its row_shard is {shard}')


def tensor_form(tensor):
    """What the manifest says of a tensor."""
    shard = tensor.row_shard
    return dict(rows=shard.total, shape=list(tensor.shape[1:]), per_class=shard.per_class,
                dtype=str(tensor.dtype).removeprefix('torch.'))


def together(action):
    """Run ``action`` on this rank and raise on all ranks what any of them raises; so none waits for the dead.

    Args:
        action (Callable[[], object]): What to do.

    Returns:
        list: The results of all ranks.

    Raises:
        ValueError: On every rank; with the message of the first rank that failed.
        OSError, CheckpointError: The same, for trouble with files.
    """
    try:
        outcome = (action(), None, None)
    except Exception as error:
        if world_size() == 1:
            raise
        kind = next((k for k in KINDS if isinstance(error, k)), RuntimeError)
        outcome = (None, kind, str(error))
    outcomes = gather_objects(outcome)
    for number, (_, kind, message) in enumerate(outcomes):
        if kind:
            raise kind(f'rank {number}: {message}')
    return [result for result, _, _ in outcomes]


def verify(folder, manifest, shards=True):
    """Check sizes and checksums of this rank's share of the files.

    Args:
        folder (Path): The folder of rows.
        manifest (dict): Its manifest.
        shards (bool): Whether to read the shards too. Default True; False for whoever reads them by ``RowReader``.

    Raises:
        FileNotFoundError: If a shard is missing; names the file.
        ValueError: If a shard is torn or damaged; names the file.
    """
    for name, entry in islice(sorted(manifest['files'].items()), rank(), None, world_size()):
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f'shard {path} is missing; {ADVICE}')
        if path.stat().st_size != entry['size']:
            raise ValueError(f'shard {path} is torn: {path.stat().st_size:,} bytes of {entry["size"]:,}; {ADVICE}')
        if (shards or path.suffix != SHARD) and checksum(path) != entry['crc32']:
            raise ValueError(f'shard {path} is damaged: its checksum is not that of the manifest; {ADVICE}')


def write_classes(folder, classes):
    """Write identity names, one a line."""
    (folder / CLASSES).write_text(name_lines(classes), encoding='utf-8', newline='\n')


def read_classes(folder):
    """Identity names of a folder of rows in label order, or None if it was written without."""
    path = Path(folder) / CLASSES
    return list(read_names(path)) if path.is_file() else None


def _listed(names):
    more = f' and {len(names) - SHOWN:,} more' if len(names) > SHOWN else ''
    return f'{len(names):,} ({", ".join(names[:SHOWN])}{more})' if names else 'none'


def compare_classes(folder, classes):
    """Which identities differ between a folder of rows and a model, in words; None if they are the same.

    Args:
        folder (Path): The folder of rows.
        classes (Sequence[str] | None): The model's identity names in label order.

    Returns:
        str | None: The difference.
    """
    saved = read_classes(folder)
    if saved is None or classes is None:
        return None
    wanted = [str(name) for name in classes]
    if saved == wanted:
        return None
    before, now = set(saved), set(wanted)
    gone = [name for name in saved if name not in now]
    new = [name for name in wanted if name not in before]
    if not gone and not new:
        return 'the same identities stand in another order'
    return f'identities only in the checkpoint: {_listed(gone)}; only in the data: {_listed(new)}'
