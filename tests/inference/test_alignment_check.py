"""Whether faces are where the template has them."""
import cv2
import numpy as np
import pytest

from mlaface.inference.alignment_check import check_alignment
from mlaface.inference.detectors.base import Detection
from mlaface.utils.template import TEMPLATE


class Marks:
    """Finds the five white dots of an image."""

    def detect(self, image):
        _, _, _, centres = cv2.connectedComponentsWithStats((image[..., 0] > 128).astype(np.uint8))
        points = centres[1:]
        if len(points) != 5:
            return []
        rows = points[np.argsort(points[:, 1])]  # eyes, nose, mouth, each from left to right
        points = np.concatenate([part[np.argsort(part[:, 0])] for part in (rows[:2], rows[2:3], rows[3:])])
        return [Detection(np.zeros(4, np.float32), points.astype(np.float32), 1.0)]


def face(scale=1.0, right=0.0, down=0.0, size=112):
    image = np.zeros((size, size, 3), np.uint8)
    for x, y in (TEMPLATE - 56) * scale + 56 + [right, down]:
        cv2.circle(image, (round(x * size / 112 * 16), round(y * size / 112 * 16)), 32, (255,) * 3, -1, shift=4)
    return image


@pytest.mark.parametrize('size', [112, 224])
def test_faces_in_place(size):
    found = check_alignment(Marks(), [face(size=size)] * 3)
    assert found.known and found.aligned and found.off < 1 and found.closer == pytest.approx(1, abs=0.03)


def test_faces_that_are_far_away_and_low():
    found = check_alignment(Marks(), [face(0.5, 0, 10)] * 3)
    assert found.known and not found.aligned
    assert found.closer == pytest.approx(2, abs=0.1) and found.down == pytest.approx(-20, abs=2)


def test_nothing_is_said_where_no_face_is_found():
    found = check_alignment(Marks(), [np.zeros((112, 112, 3), np.uint8)] * 3 + [face()])
    assert not found.known and found.found == 1
    assert not check_alignment(Marks(), [np.zeros((112, 112, 3), np.uint8)]).known
