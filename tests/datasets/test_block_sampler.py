"""An order that stays near in the files: everything once, the same for all ranks, of few blocks at a time."""
import numpy as np
import pytest

from tests.datasets.test_sampler_properties import epoch, in_order, samplers


def order(length, number=0, world=1, batch=4, **options):
    ranks = samplers(world, 'BlockSampler', range(length), batch_size=batch, drop_last=False,
                     **{**dict(seed=3, block=8, window=4), **options})
    return epoch(ranks, number)


@pytest.mark.parametrize('length, world, batch, options', [
    (1, 1, 4, {}), (45, 3, 4, {}), (1000, 4, 8, {}), (1000, 2, 8, dict(lanes=4)), (999, 2, 7, dict(block=13, window=2)),
    (50, 5, 3, dict(window=1)), (64, 1, 64, dict(lanes=8))])
def test_every_image_once_an_epoch_and_anew_in_the_next(length, world, batch, options):
    epochs = [np.concatenate(order(length, number, world, batch, **options)) - number * length for number in (0, 1)]
    assert all(sorted(drawn) == list(range(length)) for drawn in epochs)
    assert length < 9 or not np.array_equal(*epochs)


def test_ranks_share_one_order_where_lanes_are_stated():
    one, four = (order(1000, world=world, batch=8, lanes=4) for world in (1, 4))
    assert one[0][:960] == in_order(four, 8)[:960]
    halves = order(1000, world=4, batch=4, lanes=4, turn=8)
    assert one[0][:960] == in_order(halves, 4)[:960], 'the same images an update from smaller batches'


def test_a_resumed_epoch_goes_on_where_it_stopped():
    sampler, = samplers(1, 'BlockSampler', range(1000), batch_size=8, seed=3, block=8, window=4)
    sampler.set_epoch(2)
    whole = list(sampler)
    sampler.load_state_dict(dict(epoch=2, position=400, seed=3))
    assert list(sampler) == whole[400:]


def test_a_rank_reads_few_blocks_at_a_time_and_none_of_another():
    """With a cache of two windows a lane each block comes once; a shuffle of everything reads some for every image."""
    shares = [np.array(share) for share in order(8 * 4 * 10, world=2)]
    assert not set(shares[0] // 8) & set(shares[1] // 8)
    for share in shares:
        windows = share.reshape(-1, 8 * 4) // 8
        assert all(len(set(window.tolist())) == 4 for window in windows)
        assert np.abs(np.diff(share)).mean() > 8, 'and the blocks are mixed'


def test_what_it_refuses():
    with pytest.raises(ValueError, match='must be at least 1'):
        samplers(1, 'BlockSampler', range(9), batch_size=2, window=0)
