"""A batch over which a BatchNorm can take no mean is refused before training, and only where there is such a norm."""
import pytest
import torch

from mlaface.engine import batches
from mlaface.engine.batches import check_batches, lonely_norm, smallest_batch
from mlaface.engine.config import load_config
from mlaface.engine.data import build_dataloader
from mlaface.engine.errors import ConfigError
from tests.engine.gloo import run_ranks
from tests.engine.toy import run


class Images(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return self.images


def loader(images, batch_size, drop_last=False):
    return build_dataloader(dict(dataset=Images(images), batch_size=batch_size, sampler=dict(
        type='EpochSampler', drop_last=drop_last)), seed=0)


@pytest.mark.parametrize('images, size, drop_last, accumulate, smallest', [
    (9, 4, False, 1, 1), (9, 4, True, 1, 4), (8, 4, False, 1, 4), (10, 4, False, 1, 2), (9, 4, False, 3, 1),
    (9, 4, False, 2, 4), (5, 1, True, 1, 1)])
def test_the_smallest_batch_of_an_epoch(images, size, drop_last, accumulate, smallest):
    assert smallest_batch(loader(images, size, drop_last), accumulate) == smallest


@pytest.fixture(scope='module')
def network():
    return load_config('configs/mla_r18w025_synthetic.py')


def test_the_norm_that_has_one_value_is_found_without_data(network):
    assert lonely_norm(network.model.to_dict()) == 'neck.features (BatchNorm1d)'
    assert lonely_norm(dict(type='ToyRecognizer')) is None  # its norm has a value a place
    assert lonely_norm(dict(type='ToyRecognizer', hidden='many')) is None


@pytest.mark.parametrize('images, size, message', [
    (8, 1, r'batch_size=1: .*neck.features \(BatchNorm1d\).*batch_size to 2'),
    (9, 4, r'9 images do not fill.*4 on each of 1 ranks.*neck.features.*drop_last=True')])
def test_one_image_is_refused_with_what_to_change(network, images, size, message):
    with pytest.raises(ConfigError, match=message):
        check_batches(loader(images, size), 1, network)
    check_batches(loader(8, 4), 1, network)
    check_batches(loader(images, size), 1, dict(model=dict(type='ToyRecognizer')))


def test_a_network_whose_norms_have_places_trains_on_one_image(tmp_path):
    assert run(tmp_path, train_dataloader__batch_size=1, train_cfg__max_epochs=1).iter == 44


def refused(rank, world):
    found = []
    for images, size in ((4, 1), (6, 2), (5, 2), (8, 2)):
        try:
            check_batches(loader(images, size), 1, load_config('configs/arcface_r18w025_synthetic.py'))
            found.append('')
        except ConfigError as error:
            found.append(str(error))
    return found


def test_ranks_refuse_alike(tmp_path):
    first, second = run_ranks(refused, 2, tmp_path / 'ranks')
    assert first == second
    one, shared, alone, whole = first
    assert 'batch_size=1' in one and 'leave a rank with one' in shared and 'a rank without any' in alone and not whole


def test_norms_over_all_ranks_take_one_image_each(network, monkeypatch):
    monkeypatch.setattr(batches, 'world_size', lambda: 2)
    with pytest.raises(ConfigError):
        check_batches(loader(8, 1), 1, network)
    check_batches(loader(8, 1), 1, dict(network, sync_bn=True))
