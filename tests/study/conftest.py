"""A tiny drawn data set and plans on it, whose runs take a second or two."""
import numpy as np
import pytest

BASE = '''
_base_ = '{root}/configs/arcface_r18w025_faces_small.py'
model = dict(backbone=dict(width=0.125, stem_stride=4), neck=dict(in_channels=64, in_size=2, embedding_size=16),
             head=dict(embedding_size=16))
train_dataloader = dict(batch_size=8, dataset=dict(data_root='{data}'))
val_dataloader = dict(batch_size=16, dataset=dict(data_root='{data}', sets=['one', 'two']))
val_evaluator = dict(flip='none')
'''
PLAN = '''
base = 'base.py'
common = dict(model=dict(flip='none'), val_cfg=dict(between=dict(every=2)))
variants = dict(plain=dict(), mine=dict(model=dict(backbone=dict(activation='relu'))))
seeds = [1, 2]
budget = dict(max_iters=6, validations=3)
targets = [0.55, 0.99]
'''


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
