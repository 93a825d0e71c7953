"""A ``DataLoader`` whose workers decode into shared memory that is used again, not made for each batch.

torch makes a new shared file for each tensor that a worker gives. Its pages are touched there for the first time, which
costs a worker up to two thirds of the time that it takes to decode the images (docs/performance.md).
"""
import math
from collections import deque
from functools import partial

import torch
from torch.utils.data import DataLoader, get_worker_info

from mlaface.utils.errors import UserError


class _SharedImages:
    """Gives a worker the memory of its batches, a few shared tensors in turn.

    A worker is asked for its batch ``j + prefetch_factor`` when the main process takes batch ``j``, and for the one
    after that when the main process has copied ``j`` and takes ``j + 1``. So ``prefetch_factor + 1`` are enough.

    Args:
        count (int): Shared tensors.
    """

    def __init__(self, count):
        self.tensors = [torch.empty(0, dtype=torch.uint8)] * count
        self.turn = 0

    def __call__(self, shape):
        size, self.turn = math.prod(shape), (self.turn + 1) % len(self.tensors)
        if self.tensors[self.turn].numel() < size:
            self.tensors[self.turn] = torch.empty(size, dtype=torch.uint8).share_memory_()
        return self.tensors[self.turn][:size].view(shape)


def _start_worker(worker_id, count, start):
    """Give this worker's data set shared memory, if it asks for its memory, and go on with ``start``."""
    dataset = get_worker_info().dataset
    if hasattr(dataset, 'allocate'):
        dataset.allocate = _SharedImages(count)
    if start is not None:
        start(worker_id)


class FaceLoader(DataLoader):
    """``DataLoader`` of batches that are dicts, with quick transport from its workers.

    A data set that takes the memory of a batch's images from ``dataset.allocate(shape)`` (uint8 tensor) gets shared
    memory in a worker. A batch is the caller's to keep: it is a copy, made here while the workers go on.

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
            worker_init_fn = partial(_start_worker, count=prefetch_factor + 1, start=worker_init_fn)
        super().__init__(dataset, num_workers=num_workers, prefetch_factor=prefetch_factor,
                         worker_init_fn=worker_init_fn, **options)

    def __iter__(self):
        mapped = deque(maxlen=self.num_workers * ((self.prefetch_factor or 0) + 1))
        for batch in self._loaded():
            mapped.append(batch)  # torch maps shared memory anew unless a tensor over it is alive
            yield {key: _own(value) for key, value in batch.items()}

    def _loaded(self):
        """The batches; an error that a user can mend comes from a worker in its own words, as from this process.

        Workers end with this: an error that held on to torch's iterator would let them wait for five seconds.
        """
        batches = super().__iter__()
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
