"""Row-sharded tensors on disk: written by all ranks at once, read by any number of ranks."""
import json
import os
import shutil
import warnings
import zlib
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp

from mlaface.engine.checkpoint.row_manifest import (
    CLASSES,
    EXTRA,
    MANIFEST,
    compare_classes,
    describe,
    read_manifest,
    together,
    verify,
    write_classes,
)
from mlaface.engine.checkpoint.row_planners import PIECE, RowLoadPlanner, RowReader, RowSavePlanner
from mlaface.engine.distributed import barrier, rank, world_size
from mlaface.utils.files import atomic_path, load_tensors, sync_folder
from mlaface.utils.sharding import RowShard, row_shard

IMPORT = ('to carry the centres over by identity name, `python tools/converters/centers.py export` the old head, '
          '`import` it for the new identities, and begin with InitCentersHook')


def save_row_tensors(folder, tensors, classes=None, extra=None, piece=PIECE):
    """Write the rows of all ranks to one folder, whole or not at all. All ranks call it.

    Every rank writes its own rows, in parallel, to a temporary folder beside; rank 0 renames it when all are done.

    Args:
        folder (str | Path): The folder to make; one that is there is replaced.
        tensors (dict[str, Tensor]): Tensors ``(rows here, ...)`` with attribute ``row_shard``; the same names and
            trailing shapes on all ranks.
        classes (Sequence[str] | None): Identity names in label order, kept to explain a mismatch later.
        extra (object): Tensors and plain values that are the same on all ranks, kept in ``extra.pth``.
        piece (int): Bytes of one stored piece, the most that a reader holds besides its own rows.

    Returns:
        dict: ``folder`` (name), ``files`` ({name: size}), ``total`` (rows, by tensor), and ``id``, the checksum of the
        manifest and so of all that the folder holds; for the checkpoint.

    Raises:
        ValueError: If a tensor has no ``row_shard`` or another number of rows.
        OSError: If a rank could not write; on all ranks.
    """
    folder = Path(folder)
    together(lambda: _check_shards(tensors))
    part = folder.parent / f'.{folder.name}.part'
    together(lambda: _fresh(part) if rank() == 0 else None)
    try:
        _write_pieces(part, tensors, piece)
        manifest, identity = _write_manifest(part, tensors, classes, extra)
        together(lambda: _replace(part, folder) if rank() == 0 else None)
    finally:
        barrier()
        if rank() == 0:
            shutil.rmtree(part, ignore_errors=True)
    return dict(folder=folder.name, files={name: entry['size'] for name, entry in manifest['files'].items()},
                total={name: entry['rows'] for name, entry in manifest['tensors'].items()}, id=identity)


def _check_shards(tensors):
    for name, tensor in tensors.items():
        shard = row_shard(tensor)
        if shard is None or shard.rows != tensor.shape[0]:
            raise ValueError(f'{name} has {tensor.shape[0]} rows, its row_shard is {shard}')


def _form(tensor):
    """What the manifest says of a tensor."""
    shard = tensor.row_shard
    return dict(rows=shard.total, shape=list(tensor.shape[1:]), per_class=shard.per_class,
                dtype=str(tensor.dtype).removeprefix('torch.'))


def _fresh(part):
    """An empty folder to write to; what killed saves of this or other names have left is removed."""
    for stale in part.parent.glob(f'.*{part.with_suffix("").suffix}{part.suffix}'):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
    part.mkdir(parents=True)


def _write_pieces(part, tensors, piece):
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='torch.distributed is disabled')  # one process is no mistake
            dcp.save(dict(tensors), storage_writer=dcp.FileSystemWriter(part), planner=RowSavePlanner(piece),
                     no_dist=world_size() == 1)
    except dcp.CheckpointException as error:
        cause = next(iter(error.failures.values()))[0]
        raise OSError(getattr(cause, 'errno', None), f'{type(cause).__name__}: {cause}', str(part)) from error


def _write_rest(part, classes, extra):
    """What rank 0 writes besides its rows; returns the names of all its files."""
    if classes is not None:
        write_classes(part, classes)
    if extra is not None:
        torch.save(extra, part / EXTRA)
    return [name for name in ('.metadata', CLASSES, EXTRA) if (part / name).is_file()]


def _write_manifest(part, tensors, classes, extra):
    """Describe all files (each rank its own), flush the manifest after them; returns it and its checksum."""
    def files_here():
        rest = _write_rest(part, classes, extra) if rank() == 0 else []
        return describe(part, [*(path.name for path in part.glob(f'__{rank()}_*')), *rest])
    files = {name: entry for mine in together(files_here) for name, entry in mine.items()}
    manifest = dict(schema=1, ranks=world_size(), files=files,
                    tensors={name: _form(tensor) for name, tensor in tensors.items()})
    content = json.dumps(manifest, indent=1).encode()
    if rank() == 0:
        with atomic_path(part / MANIFEST) as path:
            path.write_bytes(content)
    return manifest, f'{zlib.crc32(content):08x}'


