"""Several sets as one: labels, names, transforms and random numbers of each."""
import copy

import numpy as np
import pytest
import torch

from mlaface.datasets.collate import collate_images
from mlaface.datasets.formats.insightface_writer import write_training_set
from mlaface.datasets.formats.jpeg import encode
from mlaface.engine.loader import FaceLoader
from mlaface.registry import DATA_SAMPLERS, DATASETS

SETS = dict(one=((0, 0, 1, 2), ['Ann', 'Bea', 'Cy']), two=((0, 1, 1), ['Bea', 'Dan']))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_DATA', str(tmp_path))
    for name, (labels, people) in SETS.items():
        draw = np.random.default_rng(len(labels))
        images = [(label, encode(draw.integers(0, 256, (112, 112, 3), dtype=np.uint8))) for label in labels]
        write_training_set(tmp_path / name, images, names=people)


def mixed(**options):
    sets = [dict(type='RecordFaces', data_root=name) for name in SETS]
    return DATASETS.build(dict(type='MixedFaces', **{**dict(sets=sets), **options}))


def test_label_spaces_follow_each_other():
    faces = mixed(names=['a', 'b'])
    assert faces.metainfo == dict(num_classes=5, classes=('a/Ann', 'a/Bea', 'a/Cy', 'b/Bea', 'b/Dan'),
                                  label_spaces=(3, 2))
    assert faces.labels.tolist() == [0, 0, 1, 2, 3, 4, 4] == [sample['labels'] for sample in faces]
    assert faces.sizes == [4, 3] and 'two' in faces.where(5) and faces.encoded(5)[0] == dict(labels=4)
    assert faces.__getitems__([6, 0, 7 + 4])['labels'].tolist() == [4, 0, 3]


def test_people_of_one_name_can_be_one_class():
    faces = mixed(same_names=True)
    assert faces.metainfo == dict(num_classes=4, classes=('Ann', 'Bea', 'Cy', 'Dan'), label_spaces=None)
    assert faces.labels.tolist() == [0, 0, 1, 2, 1, 3, 3] == [sample['labels'] for sample in faces]


def test_images_are_those_of_the_sets_with_transforms_and_seeds_of_their_own():
    flip, erase = dict(type='RandomFlip'), dict(type='RandomOcclusion', prob=1.0)
    faces = mixed(sets=[dict(type='RecordFaces', data_root='one'),
                        dict(type='RecordFaces', data_root='two', transforms=[erase])], transforms=[flip], seed=5)
    one = DATASETS.build(dict(type='RecordFaces', data_root='one', transforms=[flip], seed=5))
    two = DATASETS.build(dict(type='RecordFaces', data_root='two', transforms=[erase], seed=6))
    for epoch in range(3):
        for index in range(7):
            alone = one[epoch * 4 + index] if index < 4 else two[epoch * 3 + index - 4]
            assert (faces[epoch * 7 + index]['images'] == alone['images']).all()


def test_a_copy_without_transforms_leaves_the_mix_alone():
    faces = mixed(transforms=[dict(type='RandomOcclusion', prob=1.0)])
    plain = copy.copy(faces)
    plain.transforms = []
    assert plain.transforms == [] and len(faces.transforms) == 2
    assert (plain[0]['images'] != faces[0]['images']).any()


@pytest.mark.parametrize('options, message', [
    (dict(sets=[]), 'one set at least'), (dict(names=['a', 'a']), 'all different'),
    (dict(sets=[dict(type='FolderPairs', data_root='one')]), 'one')])
def test_what_is_refused(options, message):
    with pytest.raises((ValueError, OSError), match=message):
        mixed(**options)


def test_workers_change_nothing():
    def batches(workers):
        faces = mixed(transforms=[dict(type='RandomFlip'), dict(type='FaceMask', prob=0.5)])
        sampler = DATA_SAMPLERS.build(dict(type='MixedSampler', dataset=faces, batch_size=3, weights=[1, 2], seed=4))
        loader = FaceLoader(faces, num_workers=workers, batch_size=3, sampler=sampler, collate_fn=collate_images)
        sampler.load_state_dict(dict(epoch=1, position=3, seed=4))
        return list(loader)
    one, two = batches(0), batches(2)
    assert len(one) == len(two) == 1
    assert all(torch.equal(one[0][key], two[0][key]) for key in one[0])
