"""Pairs of one's own folders: all of one person, as many of two, and a benchmark like any other."""
import cv2
import numpy as np
import pytest

from mlaface.datasets.formats.errors import FormatError
from mlaface.datasets.sets.folder_pairs import FolderPairs, draw_pairs


@pytest.mark.parametrize('counts, wanted, made', [
    ([3, 3, 1], 100, 12), ([3, 3, 1], 6, 6), ([9], 100, 0), ([2, 1], 100, 2), ([1, 1], 100, 0),
    ([5, 1, 4], 100, 32), ([3000] * 40, 1000, 1000)])
def test_pairs_are_distinct_and_in_turn_of_one_person_and_of_two(counts, wanted, made):
    labels = np.repeat(np.arange(len(counts)), counts)
    pairs, issame = draw_pairs(labels, wanted, seed=3)
    assert len(pairs) == len(issame) == made
    assert len({frozenset(pair) for pair in pairs.tolist()}) == made and (pairs[:, 0] != pairs[:, 1]).all()
    assert ((labels[pairs[:, 0]] == labels[pairs[:, 1]]) == issame).all()
    assert issame.tolist() == [True, False] * (made // 2)
    again, _ = draw_pairs(labels, wanted, seed=3)
    assert np.array_equal(pairs, again)


def write(folder, counts):
    for person, count in enumerate(counts):
        (folder / f'p{person}').mkdir(parents=True)
        for number in range(count):
            image = np.full((112, 112, 3), 50 * person + number, np.uint8)
            cv2.imwrite(str(folder / f'p{person}' / f'{number}.png'), image)


def test_a_folder_is_a_benchmark_whose_rows_share_images(tmp_path):
    write(tmp_path / 'mine', [3, 2, 2])
    faces = FolderPairs(str(tmp_path / 'mine'))
    entry = faces.metainfo['benchmarks']['mine']
    assert (len(faces), entry['images'], entry['folds']) == (20, 20, 5) and entry['protocol'] == 'pairs'
    batch = faces.__getitems__(range(20))
    values = batch['images'][:, 0, 0, 0].tolist()
    people = np.array(values).reshape(-1, 2) // 50
    assert np.array_equal(people, entry['subjects']) and np.array_equal(people[:, 0] == people[:, 1], entry['issame'])
    assert batch['index'].tolist() == list(range(20))
    assert all(values[row] == values[first] for row, first in enumerate(faces.metainfo['same_as']))
    assert len(set(faces.metainfo['same_as'].tolist())) == len(set(values)) and faces.where(0).endswith('.png')


def test_a_folder_without_pairs_of_both_kinds_is_refused(tmp_path):
    write(tmp_path, [2, 1])
    with pytest.raises(FormatError, match='makes 2 pairs: it takes at least two people with two images each'):
        FolderPairs(str(tmp_path))