def _replace(part, folder):
    """Rename; an old folder of the name steps aside first, since a folder cannot be replaced in one step."""
    aside = folder.parent / f'.{folder.name}.old'
    shutil.rmtree(aside, ignore_errors=True)
    if folder.exists():
        folder.rename(aside)
    part.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def link_rows(source, folder):
    """Give a folder of rows a second name by links to its files, whole or not at all. All ranks call it.

    Args:
        source (Path): The folder, whole; its files are never changed, so each name may be removed alone.
        folder (Path): The name beside it; one that is there is replaced.

    Raises:
        OSError: If the file system has no links; on all ranks.
    """
    part = folder.parent / f'.{folder.name}.part'

    def link():
        _fresh(part)
        try:
            for file in source.iterdir():
                os.link(file, part / file.name)
            _replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    together(lambda: link() if rank() == 0 else None)


def load_row_tensors(folder, tensors, classes=None):
    """Fill row-sharded tensors in place from a folder that any number of ranks wrote. All ranks call it.

    Args:
        folder (str | Path): The folder.
        tensors (dict[str, Tensor]): Tensors ``(rows here, ...)`` with attribute ``row_shard``.
        classes (Sequence[str] | None): The model's identity names; if given, they must be those of the folder.

    Raises:
        FileNotFoundError: If the folder, its manifest or a shard is missing; names the file.
        ValueError: If a shard is torn, or the identities, shapes or types differ; says which and what to do.
    """
    folder = Path(folder)
    together(lambda: _check_folder(folder, tensors, classes))
    together(lambda: _read(folder, tensors))


def _check_folder(folder, tensors, classes):
    _check_shards(tensors)
    manifest = read_manifest(folder)
    _check_identities(folder, manifest, tensors, classes)
    verify(folder, manifest)


def _check_identities(folder, manifest, tensors, classes):
    difference = compare_classes(folder, classes)
    for name, tensor in tensors.items():
        saved, shard = manifest['tensors'].get(name), tensor.row_shard
        if saved is None:
            raise ValueError(f'{folder} has no rows named {name!r}; it has {", ".join(manifest["tensors"])}')
        if saved['rows'] // saved['per_class'] != shard.total // shard.per_class:
            raise ValueError(
                f'{folder} holds {saved["rows"] // saved["per_class"]:,} classes ({name}), the model has '
                f'{shard.total // shard.per_class:,}; {difference or "identity names are not known"}; {IMPORT}')
        if _form(tensor) != saved:
            raise ValueError(f'{name} in {folder} is {saved}, in the model {_form(tensor)}')
    if difference:
        raise ValueError(f'{folder} was written for other identities: {difference}; {IMPORT}')


def read_extra(folder):
    """What ``save_row_tensors`` was given as ``extra``, or None."""
    path = Path(folder) / EXTRA
    return load_tensors(path) if path.is_file() else None


def _read(folder, tensors):
    """The engine's own reading without its collectives: a rank's rows concern nobody else."""
    plain = {name: tensor.detach() for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        plain[name].row_shard = tensor.row_shard
    reader, planner = RowReader(folder), RowLoadPlanner()
    metadata = reader.read_metadata()
    planner.set_up_planner(plain, metadata)
    reader.set_up_storage_reader(metadata, is_coordinator=False)
    reader.read_data(planner.finish_plan(planner.create_local_plan()), planner).wait()


class SavedRows:
    """A logical tensor of a folder of rows, read by slices: ``rows[start:stop]``.

    Args:
        folder (str | Path): The folder.
        name (str): The tensor.

    Raises:
        ValueError: If the folder has no such tensor.
    """

    def __init__(self, folder, name):
        self.folder, self.name = Path(folder), name
        tensors = read_manifest(folder)['tensors']
        if name not in tensors:
            raise ValueError(f'{folder} has no rows named {name!r}; it has {", ".join(tensors)}')
        entry = tensors[name]
        self.shape, self.per_class = (entry['rows'], *entry['shape']), entry['per_class']
        self.dtype = getattr(torch, entry['dtype'])

    def __len__(self):
        """Rows of the logical tensor."""
        return self.shape[0]

    def __getitem__(self, rows):
        """Rows of a slice without step, as a tensor."""
        start, stop, _ = rows.indices(len(self))
        tensor = torch.empty((max(0, stop - start), *self.shape[1:]), dtype=self.dtype)
        tensor.row_shard = RowShard(start, start + len(tensor), len(self), self.per_class)
        _read(self.folder, {self.name: tensor})
        return tensor
