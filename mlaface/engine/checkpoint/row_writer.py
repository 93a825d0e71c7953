"""Row-sharded tensors to disk: written by all ranks at once, whole or not at all."""
import json
import os
import shutil
import warnings
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp

from mlaface.engine.checkpoint.row_manifest import (
    CLASSES,
    EXTRA,
    MANIFEST,
    check_shards,
    describe,
    tensor_form,
    together,
    write_classes,
)
from mlaface.engine.checkpoint.row_planners import PIECE, RowSavePlanner
from mlaface.engine.distributed import barrier, rank, world_size
from mlaface.utils.checksums import UNSEALED, checksum, seal
from mlaface.utils.files import atomic_path, sync_folder


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
    together(lambda: check_shards(tensors))
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
    manifest = dict(checksum=UNSEALED, schema=1, ranks=world_size(), files=files,
                    tensors={name: tensor_form(tensor) for name, tensor in tensors.items()})
    return manifest, together(lambda: _seal_manifest(part, manifest) if rank() == 0 else None)[0]


def _seal_manifest(part, manifest):
    with atomic_path(part / MANIFEST) as path:
        path.write_text(json.dumps(manifest, indent=1))
        seal(path)
    return checksum(part / MANIFEST)


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
