"""Drawn faces: deterministic, whole, disjoint, and not to be told apart by trivial cues."""
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from mlaface.datasets.formats.bin_set import read_bin
from mlaface.datasets.synthetic.baselines import best_accuracy, pair_baselines
from mlaface.datasets.synthetic.generate import FIRST_TEST, Recipe, draw_images, finished, generate, plan_pairs
from mlaface.datasets.synthetic.nuisance import BENCHMARKS, TRAINING
from mlaface.registry import DATASETS

SMALL = Recipe(identities=6, images_per_identity=4, test_identities=20, pairs=200, seed=3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('synthetic')
    assert generate(folder, SMALL)
    return folder


def digest(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_set_opens_as_real_data_does(folder):
    dataset = DATASETS.build(dict(type='RecordFaces', data_root=str(folder)))
    assert (len(dataset), dataset.num_classes) == (24, 6)
    assert np.bincount(dataset.labels).tolist() == [4] * 6
    sets = DATASETS.build(dict(type='VerificationSets', data_root=str(folder), sets=list(BENCHMARKS)))
    assert len(sets) == 3 * 400
    for entry in sets.metainfo['benchmarks'].values():
        assert entry['issame'].reshape(10, -1).mean(1).tolist() == [0.5] * 10


def test_the_seed_decides_every_byte(folder, tmp_path):
    assert generate(tmp_path / 'again', SMALL, workers=2)
    assert digest(tmp_path / 'again') == digest(folder)
    assert draw_images((0, [0]), 1, TRAINING) != draw_images((0, [0]), 2, TRAINING)


def test_a_finished_set_is_kept_and_a_torn_one_is_not(folder, tmp_path):
    assert not generate(folder, SMALL)
    with pytest.raises(ValueError, match='another recipe'):
        generate(folder, replace(SMALL, seed=4))
    generate(tmp_path, SMALL)
    (tmp_path / 'synth_pose.bin').write_bytes(b'torn')
    assert not finished(tmp_path, SMALL)


def test_identities_of_folds_and_of_training_are_disjoint():
    for order in range(3):
        people, issame = plan_pairs(SMALL, order)
        pairs = np.array(people).reshape(10, -1, 2)
        assert ((pairs[..., 0] == pairs[..., 1]).ravel() == issame).all()
        folds = [set(fold.ravel().tolist()) for fold in pairs]
        assert sum(map(len, folds)) == len(set().union(*folds)) and pairs.min() >= FIRST_TEST


def test_no_image_stands_twice(folder):
    images = [image for name in BENCHMARKS for image in read_bin(folder / f'{name}.bin').images]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_trivial_cues_are_near_chance(folder, name):
    assert all(0.5 <= value < 0.7 for value in pair_baselines(folder / f'{name}.bin').values())


def test_best_accuracy_by_hand():
    same = np.array([True, False, True, False])
    assert best_accuracy(np.array([0.1, 0.4, 0.2, 0.3]), same) == 1.0
    assert best_accuracy(np.array([0.1, 0.2, 0.3, 0.4]), same) == 0.75
    assert best_accuracy(np.zeros(4), same) == 0.5


@pytest.mark.parametrize('wrong', [dict(pairs=30), dict(test_identities=15), dict(identities=0), dict(seed=-1)])
def test_recipes_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError):
        Recipe(**wrong)
