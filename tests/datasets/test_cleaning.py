"""Copies, leaks and wrong labels: what is planted is found, what is right is left alone."""
import numpy as np
import pytest
import torch

from mlaface.datasets.prepare import products
from mlaface.datasets.prepare.clean import clean, persons
from mlaface.datasets.prepare.duplicates import find_copies, joined, near_pairs
from mlaface.datasets.prepare.leak import Strangers, confidences, find_leaks
from mlaface.datasets.prepare.measures import MEASURES, measure
from mlaface.datasets.prepare.plant import KINDS, found_of, plant
from mlaface.datasets.prepare.products import best_others, pairs_above, pairs_within_part, unit


def people(count=60, images=12, dimension=64, spread=0.9, seed=0):
    """Unit rows of people and their labels; a person's images lie around a centre."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), images)
    noise = rng.standard_normal((len(labels), dimension)) * spread / dimension ** 0.5
    return unit(unit(rng.standard_normal((count, dimension)))[labels] + noise), labels


@pytest.mark.parametrize('kind', [torch.float32, torch.bfloat16])
def test_pairs_above_a_cosine_are_those_of_the_whole_matrix(kind):
    rows, _ = people(40, 5, 32)
    probes = rows[::7] + np.float32(0.05)
    whole = rows.astype(np.float64) @ unit(probes).astype(np.float64).T
    for threshold in (0.3, 0.7, np.sort(whole.ravel())[-9] - 1e-6):
        found = pairs_above(rows, probes, float(threshold), kind=kind)
        assert set(zip(found.first.tolist(), found.second.tolist())) == set(zip(*map(list, map(
            np.ndarray.tolist, np.nonzero(whole >= threshold)))))
        assert np.allclose(found.cosine, whole[found.first, found.second], atol=1e-6)


def test_pairs_within_an_array_are_those_of_it_with_itself_to_the_bit(monkeypatch):
    """The lower row first, whatever the blocks and parts."""
    rows, _ = people(40, 5, 32)
    whole = pairs_above(rows, rows, 0.3)
    lower = whole.first < whole.second
    expected = [array[lower].tobytes() for array in whole]
    for block, parts in ((2048, [0, 200]), (64, [0, 64, 128, 200]), (7, [0, 70, 200, 200])):
        monkeypatch.setattr(products, 'BLOCK', block)
        found = [pairs_within_part(*part, rows, 0.3) for part in zip(parts, parts[1:])]
        assert [np.concatenate(arrays).tobytes() for arrays in zip(*found)] == expected


def test_pairs_of_other_dimensions_and_of_too_many_are_refused():
    rows, _ = people(4, 3, 16)
    with pytest.raises(ValueError, match='take one model'):
        pairs_above(rows, rows[:, :8], 0.5)
    with pytest.raises(ValueError, match='ask for a higher one'):
        pairs_above(rows, rows, -1, most=10)
    assert not len(pairs_above(rows[:0], rows, 0.5).first)


def test_rows_without_a_length_stay_zero():
    assert unit(np.array([[0, 0], [3, 4], [np.nan, 1], [np.inf, 1]])).tolist() == pytest.approx(
        np.array([[0, 0], [0.6, 0.8], [0, 0], [0, 0]]))


def test_the_nearest_other_row_is_not_ones_own():
    rows, labels = people(6, 4, 16)
    place, cosine = best_others(rows, rows, np.arange(len(rows)), block=5)
    whole = rows @ rows.T - 9 * np.eye(len(rows))
    assert (place == whole.argmax(1)).all() and np.allclose(cosine, whole.max(1), atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_planted_faults_are_found_and_nothing_else(kind):
    rows, labels = people()
    found = clean(rows, labels, 60)
    assert not len(found.wrong) and not found.merges and not found.splits and len(found.outliers) <= 2
    planted = plant(labels, kind, 0.05, seed=1)
    found = found_of(kind, clean(rows[planted.rows], planted.labels, planted.classes))
    assert len(planted.faults & found) >= 0.9 * len(planted.faults)
    assert len(found - planted.faults) <= 3


def test_planted_shares_are_what_they_say():
    labels = np.repeat(np.arange(50), 8)
    for kind, share in (('outlier', 0.2), ('wrong', 0.2), ('merge', 0.2), ('split', 0.2)):
        planted = plant(labels, kind, share, seed=3)
        whole = len(planted.rows) - len(planted.faults) if kind == 'outlier' else (
            len(planted.rows) if kind == 'wrong' else planted.classes - (len(planted.faults) if kind == 'merge' else 0))
        assert len(planted.faults) / whole == pytest.approx(share, abs=0.06)
        assert set(planted.labels.tolist()) == set(range(planted.classes))
        if kind == 'wrong':
            assert {row for row in range(400) if planted.labels[row] != labels[row]} == planted.faults
        if kind == 'outlier':
            strangers = planted.rows[sorted(planted.faults)]
            assert not set(labels[strangers].tolist()) & set(labels[planted.rows[:-len(strangers)]].tolist())


def test_what_cannot_be_used_is_an_outlier_and_one_class_is_refused():
    rows, labels = people(20, 6)
    rows[3] = 0
    found = clean(rows, labels, 21)
    assert 3 in found.outliers and np.isnan(found.own[3])
    with pytest.raises(ValueError, match='at least two classes'):
        clean(rows, np.zeros(len(rows), int), 1)


def test_a_large_class_is_grouped_as_a_small_one_is():
    rows, labels = people(2, 1000, 32, 0.5)
    groups = persons(rows, np.arange(2000), 0.4)
    assert [len(group) for group in groups] == [1000, 1000] and len(set(labels[groups[0]].tolist())) == 1


def test_shared_people_are_found_with_confidence_and_strangers_are_not():
    rows, labels = people(120, 10, 64)
    tested = (labels >= 100) | ((labels < 6) & (np.arange(len(labels)) % 10 < 4))
    found = find_leaks(rows[~tested], labels[~tested], 120, rows[tested])
    assert set(found.classes[found.confidence > 0.9].tolist()) == set(range(6))
    assert (np.diff(found.confidence) <= 0).all() and found.confidence.max() <= 1
    assert (labels[tested][found.images[:6]] == found.classes[:6]).all()


def test_a_single_image_under_another_name_is_found():
    rows, labels = people(80, 10, 64)
    tested = labels >= 70
    training, names = rows[~tested].copy(), labels[~tested]
    training[33] = rows[labels == 75][2]  # one picture of the benchmark, under the name of 3
    found = find_leaks(training, names, 80, rows[tested])
    assert found.stray_rows.tolist() == [33] and labels[tested][found.stray_images[0]] == 75
    with pytest.raises(ValueError, match='too few'):
        find_leaks(training[:50], names[:50], 80, rows[tested])
    with pytest.raises(ValueError, match='take one model'):
        find_leaks(training[:, :8], names, 80, rows[tested])


def test_the_law_of_strangers_and_the_share_of_them():
    law = Strangers(0.4, 0.05)
    for chance in (0.5, 0.01, 1e-9):
        assert law.chance(law.cosine(chance)) == pytest.approx(chance)
    sure = confidences(np.array([0.4, 0.9, 0.41, 0.42]), law)
    assert sure[1] > 0.99 and sure[0] < 0.5 and sure[1] >= sure[3] >= sure[2] >= sure[0]


def records_of(images):
    return np.stack([measure(image)[0] for image in images])


def test_copies_by_bytes_pixels_and_likeness(drawn):
    from mlaface.datasets.formats.jpeg import decode, encode
    images = [encode(image) for person in drawn for image in person]
    png = __import__('cv2').imencode('.png', decode(images[0])[..., ::-1])[1].tobytes()
    mirrored = encode(np.ascontiguousarray(decode(images[2])[:, ::-1]), 90)
    small = encode(decode(images[3])[:80], 60)
    made = [*images, images[1], png, mirrored, encode(decode(images[4]), 40), b'', b'no image', small]
    measures, count = records_of(made), len(images)
    copies = find_copies(measures, np.zeros(len(made)))
    groups = {frozenset(np.flatnonzero(copies.group == number).tolist()) for number in range(len(copies.kind))}
    assert groups == {frozenset({1, count}), frozenset({0, count + 1}), frozenset({2, count + 2}),
                      frozenset({4, count + 3})}
    assert sorted(copies.kind.tolist()) == [0, 1, 2, 2]
    assert copies.kept[1] and not copies.kept[count]  # the first of equals
    assert copies.kept[count + 1] and not copies.kept[0]  # more bytes
    second_set = np.r_[np.zeros(count), np.ones(len(made) - count)]
    assert not find_copies(measures, second_set).kept[count + 1]  # the set named first comes before
    assert not find_copies(measures, second_set, near=False).group[count + 3] >= 0
    more = find_copies(measures, second_set, more=[[5, 6]])
    assert more.group[5] == more.group[6] >= 0 and more.kind[more.group[5]] == 3


def test_near_copies_are_those_of_all_pairs_at_small_changes(drawn):
    rng = np.random.default_rng(0)
    thumbnails = np.stack([measure_of(image) for person in drawn for image in person])
    changed = np.clip(thumbnails + rng.normal(0, 2, thumbnails.shape), 0, 255).astype(np.uint8)
    found = near_pairs(np.concatenate([thumbnails, changed]))
    assert {(k, k + len(thumbnails)) for k in range(len(thumbnails))} <= set(map(tuple, found.tolist()))
    assert len(near_pairs(thumbnails[:1])) == len(near_pairs(thumbnails[:0])) == 0
    assert len(near_pairs(np.zeros((50, 16, 16), np.uint8))) == 0  # flat images say nothing


def measure_of(image):
    from mlaface.datasets.formats.jpeg import encode
    return measure(encode(image))[0]['thumbnail']


def test_chains_of_pairs_are_groups():
    group, kind = joined(7, [[5, 6], [1, 3], [3, 4]], [0, 1, 2])
    assert group.tolist() == [-1, 0, -1, 0, 0, 1, 1] and kind.tolist() == [2, 0]
    assert joined(3, [])[0].tolist() == [-1, -1, -1]


def test_measures_of_an_image():
    from mlaface.datasets.formats.jpeg import encode
    grey = measure(encode(np.full((120, 90, 3), 90, np.uint8)))[0]
    assert (grey['height'], grey['width'], grey['colour']) == (120, 90, 0) and abs(grey['brightness'] - 90) < 2
    assert grey['sharpness'] < 1 and grey['contrast'] < 1 and grey['readable']
    stripes = np.zeros((112, 112, 3), np.uint8)
    stripes[::2, :, 0] = 255
    sharp = measure(encode(stripes, 95, '444'))[0]
    assert sharp['sharpness'] > 1000 and sharp['colour'] > 50
    empty, fault = measure(b'')
    assert not empty['readable'] and fault and empty.dtype == MEASURES
