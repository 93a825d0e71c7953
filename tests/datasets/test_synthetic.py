"""Drawn faces: deterministic, whole, disjoint, and not to be told apart by trivial cues."""
import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.bin_set import read_bin
from mlaface.datasets.synthetic.baselines import best_accuracy, pair_baselines
from mlaface.datasets.synthetic.generate import FIRST_TEST, Recipe, draw_images, generate, plan_pairs
from mlaface.datasets.synthetic.manifest import MANIFEST, finished
from mlaface.datasets.synthetic.nuisance import BENCHMARKS, TRAINING
from mlaface.registry import DATASETS

DRAWN = 'd4f13d54dce49ee544653cd9b09ac5913e40366265670ce0335170ba5074cbb6'
TINY = Recipe(identities=3, images_per_identity=2, test_identities=20, pairs=20)
SMALL = Recipe(identities=6, images_per_identity=4, test_identities=20, pairs=200, seed=3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('synthetic')
    assert generate(folder, SMALL)
    return folder


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    assert generate(folder, TINY)
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


def test_the_seed_decides_every_byte(tiny, tmp_path):
    assert generate(tmp_path / 'again', TINY, workers=2)
    assert digest(tmp_path / 'again') == digest(tiny)
    assert draw_images((0, [0]), 1, TRAINING) != draw_images((0, [0]), 2, TRAINING)


@pytest.mark.skipif(cv2.__version__ < '5', reason='OpenCV 4 fills the edges of polygons differently')
def test_the_drawn_bytes_are_those_of_every_platform():
    drawn = [image for conditions in (TRAINING, *BENCHMARKS.values()) for number in (0, FIRST_TEST)
             for image in draw_images((number, range(8)), 0, conditions)]
    assert hashlib.sha256(b''.join(drawn)).hexdigest() == DRAWN, 'other images of a seed: raise manifest.VERSION'


def test_a_finished_set_is_kept_and_a_torn_one_is_not(tiny, tmp_path):
    assert not generate(tiny, TINY)
    with pytest.raises(ValueError, match='another recipe'):
        generate(tiny, replace(TINY, seed=4))
    generate(tmp_path, TINY)
    (tmp_path / 'synth_pose.bin').write_bytes(b'torn')
    assert not finished(tmp_path, TINY)
    (tmp_path / MANIFEST).write_text('{"recipe"')
    with pytest.raises(ValueError, match='synthetic.json.*remove'):
        finished(tmp_path, TINY)


class Killed(BaseException):
    pass


@pytest.mark.parametrize('after', [1, 20, 90])
def test_a_killed_run_is_no_set_and_the_next_one_draws_it(tiny, tmp_path, after):
    counts = []

    def advance(images):
        counts.append(images)
        if sum(counts) > after:
            (tmp_path / '.train.rec.0123.part').write_bytes(b'left by a kill')
            raise Killed

    with pytest.raises(Killed):
        generate(tmp_path, TINY, advance=advance)
    assert not finished(tmp_path, TINY)
    with pytest.raises(ValueError, match='another recipe'):
        generate(tmp_path, replace(TINY, seed=4))
    assert generate(tmp_path, TINY)
    assert digest(tmp_path) == digest(tiny)


def test_overwrite_replaces_what_was_drawn_and_nothing_else(tiny, tmp_path):
    generate(tmp_path, replace(TINY, seed=4))
    assert generate(tmp_path, TINY, overwrite=True)
    assert digest(tmp_path) == digest(tiny)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match='train.rec.*not drawn'):
        generate(tmp_path, TINY, overwrite=True)
    assert digest(tmp_path)['train.rec'] == digest(tiny)['train.rec']


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


def test_single_images_are_of_people_that_are_never_trained(tmp_path, capsys):
    main(['make-synthetic', '--faces', str(tmp_path / 'faces'), '--seed', '3'])
    files = sorted((tmp_path / 'faces').iterdir())
    assert [file.name for file in files] == [f'person{i}_{k}.jpg' for i in (1, 2, 3) for k in 'ab']
    assert capsys.readouterr().out.split() == list(map(str, files))
    person2 = draw_images((FIRST_TEST + 1, (0, 1)), 3, BENCHMARKS['synth_frontal'])
    assert [file.read_bytes() for file in files[2:4]] == person2 and person2[0] != person2[1]
