"""Samplers at any length, batch and number of ranks: nothing twice, nothing left out, and any place to go on from."""
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlaface.datasets.samplers import base, sequential_sampler
from mlaface.registry import DATA_SAMPLERS


class Faces:
    def __init__(self, labels):
        self.labels = np.asarray(labels)
        half = (len(labels) + 1) // 2
        self.sizes = [half, len(labels) - half] if len(labels) > 1 else [half]  # as of two sets

    def __len__(self):
        return len(self.labels)


def samplers(world, kind, labels, **arguments):
    """One sampler a rank."""
    found = []
    real = base.get_dist_info
    try:
        for rank in range(world):
            for module in (base, sequential_sampler):
                module.get_dist_info = lambda rank=rank: (rank, world)
            found.append(DATA_SAMPLERS.build(dict(type=kind, dataset=Faces(labels), **arguments)))
            if kind == 'HardIdentitySampler':
                found[-1].tell(neighbours(len(found[-1].people)))
    finally:  # also where a sampler is refused
        base.get_dist_info = sequential_sampler.get_dist_info = real
    return found


def neighbours(people):
    """Everybody else for each, the next numbers first."""
    return (np.arange(people)[:, None] + np.arange(1, people)) % people


def epoch(ranks, number):
    for sampler in ranks:
        sampler.set_epoch(number)
    return [list(sampler) for sampler in ranks]


def in_order(shares, block):
    """The draws of all ranks as one rank would take them, whole global batches only."""
    whole = min(map(len, shares)) // block * block
    return [draw for start in range(0, whole, block) for share in shares for draw in share[start:start + block]]


KINDS = st.sampled_from(['EpochSampler', 'IdentitySampler', 'ClassBalancedSampler', 'RepeatedAugmentationSampler',
                         'MixedSampler', 'HardIdentitySampler'])
GROUPED = dict(IdentitySampler='images_per_identity', HardIdentitySampler='images_per_identity',
               RepeatedAugmentationSampler='repeats')
LABELS = st.lists(st.integers(0, 9), min_size=1, max_size=45)
WORLDS, SEEDS, EPOCHS = st.integers(1, 5), st.integers(0, 2**32), st.integers(0, 10**6)


