"""A tiny drawn data set and plans on it, whose runs take a second or two."""
from functools import partial

import numpy as np
import pytest
from tiny_study import BASE, PLAN


@pytest.fixture(scope='module', autouse=True)
def _few_draws():
    """A quarter of the draws of the test pairs, which take most of the time of a report."""
    from mlaface.study.resampled import Weights
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mlaface.study.read.Weights', partial(Weights, 100))
        yield


@pytest.fixture(scope='session')
def tiny_faces(tmp_path_factory):
    """Folder of a training set of six people, and of two sets of 40 pairs."""
    from mlaface.datasets.formats.bin_set import write_bin
    from mlaface.datasets.formats.insightface_writer import write_training_set
    from mlaface.datasets.synthetic.official import draw
    folder = tmp_path_factory.mktemp('tiny_faces')
    people = draw(6, 4)
    write_training_set(folder, [(label, image) for label, images in enumerate(people) for image in images])
    random = np.random.default_rng(0)
    for name in ('one', 'two'):
        images, labels = [], np.tile([True, True, False, False], 10)
        for same in labels:
            first, second = random.permutation(6)[:2]
            images += [people[first][0], people[first][random.integers(1, 4)] if same else people[second][0]]
        write_bin(folder / f'{name}.bin', images, labels)
    return folder


@pytest.fixture
def plan_file(tmp_path, tiny_faces):
    """Writes the tiny plan, changed by lines that are appended, and gives its path."""
    from pathlib import Path
    root = Path(__file__).resolve().parents[2]

    def write(*lines, name='plan'):
        (tmp_path / 'base.py').write_text(BASE.format(root=root, data=tiny_faces))
        path = tmp_path / f'{name}.py'
        path.write_text('\n'.join([PLAN, *lines]) + '\n')
        return path
    return write
