"""A ``DataLoader`` whose workers decode into memory that they share with the main process, the same for all batches.

torch makes a new shared file for each tensor that a worker gives. Its pages are touched there for the first time, which
costs a worker up to two thirds of the time that it takes to decode the images, and its handle is fetched from a thread
of the worker, with a handshake, which costs a tenth (docs/performance.md).
"""
import itertools
import math
import weakref
from functools import partial

import torch
from torch.utils.data import DataLoader, get_worker_info

from mlaface.utils.errors import UserError
from mlaface.utils.image_memory import image_memory

SMALL = 1 << 16  # bytes, which go through a pipe as quickly as a handle
BY_PIPE = torch.int64, torch.int32, torch.float32, torch.uint8, torch.bool

_numbers = itertools.count()
_lent = weakref.WeakValueDictionary()  # what this process has lent to workers, by number


class _SharedImages:
    """Memory of the batches of some workers: a few tensors for each, that it uses in turn.

    A worker is asked for its batch ``j + prefetch_factor`` when the main process takes batch ``j``, and for the one
    after that when the main process has copied ``j`` and takes ``j + 1``. So ``prefetch_factor + 1`` are enough.

    Args:
        workers (int): How many they are.
        count (int): Tensors of each.
        size (int): Bytes of a batch.
    """

    def __init__(self, workers, count, size):
        self.number, self.count = next(_numbers), count
        self.tensors = [image_memory((size,), share=True) for _ in range(workers * count)]
        _lent[self.number] = self


class _Allocator:
    """Gives a worker the memory of its next batch: of its share of ``_SharedImages``, new where that is too small."""

    def __init__(self, memory, worker):
        self.memory, self.places = memory, range(worker * memory.count, (worker + 1) * memory.count)
        self.turn = -1

    def __call__(self, shape):
        size, self.turn = math.prod(shape), (self.turn + 1) % len(self.places)
        shared = self.memory.tensors[self.places[self.turn]]
        return shared[:size].view(shape) if size <= len(shared) else image_memory(shape)

    def place(self, tensor):
        """Which tensor of the memory the images of this turn lie over (int), or None."""
        place = self.places[self.turn]
        same = tensor.untyped_storage().data_ptr() == self.memory.tensors[place].untyped_storage().data_ptr()
        return place if same and tensor.dtype == torch.uint8 else None


class _Posted:
    """A tensor on its way from a worker: where it lies in the shared memory, or its numbers if they are few."""

    def __init__(self, reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def _posted(value, allocate):
    """What is sent for a value of a batch; the main process gets a tensor where it is one."""
    if not torch.is_tensor(value):
        return value
    place = allocate.place(value) if isinstance(allocate, _Allocator) else None
    if place is not None:
        return _Posted((_over_shared, (allocate.memory.number, place, value.shape, value.stride(),
                                       value.storage_offset())))
    if value.dtype in BY_PIPE and value.nbytes <= SMALL and value.is_contiguous() and value.device.type == 'cpu':
        return _Posted((torch.from_numpy, (value.detach().numpy(),)))
    return value


def _over_shared(number, place, *view):
    """The tensor that a worker has posted; an empty one where nobody waits for it, since its epoch was left."""
    memory = _lent.get(number)
    return torch.empty(0) if memory is None else memory.tensors[place].as_strided(*view)


def _start_worker(worker_id, memory, start):
    """Give this worker's data set its share of the memory, and go on with ``start``."""
    get_worker_info().dataset.allocate = _Allocator(memory, worker_id)
    if start is not None:
        start(worker_id)


def _collated(samples, collate):
    """A batch of a worker, ready to be sent."""
    allocate = getattr(get_worker_info().dataset, 'allocate', None)
    return {key: _posted(value, allocate) for key, value in collate(samples).items()}


class FaceLoader(DataLoader):
    """``DataLoader`` of batches that are dicts, with quick transport from its workers.

    A data set of images of one ``image_size`` that takes the memory of a batch from ``dataset.allocate(shape)`` (uint8
    tensor) gets shared memory in a worker. A batch is the caller's to keep: it is a copy, made here while the workers
    go on.

    Args:
        dataset (Dataset): The data set.
        num_workers (int): Processes that load; 0: this one. Default 0.
        prefetch_factor (int, optional): Batches a worker is ahead. Default: 2, where there are workers.
        worker_init_fn (callable, optional): Called in a worker with its number.
        options: What else ``torch.utils.data.DataLoader`` takes.
    """

    def __init__(self, dataset, num_workers=0, prefetch_factor=None, worker_init_fn=None, **options):
        if num_workers:
            prefetch_factor = prefetch_factor or 2
        super().__init__(dataset, num_workers=num_workers, prefetch_factor=prefetch_factor,
                         worker_init_fn=worker_init_fn, **options)
        self._start, self._memory = worker_init_fn, None
        if num_workers:
            self.collate_fn = partial(_collated, collate=self.collate_fn)

    def __iter__(self):
        memory = self._lend() if self._iterator is None else self._memory  # for workers to come, or that live on
        self._memory = memory if self.persistent_workers else None
        for batch in self._loaded():
            yield {key: _own(value) for key, value in batch.items()}

    def _lend(self):
        """Memory for workers that are about to start; None where the size of a batch is not known before."""
        shape = self.batch_size, *getattr(self.dataset, 'image_size', (None,)), 3
        if not self.num_workers or None in shape or not hasattr(self.dataset, 'allocate'):
            return None
        memory = _SharedImages(self.num_workers, self.prefetch_factor + 1, math.prod(shape))
        self.worker_init_fn = partial(_start_worker, memory=memory, start=self._start)
        return memory

    def _loaded(self):
        """The batches; an error that a user can mend comes from a worker in its own words, as from this process.

        Workers end with this: an error that held on to torch's iterator would let them wait for five seconds.
        """
        batches, self.worker_init_fn = super().__iter__(), self._start
        while True:
            try:
                batch = next(batches, None)
            except UserError as error:
                del batches
                raise type(error)(_own_words(error)) from error.with_traceback(None)
            except RuntimeError as error:
                if 'DataLoader worker (pid' not in str(error):
                    raise
                raise UserError(f'{error}. Where memory is short, processes are killed: set fewer num_workers, or a '
                                'smaller prefetch_factor; in a container, give it more shared memory (--shm-size)'
                                ) from error
            if batch is None:
                return
            yield batch


def _own_words(error):
    """The message of an error; torch puts the worker's traceback before it, whose last line is ``TYPE: MESSAGE``."""
    kind = type(error)
    return str(error).rpartition(f'\n{kind.__module__}.{kind.__qualname__}: ')[2].strip()


def _own(value):
    """A copy of a shared tensor, by numpy: torch copies with several threads, which then spin beside the workers."""
    if torch.is_tensor(value) and value.is_shared():
        return torch.from_numpy(value.numpy().copy(order='K'))
    return value