@settings(max_examples=80)
@given(LABELS, WORLDS, st.integers(1, 9), SEEDS, EPOCHS, st.booleans())
def test_every_image_once_an_epoch(labels, world, size, seed, number, drop_last):
    ranks = samplers(world, 'EpochSampler', labels, batch_size=size, seed=seed, drop_last=drop_last)
    shares = epoch(ranks, number)
    draws = sum(shares, [])
    assert len(set(draws)) == len(draws) and all(draw // len(labels) == number for draw in draws)
    block = world * size
    assert len(draws) == (len(labels) // block * block if drop_last else len(labels))
    assert [len(sampler) for sampler in ranks] == list(map(len, shares))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@settings(max_examples=80)
@given(KINDS, LABELS, WORLDS, st.integers(1, 3), st.integers(1, 3), SEEDS, EPOCHS, st.booleans(), st.integers(0, 12))
def test_any_place_is_one_to_go_on_from(kind, labels, world, size, group, seed, number, drop_last, done):
    size += kind == 'HardIdentitySampler'  # room for somebody who is near
    arguments = dict(batch_size=size * group, drop_last=drop_last)
    if kind in GROUPED:
        arguments[GROUPED[kind]] = group
    ranks = samplers(world, kind, labels, seed=seed, **arguments)
    shares = epoch(ranks, number)
    block = size * group
    done = min(done, -(-max(map(len, shares)) // block))
    state = dict(epoch=number, position=done * block * world, seed=seed)
    again = samplers(world, kind, labels, seed=seed ^ 1, **arguments)
    for sampler, share in zip(again, shares):
        sampler.load_state_dict(state)
        assert list(sampler) == share[done * block:] and sampler.state_dict() == state
        assert len(sampler) == len(share), 'the length is that of a whole epoch'


@settings(max_examples=60)
@given(KINDS.filter(lambda kind: kind != 'HardIdentitySampler'), LABELS,
       st.sampled_from([(1, 2), (2, 1), (4, 2), (2, 4), (3, 1)]), SEEDS, st.integers(0, 3))
def test_other_ranks_with_the_same_global_batch_take_the_same_images(kind, labels, worlds, seed, done):
    """The order is one, whoever deals it: block r of a global batch goes to rank r."""
    block = 12
    orders = []
    for world in worlds:
        ranks = samplers(world, kind, labels, seed=seed, batch_size=block // world,
                         **({GROUPED[kind]: 1} if kind in GROUPED else {}))
        for sampler in ranks:
            sampler.load_state_dict(dict(epoch=3, position=min(done * block, len(labels) // block * block), seed=seed))
        orders.append(in_order(list(map(list, ranks)), block // world))
    assert orders[0] == orders[1]


@settings(max_examples=80)
@example([0] * 5000, (1, 50), (3, 32), 0, True, 23)
@given(LABELS, st.tuples(WORLDS, st.integers(1, 9)), st.tuples(WORLDS, st.integers(1, 9)), SEEDS, st.booleans(),
       st.integers(0, 12))
def test_other_ranks_and_batches_go_on_in_full_batches(labels, before, after, seed, drop_last, done):
    """A last batch of other ranks than those that came here could leave one without images, and the others waiting."""
    arguments = dict(seed=seed, drop_last=drop_last)
    world, size = before
    position = min(done * world * size, len(labels))
    order = epoch(samplers(1, 'EpochSampler', labels, batch_size=1, seed=seed), 3)[0]
    world, size = after
    ranks = samplers(world, 'EpochSampler', labels, batch_size=size, **arguments)
    for sampler in ranks:
        sampler.load_state_dict(dict(epoch=3, position=position, seed=seed))
    shares = [list(sampler) for sampler in ranks]
    block = world * size
    if position % block:
        assert all(len(share) == len(shares[0]) and len(share) % size == 0 for share in shares)
        assert len(labels) - position - sum(map(len, shares)) < block
    assert in_order(shares, size) == order[position:position + len(in_order(shares, size))]


@settings(max_examples=80)
@given(LABELS, WORLDS, st.integers(1, 3), st.integers(1, 4), SEEDS, st.booleans())
def test_a_group_is_of_one_person_on_one_rank(labels, world, size, group, seed, drop_last):
    """Also in the last global batch, which may not be full."""
    ranks = samplers(world, 'IdentitySampler', labels, batch_size=size * group, images_per_identity=group, seed=seed,
                     drop_last=drop_last)
    labels = np.asarray(labels)
    for share in epoch(ranks, 0):
        images = np.array(share, int) % len(labels)
        groups = labels[images].reshape(-1, group)
        assert (groups == groups[:, :1]).all()
        for row in images.reshape(-1, group):
            assert len(set(row)) == min(group, (labels == labels[row[0]]).sum())


@settings(max_examples=40)
@given(LABELS, SEEDS, EPOCHS)
def test_no_identity_is_shown_much_more_often_than_another(labels, seed, number):
    sampler, = samplers(1, 'IdentitySampler', labels, batch_size=1, images_per_identity=1, seed=seed)
    shown = np.bincount(np.asarray(labels)[np.array(epoch([sampler], number)[0]) % len(labels)], minlength=10)
    shown = shown[np.unique(labels)]
    assert shown.max() - shown.min() <= 1 and shown.sum() == len(labels)


@settings(max_examples=40)
@example([0] * 8, 4, 0, 0)
@given(LABELS, st.integers(1, 4), SEEDS, EPOCHS)
def test_the_images_of_an_identity_are_shown_equally_often(labels, group, seed, number):
    sampler, = samplers(1, 'IdentitySampler', labels, batch_size=group, images_per_identity=group, seed=seed)
    shown = np.bincount(np.array(epoch([sampler], number)[0], int) % len(labels), minlength=len(labels))
    for label in set(labels):
        own = shown[np.asarray(labels) == label]
        if len(own) >= group:  # in a group of fewer images some come twice
            assert own.max() - own.min() <= 1


@settings(max_examples=60)
@given(KINDS, LABELS, WORLDS, st.integers(2, 6), SEEDS, EPOCHS)
def test_an_image_that_comes_again_is_another_draw(kind, labels, world, size, seed, number):
    draws = sum(epoch(samplers(world, kind, labels, seed=seed, batch_size=size,
                               **({GROUPED[kind]: 1} if kind in GROUPED else {})), number), [])
    assert len(set(draws)) == len(draws)
    assert all(draw // len(labels) % base.AGAIN == number for draw in draws)


@settings(max_examples=60)
@given(LABELS, st.sampled_from([0.0, 0.5, 1.0]), SEEDS, EPOCHS)
def test_classes_come_as_often_as_their_share(labels, power, seed, number):
    sampler, = samplers(1, 'ClassBalancedSampler', labels, batch_size=1, seed=seed, power=power)
    draws = np.array(epoch([sampler], number)[0]) % len(labels)
    counts = np.bincount(labels, minlength=10)
    wanted = np.where(counts > 0, counts.clip(1) ** power, 0)
    wanted = wanted / wanted.sum() * len(labels)
    assert len(draws) == len(labels)
    assert (np.abs(np.bincount(np.asarray(labels)[draws], minlength=10) - wanted) < 1 + 1e-9).all()
    for label in set(labels):
        own = np.bincount(draws, minlength=len(labels))[np.asarray(labels) == label]
        assert own.max() - own.min() <= 1


@settings(max_examples=60)
@given(LABELS, st.integers(1, 5), SEEDS)
def test_repeated_images_come_in_groups_and_all_before_any_again(labels, repeats, seed):
    sampler, = samplers(1, 'RepeatedAugmentationSampler', labels, batch_size=repeats, repeats=repeats, seed=seed)
    shown = []
    for number in range(4):
        groups = np.array(epoch([sampler], number)[0], int).reshape(-1, repeats) % len(labels)
        assert (groups == groups[:, :1]).all()
        shown += groups[:, 0].tolist()
    for start in range(0, len(shown), len(labels)):
        turn = shown[start:start + len(labels)]
        assert len(set(turn)) == len(turn)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.data(), SEEDS)
def test_sets_are_mixed_by_their_weights_everywhere(sizes, data, seed):
    weights = data.draw(st.lists(st.integers(0, 9), min_size=len(sizes), max_size=len(sizes)).filter(any))
    faces, real = Faces(range(sum(sizes))), base.get_dist_info
    faces.sizes = sizes
    sampler = DATA_SAMPLERS.build(dict(type='MixedSampler', dataset=faces, batch_size=1, weights=weights, seed=seed,
                                       images_per_epoch=60))
    assert base.get_dist_info is real
    kind = np.repeat(np.arange(len(sizes)), sizes)
    shown = np.stack([np.array(epoch([sampler], number)[0]) % sum(sizes) for number in range(3)])
    share = sampler.shares / 60
    assert (np.abs(share - np.array(weights) / sum(weights)) < 1 / 60).all()
    for row in kind[shown]:
        for start, stop in ((0, 60), (0, 13), (20, 41)):
            found = np.bincount(row[start:stop], minlength=len(sizes))
            assert (np.abs(found - share * (stop - start)) <= 1 + len(sizes) * share).all()
    for number, size in enumerate(sizes):
        own = shown.ravel()[kind[shown.ravel()] == number]
        for start in range(0, len(own), size):
            assert len(set(own[start:start + size])) == len(own[start:start + size])


@settings(max_examples=60)
@given(LABELS, st.integers(1, 3), st.integers(2, 4), SEEDS)
def test_a_batch_brings_those_who_are_near(labels, near, size, seed):
    size = max(size, near + 1)
    sampler, = samplers(1, 'HardIdentitySampler', labels, batch_size=size, near=near, images_per_identity=1, seed=seed)
    people, batches = len(sampler.people), np.asarray(labels)[np.array(epoch([sampler], 1)[0], int) % len(labels)]
    place = np.searchsorted(sampler.people, batches)
    for row in place.reshape(-1, size) if people > size else ():
        assert len(set(row)) == size
        first = row[:size // (1 + near)]
        wanted = {(one + step) % people for one in first for step in range(1, near + 1)}
        assert wanted <= set(row)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 40))
def test_evaluation_takes_each_distinct_image_once_in_order(first, world):
    faces = Faces(range(len(first)))
    same_as = np.array([min(place, row) if min(place, row) == row or first[min(place, row)] == min(place, row) else row
                        for row, place in enumerate(first)], int)
    faces.metainfo = dict(same_as=same_as)
    shares, real = [], sequential_sampler.get_dist_info
    for rank in range(world):
        sequential_sampler.get_dist_info = lambda rank=rank: (rank, world)
        sampler = DATA_SAMPLERS.build(dict(type='SequentialSampler', dataset=faces))
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    sequential_sampler.get_dist_info = real
    assert sum(shares, []) == sorted(set(same_as.tolist())) and max(map(len, shares)) - min(map(len, shares)) <= 1
