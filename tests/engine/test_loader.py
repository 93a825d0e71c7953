"""Batches from workers that use their memory again are the caller's to keep."""
import os
import signal
from functools import partial

import pytest
import torch
from torch.multiprocessing import reductions

from mlaface.datasets.formats.errors import FormatError
from mlaface.engine.data import build_dataloader
from mlaface.utils.errors import UserError


class Numbers(torch.utils.data.Dataset):
    """Images whose pixels are their index, in memory from ``allocate``."""

    def __init__(self, images):
        self.images = images
        self.image_size = 6, 5
        self.allocate = partial(torch.empty, dtype=torch.uint8)

    def __len__(self):
        return self.images

    def __getitems__(self, draws):
        images = self.allocate((len(draws), 6, 5, 3))
        images[:] = torch.tensor(draws).view(-1, 1, 1, 1)
        return dict(images=images.permute(0, 3, 1, 2), labels=torch.tensor(draws))


def loader(images=200, **options):
    return build_dataloader(dict(dataset=Numbers(images), batch_size=8, sampler=list(range(images)), **options), seed=0)


@pytest.mark.parametrize('workers, prefetch', [(0, None), (1, 1), (2, 2), (2, 4)])
def test_batches_that_are_kept_stay_as_they_came(workers, prefetch):
    batches = list(loader(203, num_workers=workers, prefetch_factor=prefetch))
    assert torch.cat([batch['labels'] for batch in batches]).tolist() == list(range(203))
    for batch in batches:
        assert batch['images'].shape == (len(batch['labels']), 3, 6, 5)
        assert batch['images'].is_contiguous(memory_format=torch.channels_last)
        assert not batch['images'].is_shared()
        assert (batch['images'] == batch['labels'].view(-1, 1, 1, 1)).all()


def test_an_epoch_that_was_left_early_does_not_disturb_the_next():
    batches = loader(num_workers=2, persistent_workers=True)
    first = [batch for batch, _ in zip(batches, range(3))]
    second = list(batches)
    for batch in first + second:
        assert (batch['images'] == batch['labels'].view(-1, 1, 1, 1)).all()
    assert len(second) == 25


def test_two_epochs_at_once_have_memory_of_their_own():
    batches = loader(num_workers=1)
    for first, second in zip(batches, batches):
        for batch in (first, second):
            assert (batch['images'] == batch['labels'].view(-1, 1, 1, 1)).all()


def by_torch(tensor, *_):
    raise AssertionError(f'{tensor.dtype} {tuple(tensor.shape)} came by a file of its own')


@pytest.mark.parametrize('start', ['fork', 'spawn'])
def test_images_come_by_the_memory_that_was_lent_and_labels_by_the_pipe(monkeypatch, start):
    if start == 'fork':  # a spawned worker gets the memory itself in that way
        monkeypatch.setattr(reductions, 'rebuild_storage_fd', by_torch)
    batches = list(loader(24, num_workers=1, multiprocessing_context=start))
    assert [batch['labels'].tolist() for batch in batches] == [list(range(n, n + 8)) for n in (0, 8, 16)]
    assert all((batch['images'] == batch['labels'].view(-1, 1, 1, 1)).all() for batch in batches)


class Large(Numbers):
    """Numbers that are larger than the data set says."""

    def __getitems__(self, draws):
        images = self.allocate((len(draws), 60, 50, 3))
        images[:] = torch.tensor(draws).view(-1, 1, 1, 1)
        return dict(images=images.permute(0, 3, 1, 2), labels=torch.tensor(draws))


def test_images_that_do_not_fit_into_the_memory_come_all_the_same():
    batches = list(build_dataloader(dict(dataset=Large(20), batch_size=8, sampler=list(range(20)), num_workers=1),
                                    seed=0))
    assert [len(batch['images']) for batch in batches] == [8, 8, 4]
    for batch in batches:
        assert batch['images'].shape[1:] == (3, 60, 50)
        assert (batch['images'] == batch['labels'].view(-1, 1, 1, 1)).all()


class Broken(Numbers):
    """Numbers whose image 100 cannot be read, for a reason that the user can mend or not."""

    def __init__(self, images, kind):
        super().__init__(images)
        self.kind = kind

    def __getitems__(self, draws):
        if 100 in draws:
            raise self.kind('train.rec, key 100:\nIt is torn. Fetch it again') from OSError('cause')
        return super().__getitems__(draws)


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_an_error_that_can_be_mended_comes_from_a_worker_in_its_own_words(workers):
    batches = iter(build_dataloader(dict(dataset=Broken(200, FormatError), batch_size=8, sampler=list(range(200)),
                                         num_workers=workers), seed=0))
    assert len([next(batches) for _ in range(12)]) == 12
    with pytest.raises(FormatError) as caught:
        next(batches)
    assert str(caught.value) == 'train.rec, key 100:\nIt is torn. Fetch it again'


def test_a_mistake_of_a_data_set_comes_from_a_worker_with_its_traceback():
    with pytest.raises(ValueError, match='(?s)Caught ValueError in DataLoader worker.*in __getitems__'):
        list(build_dataloader(dict(dataset=Broken(200, ValueError), batch_size=8, sampler=list(range(200)),
                                   num_workers=1), seed=0))


class Deadly(Numbers):
    """Numbers whose worker is killed, as by a system without memory."""

    def __getitems__(self, draws):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow  # torch looks after its workers every five seconds
def test_a_worker_that_was_killed_is_told_with_what_helps():
    with pytest.raises(UserError, match='(exited unexpectedly|signal: Killed).*fewer num_workers'):
        list(build_dataloader(dict(dataset=Deadly(8), batch_size=8, sampler=list(range(8)), num_workers=1), seed=0))
