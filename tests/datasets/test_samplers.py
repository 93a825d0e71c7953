"""Samplers: every image once, the same whatever the ranks, and resumable anywhere."""
import numpy as np
import pytest

from mlaface.datasets.samplers import base, sequential_sampler
from mlaface.registry import DATA_SAMPLERS


class Labelled(list):
    labels = np.repeat(np.arange(5), [9, 1, 4, 6, 3])


DATASET = Labelled(range(23))


def build(monkeypatch, rank=0, world=1, kind='EpochSampler', **arguments):
    for module in (base, sequential_sampler):
        monkeypatch.setattr(module, 'get_dist_info', lambda: (rank, world))
    return DATA_SAMPLERS.build(dict(dict(type=kind, dataset=DATASET), **arguments))


@pytest.mark.parametrize('world', [1, 2, 3, 5])
def test_without_dropping_each_image_comes_once(monkeypatch, world):
    samplers = [build(monkeypatch, rank, world, batch_size=4, drop_last=False) for rank in range(world)]
    draws = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(share) for share in draws]
    assert sorted(sum(draws, [])) == list(range(23))
    assert max(map(len, draws)) - min(map(len, draws)) <= 1


def test_ranks_take_blocks_of_the_order_of_one(monkeypatch):
    whole = list(build(monkeypatch, batch_size=4, seed=3))
    shares = [list(build(monkeypatch, rank, 2, batch_size=4, seed=3)) for rank in range(2)]
    joined = [draw for start in range(0, len(shares[0]), 4) for share in shares for draw in share[start:start + 4]]
    assert joined == whole[:16] and len(whole) == 20


@pytest.mark.parametrize('world', [1, 2, 7])
def test_evaluation_reads_an_image_once(monkeypatch, world):
    dataset = Labelled(range(6))
    dataset.metainfo = dict(same_as=np.array([0, 1, 0, 3, 1, 5]))
    shares = [list(build(monkeypatch, rank, world, 'SequentialSampler', dataset=dataset)) for rank in range(world)]
    assert sum(shares, []) == [0, 1, 3, 5]
    dataset.metainfo = None
    assert list(build(monkeypatch, kind='SequentialSampler', dataset=dataset)) == list(range(6))


@pytest.mark.parametrize('kind', ['EpochSampler', 'IdentitySampler'])
@pytest.mark.parametrize('position', [0, 8, 16])
def test_a_resumed_epoch_goes_on_where_it_stopped(monkeypatch, kind, position):
    whole = build(monkeypatch, kind=kind, batch_size=4, seed=9)
    whole.set_epoch(2)
    resumed = build(monkeypatch, kind=kind, batch_size=4, seed=0)
    resumed.load_state_dict(dict(epoch=2, position=position, seed=9))
    assert list(resumed) == list(whole)[position:]
    assert resumed.state_dict() == dict(epoch=2, position=position, seed=9)
    assert all(draw // 23 % base.AGAIN == 2 for draw in resumed)


def test_epochs_and_seeds_differ_and_the_order_can_be_kept(monkeypatch):
    sampler = build(monkeypatch, batch_size=1, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert [draw - 23 for draw in sampler] != first != list(build(monkeypatch, batch_size=1, seed=2))
    assert list(build(monkeypatch, batch_size=1, shuffle=False)) == list(range(23))


def test_a_position_of_another_data_set_is_refused(monkeypatch):
    sampler = build(monkeypatch, batch_size=4, drop_last=False)
    sampler.load_state_dict(dict(epoch=0, position=24, seed=0))  # behind a ragged last batch, which counts whole
    assert list(sampler) == []
    with pytest.raises(ValueError, match='another data set'):
        sampler.load_state_dict(dict(epoch=0, position=400, seed=0))


@pytest.mark.parametrize('world', [1, 2, 7, 30])
def test_evaluation_covers_each_row_once(monkeypatch, world):
    shares = [list(build(monkeypatch, rank, world, 'SequentialSampler')) for rank in range(world)]
    assert sum(shares, []) == list(range(23))


def test_identity_batches_are_groups_of_one_person(monkeypatch):
    sampler = build(monkeypatch, kind='IdentitySampler', batch_size=8, images_per_identity=4, drop_last=False)
    draws = np.array(list(sampler)).reshape(-1, 4)
    assert len(set(draws.ravel())) == draws.size, 'an image that comes again is augmented anew'
    draws %= len(DATASET)
    people = Labelled.labels[draws]
    assert len(sampler) == draws.size == 20 and (people == people[:, :1]).all()
    assert sorted(people[:, 0]) == [0, 1, 2, 3, 4]
    assert all(len(set(group)) == min(4, (Labelled.labels == Labelled.labels[group[0]]).sum()) for group in draws)
    with pytest.raises(ValueError, match='multiple'):
        build(monkeypatch, kind='IdentitySampler', batch_size=6)


@pytest.mark.parametrize('seed', range(20))
@pytest.mark.parametrize('people', [3, 5, 7])
def test_a_batch_has_as_many_identities_as_there_is_room_for(monkeypatch, people, seed):
    rng = np.random.default_rng(seed)
    dataset = Labelled(range(40))
    dataset.labels = rng.permutation(np.concatenate([np.arange(people), rng.integers(people, size=40 - people)])) * 7
    sampler = build(monkeypatch, kind='IdentitySampler', dataset=dataset, batch_size=6, images_per_identity=2,
                    seed=seed)
    batches = dataset.labels[np.array(list(sampler)).reshape(-1, 3, 2) % 40]
    assert (batches[..., 0] == batches[..., 1]).all()
    assert all(len(set(batch.ravel())) == 3 for batch in batches)


def test_the_images_of_an_identity_take_turns(monkeypatch):
    dataset = Labelled(range(40))
    dataset.labels = np.arange(40) % 5
    draws = list(build(monkeypatch, kind='IdentitySampler', dataset=dataset, batch_size=8, images_per_identity=4))
    assert sorted(draws) == list(range(40))


def test_a_batch_has_an_image(monkeypatch):
    with pytest.raises(ValueError, match='batch_size'):
        build(monkeypatch, batch_size=0)


def test_what_samplers_refuse(monkeypatch):
    for arguments, message in [
            (dict(kind='ClassBalancedSampler', power=2), 'power is 2'),
            (dict(kind='RepeatedAugmentationSampler', repeats=3), 'no multiple of repeats'),
            (dict(kind='MixedSampler'), "dataset.type='MixedFaces'"),
            (dict(kind='HardIdentitySampler', images_per_identity=2, near=2), 'room for 2 identities')]:
        with pytest.raises(ValueError, match=message):
            build(monkeypatch, batch_size=4, **arguments)
    dataset = Labelled(range(23))
    dataset.sizes = [20, 3]
    for weights in ([1], [1, -1], [0, 0], [1, float('nan')]):
        with pytest.raises(ValueError, match='one of at least 0 for each of the 2 sets'):
            build(monkeypatch, kind='MixedSampler', dataset=dataset, batch_size=4, weights=weights)
    hard = build(monkeypatch, kind='HardIdentitySampler', batch_size=4, images_per_identity=1)
    with pytest.warns(UserWarning, match='HardIdentityHook'):
        list(hard)
    with pytest.raises(ValueError, match='of 5 identities'):
        hard.tell(np.zeros((4, 1), int))
