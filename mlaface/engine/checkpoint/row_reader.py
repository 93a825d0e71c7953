"""Row-sharded tensors from disk: read by any number of ranks, or by slices."""
from pathlib import Path

import torch

from mlaface.engine.checkpoint.row_manifest import (
    EXTRA,
    check_shards,
    compare_classes,
    read_manifest,
    tensor_form,
    together,
    verify,
)
from mlaface.engine.checkpoint.row_planners import RowLoadPlanner, RowReader
from mlaface.utils.files import load_tensors
from mlaface.utils.sharding import RowShard

IMPORT = ('to carry the centres over by identity name, `mlaface centers export` the old head, '
          '`import` it for the new identities, and begin with --init-centers FILE')


def load_row_tensors(folder, tensors, classes=None):
    """Fill row-sharded tensors in place from a folder that any number of ranks wrote. All ranks call it.

    Args:
        folder (str | Path): The folder.
        tensors (dict[str, Tensor]): Tensors ``(rows here, ...)`` with attribute ``row_shard``.
        classes (Sequence[str] | None): The model's identity names; if given, they must be those of the folder.

    Raises:
        FileNotFoundError: If the folder, its manifest or a shard is missing; names the file.
        ValueError: If a shard is torn or damaged, or the identities, shapes or types differ; says which and what to
            do. Rows may have been written to the tensors then.
    """
    folder = Path(folder)
    together(lambda: _check_folder(folder, tensors, classes))
    together(lambda: read_rows(folder, tensors))


def _check_folder(folder, tensors, classes):
    check_shards(tensors)
    manifest = read_manifest(folder)
    _check_identities(folder, manifest, tensors, classes)
    verify(folder, manifest, shards=False)


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
        if tensor_form(tensor) != saved:
            raise ValueError(f'{name} in {folder} is {saved}, in the model {tensor_form(tensor)}')
    if difference:
        raise ValueError(f'{folder} was written for other identities: {difference}; {IMPORT}')


def read_extra(folder):
    """What ``save_row_tensors`` was given as ``extra``, or None."""
    path = Path(folder) / EXTRA
    return load_tensors(path) if path.is_file() else None


def read_rows(folder, tensors):
    """Fill row-sharded tensors by the engine's own reading without its collectives: a rank's rows concern nobody else.

    Args:
        folder (Path): The folder.
        tensors (dict[str, Tensor]): As for ``load_row_tensors``, which checks first that they are those of the folder.

    Raises:
        ValueError: If a piece is damaged; names the shard.
    """
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
        FileNotFoundError: If a file is missing.
        ValueError: If the folder has no such tensor, or is torn or damaged.
    """

    def __init__(self, folder, name):
        self.folder, self.name = Path(folder), name
        manifest = read_manifest(folder)
        verify(self.folder, manifest, shards=False)
        tensors = manifest['tensors']
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
        read_rows(self.folder, {self.name: tensor})
        return tensor
