"""What will hurt training is counted, and what is well is not."""
import numpy as np
import pytest

from mlaface.datasets.prepare.duplicates import Copies
from mlaface.datasets.prepare.harm import harm, marks
from mlaface.datasets.prepare.measures import MEASURES

SIZE = (112, 112)


def images(count=8, **changed):
    """Measures of images that are well, but for what is said: a value for the first, or a list."""
    found = np.zeros(count, MEASURES)
    for key, value in dict(readable=True, height=112, width=112, sharpness=500, brightness=120, contrast=60,
                           colour=40).items():
        found[key] = value
    for key, values in changed.items():
        values = values if isinstance(values, list) else [values]
        found[key][:len(values)] = values
    return found


def keys(*arguments, **options):
    return {entry['key']: entry['count'] for entry in harm(*arguments, **options)}


def test_a_set_that_is_well_has_nothing():
    labels = np.repeat(np.arange(2), 8)
    assert harm(images(16), SIZE, labels, ['ann', 'bea']) == []


@pytest.mark.parametrize('changed, expected', [
    (dict(readable=[False, False]), dict(unreadable=2)), (dict(height=[100], width=[112, 96]), dict(wrong_size=2)),
    (dict(sharpness=[19.9, 20]), dict(blurred=1)), (dict(brightness=[39.9, 40, 215, 216]), dict(dark=1, bright=1)),
    (dict(contrast=[14.9, 15]), dict(flat=1)), (dict(colour=[0, 2.9, 3]), dict(grey=2)),
    (dict(readable=False, sharpness=0, brightness=0, contrast=0, colour=0, height=5), dict(unreadable=1))])
def test_each_image_is_judged_by_what_was_measured(changed, expected):
    measures = images(**changed)
    assert keys(measures, SIZE) == expected
    for key, rows in marks(measures).items():
        assert rows.sum() == expected.get(key, 0) and not rows[~measures['readable']].any()


@pytest.mark.parametrize('counts, names, expected', [
    ([8, 8], ['Ann', 'ann'], dict(case=2)), ([8, 0, 8], ['a', 'b', 'c'], dict(empty=1)),
    ([8, 1, 1], ['a', 'b', 'c'], dict(single=2)), ([8, 2, 4, 5], ['a', 'b', 'c', 'd'], dict(few=2)),
    ([5, 5, 5, 101], ['a', 'b', 'c', 'd'], dict(long_tail=1)), ([5, 5, 5, 100], ['a', 'b', 'c', 'd'], {})])
def test_identities_are_counted(counts, names, expected):
    labels = np.repeat(np.arange(len(counts)), counts)
    assert keys(images(len(labels)), SIZE, labels, names) == expected


def test_copies_within_and_across_identities_are_told_apart():
    group = np.array([0, 0, 1, 1, 1, -1, -1, -1])
    copies = Copies(group, np.zeros(2, np.int8), np.array([1, 0, 1, 0, 0, 1, 1, 1], bool))
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 1])
    assert keys(images(), SIZE, copies=copies) == dict(copies=3)
    found = keys(images(), SIZE, labels, ['a', 'b'], copies)
    assert found['copies'] == 3 and found['conflicts'] == 1
    assert list(found).index('conflicts') < list(found).index('copies'), 'the gravest first'


def test_poses_are_those_of_a_sample():
    poses = np.array([[0, 0, 0], [-61, 0, 0], [60, 0, 0], [np.nan] * 3])
    assert keys(images(), SIZE, poses=poses) == dict(no_face=1, profile=1)
    assert keys(images(), SIZE, poses=np.zeros((0, 3))) == {}


def test_every_finding_says_what_to_do():
    found = harm(images(readable=False, colour=[9, 1]), SIZE, np.zeros(8, int), ['a', 'b'])
    assert len(found) == 3 and all(set(entry) == {'key', 'count', 'what', 'remedy'} and entry['remedy']
                                   for entry in found)
