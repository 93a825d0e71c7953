"""Crops as the field cuts them, against independent estimates of the transform; what quality says of known changes."""
import cv2
import numpy as np
import pytest

from mlaface.evaluation.images.alignment import TEMPLATE, similarity
from mlaface.inference.align import align, as_aligned
from mlaface.inference.quality import pose, quality


def moved(points, degrees, scale, shift):
    """Points turned, scaled and shifted, and the matrix that does it."""
    turn = np.radians(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ matrix.T + shift, np.concatenate([matrix, np.reshape(shift, (2, 1))], axis=1)


def least_squares(points, target):
    """The similarity by its four unknowns, as a linear system: x' = ax - by + c, y' = bx + ay + d."""
    x, y = points.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    system = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(system, np.concatenate(target.T), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


@pytest.mark.parametrize('degrees, scale, shift', [(0, 1, (0, 0)), (20, 2.5, (300, 90)), (-75, 0.4, (30, 200)),
                                                   (180, 6, (900, 900))])
def test_the_similarity_is_that_of_independent_estimates(degrees, scale, shift):
    rng = np.random.default_rng(abs(degrees))
    points = moved(TEMPLATE, degrees, scale, shift)[0] + rng.normal(0, 2 * scale, (5, 2))  # as detectors place them
    found = similarity(points, TEMPLATE)
    np.testing.assert_allclose(found, least_squares(points, TEMPLATE), atol=1e-8)
    exact = moved(TEMPLATE, degrees, scale, shift)[0]
    by_opencv, _ = cv2.estimateAffinePartial2D(exact, TEMPLATE, method=cv2.LMEDS)
    assert np.abs(similarity(exact, TEMPLATE) @ [500, 400, 1] - by_opencv @ [500, 400, 1]).max() < 0.05


@pytest.mark.parametrize('degrees, scale', [(0, 1.0), (30, 1.0), (-50, 1.7), (160, 2.0)])
@pytest.mark.parametrize('size', [(112, 112), (224, 224)])
def test_a_face_that_was_moved_comes_back_to_a_pixel(drawn, degrees, scale, size):
    face = drawn[0][0]
    points, matrix = moved(TEMPLATE, degrees, scale, (300, 300))
    image = cv2.warpAffine(face, matrix, (700, 700), flags=cv2.INTER_CUBIC)
    crop = align(image, points, size).transpose(1, 2, 0)
    wanted = as_aligned(face, size).transpose(1, 2, 0)
    grey = [cv2.cvtColor(np.ascontiguousarray(x), cv2.COLOR_RGB2GRAY)[16:-16, 16:-16].astype(np.float64)
            for x in (crop, wanted)]
    (x, y), _ = cv2.phaseCorrelate(*grey)
    assert crop.shape == (*size, 3) and np.hypot(x, y) < 1 and np.corrcoef(*(g.ravel() for g in grey))[0, 1] > 0.99


def test_crops_are_those_of_insightface(drawn):
    """``norm_crop``: the matrix of scikit-image's SimilarityTransform, warped with black outside."""
    points = moved(TEMPLATE, 12, 0.8, (20, 4))[0]
    matrix = least_squares(points, TEMPLATE)
    wanted = cv2.warpAffine(drawn[1][0], matrix, (112, 112), borderValue=0.0)
    assert np.abs(align(drawn[1][0], points).transpose(1, 2, 0).astype(int) - wanted).max() <= 1


def test_pose_of_known_rotations():
    """A face in three dimensions, turned and projected."""
    from mlaface.inference.quality import FRONT
    assert np.abs(pose(TEMPLATE)).max() < 1e-6
    for yaw, pitch, roll in [(30, 0, 0), (-45, 0, 0), (0, 20, 0), (0, -15, 0), (25, 10, 0), (20, 0, 35), (0, 0, -90)]:
        a, b, c = np.radians([yaw, pitch, roll])
        turns = [np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]]),
                 np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]),
                 np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])]
        seen = (turns[2] @ turns[1] @ turns[0] @ FRONT.T).T[:, :2] * 3 + 50
        assert np.abs(np.subtract(pose(seen), (yaw, pitch, roll))).max() < 1e-6


def test_quality_falls_with_blur_and_size(drawn):
    face = drawn[2][0]
    measured = [quality(image.transpose(2, 0, 1), np.float32([0, 0, side, side + 9]), TEMPLATE)
                for image, side in ((face, 80), (cv2.GaussianBlur(face, (0, 0), 1.5), 30))]
    assert measured[0]['sharpness'] > 2 * measured[1]['sharpness'] and [q['size'] for q in measured] == [80, 30]
