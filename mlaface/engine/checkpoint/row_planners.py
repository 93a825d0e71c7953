"""Row-sharded tensors for ``torch.distributed.checkpoint``, without pickle's dangers.

``DTensor`` with ``Shard(0)`` would need no planner, but it places rows by ``torch.chunk`` (blocks of
``ceil(C / R)``), while heads give the first ``C mod R`` ranks one more: it would write wrong offsets for every class
count that does not divide. The planners below are the engine's own extension point and say the offsets plainly. A
rank's rows are written in pieces, so that whoever reads holds one piece besides its own rows.
"""
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path, PurePosixPath, PureWindowsPath

import torch
from torch.distributed.checkpoint import DefaultLoadPlanner, DefaultSavePlanner, FileSystemReader
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    StorageMeta,
    TensorProperties,
)
from torch.distributed.checkpoint.planner import LoadPlan, SavePlan, TensorWriteData, WriteItem, WriteItemType
from torch.distributed.checkpoint.planner_helpers import create_read_items_for_chunk_list
from torch.futures import Future

from mlaface.engine.checkpoint.row_manifest import ADVICE
from mlaface.utils.archive import CheckedArchive

PIECE = 1 << 26
PICKLE_MODULES = ('torch.distributed.checkpoint.metadata', 'torch.distributed.checkpoint.filesystem')
PICKLE_NAMES = {('collections', 'OrderedDict'): OrderedDict, ('collections', 'defaultdict'): defaultdict,
                ('pathlib', 'PosixPath'): PurePosixPath, ('pathlib', 'WindowsPath'): PureWindowsPath,
                ('torch', 'Size'): torch.Size, ('torch.serialization', '_get_layout'): torch.serialization._get_layout}


def _chunk(tensor, start, stop):
    """Global place of the rows ``start .. stop`` of the logical tensor."""
    rest = tuple(tensor.shape[1:])
    return ChunkStorageMetadata(torch.Size((start, *(0 for _ in rest))), torch.Size((stop - start, *rest)))


class RowSavePlanner(DefaultSavePlanner):
    """Writes tensors that carry a ``row_shard`` as pieces of their logical tensors.

    Args:
        piece (int): Bytes of a piece, at most (but at least one row).
    """

    def __init__(self, piece=PIECE):
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)
        self.piece = piece

    def create_local_plan(self):
        """The pieces that this rank writes."""
        self.plan = SavePlan([item for name, tensor in self.state_dict.items() for item in self._items(name, tensor)])
        return self.plan

    def _items(self, name, tensor):
        shard = tensor.row_shard
        size = max(1, self.piece // max(1, tensor[:1].numel() * tensor.element_size()))
        properties, whole = TensorProperties(dtype=tensor.dtype), torch.Size((shard.total, *tensor.shape[1:]))
        for start in range(shard.start, shard.stop, size):
            chunk = _chunk(tensor, start, min(shard.stop, start + size))
            yield WriteItem(index=MetadataIndex(name, chunk.offsets), type=WriteItemType.SHARD,
                            tensor_data=TensorWriteData(chunk, properties, whole))

    def resolve_data(self, write_item):
        """The rows of a piece."""
        tensor, chunk = self.state_dict[write_item.index.fqn], write_item.tensor_data.chunk
        start = chunk.offsets[0] - tensor.row_shard.start
        return tensor.detach()[start:start + chunk.sizes[0]]


class RowLoadPlanner(DefaultLoadPlanner):
    """Reads the rows that a rank holds now, whoever wrote them."""

    def __init__(self):
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)

    def create_local_plan(self):
        """The pieces, and parts of pieces, that this rank reads."""
        return LoadPlan([item for name, tensor in self.state_dict.items() if len(tensor)
                         for item in create_read_items_for_chunk_list(
                             name, self.metadata.state_dict_metadata[name],
                             [_chunk(tensor, tensor.row_shard.start, tensor.row_shard.stop)])])

    def lookup_tensor(self, index):
        """This rank's tensor; read items count from its first row."""
        return self.state_dict[index.fqn]


class _MetadataUnpickler(pickle.Unpickler):
    """Builds the plain records of the engine's index, and nothing that could run code."""

    def find_class(self, module, name):
        if (module, name) in PICKLE_NAMES:
            return PICKLE_NAMES[module, name]
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module in PICKLE_MODULES:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f'{module}.{name} has no place in an index of rows')


class RowReader(FileSystemReader):
    """The engine's reader of files: its index by a restricted unpickler, and pieces with their checksums."""

    def read_data(self, plan, planner):
        """Read the pieces of a plan, each of which is an archive of ``torch.save``; see the engine's class.

        Raises:
            ValueError: If a piece is damaged; names the shard.
        """
        by_file = defaultdict(list)
        for item in plan.items:
            by_file[self.storage_data[item.storage_index].relative_path].append(item)
        for name, items in by_file.items():
            with open(Path(self.path) / name, 'rb', buffering=0) as stream:
                for item in items:
                    self._read_item(stream, item, planner)
        done = Future()
        done.set_result(None)
        return done

    def _read_item(self, stream, item, planner):
        place = self.storage_data[item.storage_index]
        try:
            archive = CheckedArchive(stream, stream.name, place.offset, place.length)
            piece = torch.load(archive, map_location='cpu', weights_only=True)
            archive.check()
        except Exception as error:  # whatever torch makes of bytes that are none of its own
            raise ValueError(f'shard {stream.name} is damaged: rows {item.storage_offsets[0]:,} on of '
                             f'{item.storage_index.fqn} do not have their checksum; {ADVICE}') from error
        target = planner.resolve_tensor(item).detach()
        for axis, (start, count) in enumerate(zip(item.storage_offsets, item.lengths)):
            piece = piece.narrow(axis, start, count)
        target.copy_(piece)
        planner.commit_tensor(item, target)

    def read_metadata(self):
        """The index of a folder of rows.

        Raises:
            ValueError: If it is torn, or holds anything but records of pieces.
        """
        path = Path(self.path) / '.metadata'
        try:
            with open(path, 'rb') as stream:
                metadata = _MetadataUnpickler(stream).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
            raise ValueError(f'{path} is not an index of rows ({error})') from error
        if not isinstance(metadata, Metadata):
            raise ValueError(f'{path} is not an index of rows')
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        return metadata
