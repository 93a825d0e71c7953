"""Faces that differ in one colour of a coarse grid."""
import numpy as np
import pytest

from mlaface.evaluation.doctor.trials import Sample

PEOPLE, PAIRS = 30, 120


@pytest.fixture(scope='session')
def sample():
    """Pairs of people who are known by green and blue; red says nothing of them."""
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (PEOPLE, 7, 7, 3))
    images, owners = [], np.repeat(np.arange(PEOPLE), 4)
    for owner in owners:
        face = np.kron(faces[owner], np.ones((16, 16, 1)))
        face[..., 0] = rng.integers(0, 256, (7, 7)).repeat(16, 0).repeat(16, 1)
        images.append(np.clip(face + rng.normal(0, 30, face.shape), 0, 255).astype(np.uint8))
    pairs = np.array([sorted(rng.choice(len(owners), 2, replace=False)) for _ in range(PAIRS)])
    pairs[::2] = [4 * (row % PEOPLE) + np.array([0, 1 + row % 3]) for row in range(PAIRS // 2)]
    return Sample(images, pairs, owners[pairs[:, 0]] == owners[pairs[:, 1]])
