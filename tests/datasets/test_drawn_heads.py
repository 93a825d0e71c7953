"""Drawn faces of style heads: deterministic, continuous in their numbers, turned by yaw, apart from the flat ones."""
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.jpeg import decode
from mlaface.datasets.synthetic.generate import FIRST_TEST, STYLES, Recipe, generate
from mlaface.datasets.synthetic.heads.draw import Look, draw_images, render
from mlaface.datasets.synthetic.heads.render import TEMPLATE, View, fit
from mlaface.datasets.synthetic.heads.scene import draw_scene
from mlaface.datasets.synthetic.heads.traits import SHAPES, generator, head_traits, look_traits
from mlaface.datasets.synthetic.manifest import MANIFEST, claim, finished
from mlaface.datasets.synthetic.nuisance import BENCHMARKS, TRAINING, Conditions

CALM = Conditions(yaw=0.0, pitch=0.0, occluded=0.0, spoiled=0.0)
TINY = Recipe(identities=2, images_per_identity=2, test_identities=20, pairs=20, style='heads')


def digest(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def photograph(number=3, scene=None, **changed):
    """Pixels of a person in a fixed scene, float (112, 112, 3), some traits changed."""
    traits = dict(look_traits(head_traits(0, number), 0, number, 0), wears_glasses=-1.0)
    for name, by in changed.items():
        traits[name] = traits[name] + by
    plain = dict(draw_scene(generator(0, 9), CALM), grain=0.0, blur=0.0, clear_glasses=1.0, **(scene or {}))
    return render(Look(traits), plain, generator(0, 8)).astype(float)


def test_an_image_depends_on_seed_person_and_number_alone():
    drawn = draw_images((5, range(7)), 0, TRAINING)
    assert draw_images((5, [6, 2]), 0, TRAINING) == [drawn[6], drawn[2]]
    assert len({*drawn, *draw_images((6, range(7)), 0, TRAINING), *draw_images((5, range(7)), 1, TRAINING)}) == 21
    assert decode(drawn[0]).shape == (112, 112, 3)


def test_the_manifest_tells_the_styles_apart(tmp_path):
    assert generate(tmp_path, TINY) and finished(tmp_path, TINY)
    assert json.loads((tmp_path / MANIFEST).read_text())['recipe']['style'] == 'heads'
    with pytest.raises(ValueError, match='another recipe'):
        generate(tmp_path, replace(TINY, style='flat'))


QUADRANTS = {  # mean red, green and blue of an image's quarters, by person and image of seed 3
    (7, 0): [139.0, 116.4, 100.6, 158.6, 137.0, 120.3, 154.1, 123.5, 104.1, 153.8, 129.6, 114.6],
    (8, 0): [110.3, 101.1, 94.6, 82.3, 76.0, 73.8, 108.2, 90.8, 81.0, 80.5, 74.1, 72.6],
    (8, 6): [124.3, 107.1, 88.5, 166.1, 129.2, 114.8, 105.8, 88.9, 72.5, 132.0, 86.9, 68.5],
    (9, 6): [57.8, 48.5, 42.3, 117.9, 127.4, 126.8, 105.2, 85.8, 74.8, 126.0, 124.8, 121.2]}


@pytest.mark.parametrize('person, image', QUADRANTS)
def test_the_pictures_are_still_those_of_both_versions(person, image):
    pixels = decode(draw_images((person, [image]), 3, TRAINING)[0]).astype(float)
    means = pixels.reshape(2, 56, 2, 56, 3).mean((1, 3)).ravel()
    np.testing.assert_allclose(means, QUADRANTS[person, image], atol=0.5)  # else: raise manifest.VERSIONS


@pytest.mark.slow
def test_processes_change_no_byte(tmp_path):
    one, two = tmp_path / 'one', tmp_path / 'two'
    assert generate(one, TINY) and generate(two, TINY, workers=2)
    assert digest(one) == digest(two)


def test_a_flat_set_is_called_as_before_there_were_styles(tmp_path):
    claim(tmp_path, replace(TINY, style='flat'))
    assert 'style' not in json.loads((tmp_path / MANIFEST).read_text())['recipe']


def test_single_faces_are_drawn_in_either_style(tmp_path, capsys):
    main(['make-synthetic', '--style', 'heads', '--faces', str(tmp_path)])
    assert len(capsys.readouterr().out.split()) == 6
    first, = draw_images((FIRST_TEST, [0]), 0, BENCHMARKS['synth_frontal'])
    assert (tmp_path / 'person1_a.jpg').read_bytes() == first


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="style is 'oil'.*" + ', '.join(STYLES)):
        Recipe(style='oil')


@pytest.mark.parametrize('name', ['nose_width', 'eye_distance', 'jaw_width', 'melanin', 'age', 'brow_arch', 'length'])
def test_a_little_more_of_a_trait_changes_the_picture_a_little(name):
    before = photograph()
    little, more = (np.abs(photograph(**{name: by}) - before).mean() for by in (0.02, 0.5))
    assert little < 1.5 and more > 2 * little


def test_every_shape_is_seen():
    before = photograph()
    unseen = [name for name in SHAPES if (photograph(**{name: 1.5}) == before).all()]
    assert not unseen


def test_yaw_turns_the_head():
    look = Look(look_traits(head_traits(0, 3), 0, 3, 0))
    scene = dict(draw_scene(generator(0, 9), CALM), landmark_noise=np.zeros((5, 2)))
    nose = [[0.0, look.places['nose'], 66.0]]
    views = [View(look.points, look.landmarks, dict(scene, yaw=yaw)) for yaw in (-0.25, -0.1, 0.0, 0.1, 0.25)]
    x = [view.place(nose)[0, 0] for view in views]
    assert np.diff(x).min() > 1 and x[-1] - x[0] > 10
    left, near, right = (photograph(scene=dict(yaw=yaw)) for yaw in (-0.2, -0.19, 0.2))
    assert np.abs(left - right).mean() > 3 * np.abs(left - near).mean()


def test_faces_are_aligned_to_the_template():
    look = Look(look_traits(head_traits(0, 4), 0, 4, 0))
    scene = dict(draw_scene(generator(0, 7), CALM), landmark_noise=np.zeros((5, 2)))
    (eye, y), nose, mouth, wide = (look.places[name] for name in ('eye', 'nose', 'mouth', 'mouth_width'))
    seen = View(look.points, look.landmarks, scene).place(
        [[-eye, y, 48.0], [eye, y, 48.0], [0, nose, 64.0], [-wide, mouth, 46.0], [wide, mouth, 46.0]])
    assert np.abs(seen - TEMPLATE).max() < 5


def test_fit_finds_a_similarity():
    turn = np.array([[0.8, -0.3], [0.3, 0.8]])
    points = np.random.default_rng(0).random((5, 2)) * 40
    np.testing.assert_allclose(fit(points, points @ turn.T + [3, -2]), np.hstack([turn, [[3], [-2]]]), atol=1e-9)


def test_people_of_benchmarks_are_others():
    assert head_traits(0, FIRST_TEST)['nose_width'] != head_traits(0, 0)['nose_width']
