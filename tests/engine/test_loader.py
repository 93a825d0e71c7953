"""Batches from workers that use their memory again are the caller's to keep."""
import pytest
import torch

from mlaface.engine.data import build_dataloader


class Numbers(torch.utils.data.Dataset):
    """Images whose pixels are their index, in memory from ``allocate``."""

    def __init__(self, images):
        self.images = images
        self.allocate = lambda shape: torch.empty(shape, dtype=torch.uint8)

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
