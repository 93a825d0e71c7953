"""From surface, texture and light to pixels."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads.surface import AROUND, COLUMNS, ROWS, U, Y, angle

SIZE = 112
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])
DENSE = 2  # points of the surface that are put into the image for one of the grid, each way
_ROWS, _COLUMNS = ROWS * DENSE, COLUMNS * DENSE
_WIDE, _MARGIN = 128, 8  # the image within a canvas whose margin takes what lies outside
# column and row of a point in one number; rows are counted from 1, so that 0 is nothing
_NUMBERS = (np.arange(_COLUMNS, dtype=np.uint16)[:, None] << 8) + np.arange(1, _ROWS + 1, dtype=np.uint16)


def rotation(yaw, pitch):
    """Rotation of a head, (3, 3), by the tangents of half the angles."""
    (cy, sy), (cp, sp) = _turn(yaw), _turn(pitch)
    return np.array([[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]])


def _turn(tangent):
    below = 1 + tangent * tangent
    return (1 - tangent * tangent) / below, 2 * tangent / below


class Landmarks:
    """The five points of a face on its surface: eyes, tip of the nose, corners of the mouth.

    Args:
        p (dict): As ``surface.places`` gives them.
    """

    def __init__(self, p):
        (eye, eye_y), wide, mouth = p['eye'], p['mouth_width'], p['mouth']
        s, y = np.array([-eye, eye, 0, -wide, wide]), (eye_y, eye_y, p['nose'], mouth, mouth)
        column, row = np.interp(angle(s), U, np.arange(COLUMNS)), np.interp(y, Y, np.arange(ROWS))
        i, j = row.astype(int), column.astype(int)
        a, b = row - i, column - j
        self._cells = np.stack([i * COLUMNS + j + step for step in (0, 1, COLUMNS, COLUMNS + 1)])
        self._shares = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])

    def at(self, grid):
        """Values of a grid (K, ROWS * COLUMNS) at the points, bilinear, (5, K)."""
        return (grid[:, self._cells] * self._shares).sum(1).T


def fit(points, template):
    """The similarity that brings points (N, 2) closest to a template, (2, 3) (Umeyama, 1991, without reflection)."""
    mean, goal = points.mean(0), template.mean(0)
    p, q = points - mean, template - goal
    below = (p * p).sum()
    a, b = (p * q).sum() / below, (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / below
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (goal - turn @ mean)[:, None]])


class View:
    """A head as a camera sees it, aligned by five points that a detector found not quite where they are.

    Args:
        points (ndarray): The surface, float32 (3, ROWS, COLUMNS).
        landmarks (Landmarks): Of the face.
        scene (dict): As ``draw_scene`` gives it.

    Attributes:
        turn (ndarray): Rotation (3, 3).
        image (ndarray): Image coordinates of the grid, float32 (2, ROWS, COLUMNS).
    """

    def __init__(self, points, landmarks, scene):
        self.turn, self._distance = rotation(scene['yaw'], scene['pitch']), scene['distance']
        seen = self._seen(points.reshape(3, -1))
        self._align = fit(landmarks.at(seen), TEMPLATE + scene['landmark_noise'])
        self.image = self._aligned(seen).reshape(2, ROWS, COLUMNS)

    def _seen(self, points):
        turned = self.turn.astype(np.float32) @ points
        return turned[:2] * (np.float32(self._distance) / (np.float32(self._distance + 50) - turned[2]))

    def _aligned(self, seen):
        align = self._align.astype(np.float32)
        return align[:, :2] @ seen + align[:, 2:]

    def place(self, points):
        """Image coordinates (N, 2) of points (N, 3) of the head."""
        return self._aligned(self._seen(np.asarray(points, np.float32).T)).T

    def into_head(self, directions):
        """Directions (N, 3) of the camera's axes in the head's, float32."""
        return (directions @ self.turn).astype(np.float32)


def _canvas(coordinate):
    """Places in the canvas along one axis, whole numbers, float32 (_COLUMNS, _ROWS)."""
    dense = cv2.resize(cv2.transpose(coordinate), (_ROWS, _COLUMNS), interpolation=cv2.INTER_LINEAR)
    dense += _MARGIN + 0.5
    np.clip(dense, 0, _WIDE - 1, out=dense)
    return np.floor(dense, out=dense)


def visible(image, yaw, pitch):
    """Which point of the surface each pixel shows.

    The grid is put into the image from its far columns to the near ones, so that what is near covers what is behind.

    Args:
        image (ndarray): Image coordinates of the grid, float32 (2, ROWS, COLUMNS).
        yaw, pitch (float): Tangents of half the angles.

    Returns:
        tuple: Fractions of the grid's columns and rows, float32 (112, 112) each; the same of every second pixel,
        (56, 56), reaching a little beyond the head; and cover in [0, 1], float32 (112, 112).
    """
    cell = _canvas(image[1])
    cell *= _WIDE
    cell += _canvas(image[0])
    cell = cell.astype(np.int64)
    number = _NUMBERS
    if pitch > 0:
        cell, number = cell[:, ::-1], number[:, ::-1]
    shown = np.zeros(_WIDE * _WIDE, np.uint16)
    nearest = int((1 - 2 * np.arctan(yaw) / AROUND) * _COLUMNS / 2)
    for part in (slice(0, nearest), slice(None, nearest - 1, -1)):
        shown[cell[part].ravel()] = number[part].ravel()
    shown = shown.reshape(_WIDE, _WIDE)[_MARGIN:_MARGIN + SIZE, _MARGIN:_MARGIN + SIZE]
    parts = shown >> 8, shown & 255, (shown != 0).astype(np.uint16)
    column, row, there = (cv2.medianBlur(part, 3).astype(np.float32) for part in parts)
    column, row, cover = _spread(column * there, row * there, there)
    return _fractions(column, row, cover), _fractions(*_spread(*(part[::2, ::2] for part in (column, row, cover)))), \
        np.clip(cover * 2 - 0.6, 0, 1)


def _spread(*parts):
    return [cv2.blur(part, (3, 3), borderType=cv2.BORDER_REPLICATE) for part in parts]


def _fractions(column, row, cover):
    below = 1 / np.maximum(cover, np.float32(1e-3))
    return (column * below + 0.5) * np.float32(1 / _COLUMNS), (row * below - 0.5) * np.float32(1 / _ROWS)


def lookup(grid, u, v):
    """Values of a grid or a texture (rows, columns, channels) at fractions of its columns and rows, bilinear."""
    rows, columns = grid.shape[:2]
    return cv2.remap(grid, u * columns - 0.5, v * rows - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def shadow(depth, light, hardness):
    """Light that reaches each point of the grid past the others, float32 (ROWS, COLUMNS), 1 where all of it does.

    Args:
        depth (ndarray): z of the grid.
        light (ndarray): Direction towards the light, in the head's axes.
        hardness (float): 0 to 1.
    """
    small = depth[::2, ::2]
    above = np.zeros(small.shape, np.float32)
    for step in (3.5, 7.0, 11.5, 18.0):
        shift = np.array([[1, 0, step * light[0] * 0.35], [0, 1, step * light[1] * 0.27]], np.float32)
        moved = cv2.warpAffine(small, shift, small.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                               borderMode=cv2.BORDER_REPLICATE)
        np.maximum(above, moved - small - step * max(float(light[2]), 0.05), out=above)
    lit = 1 - np.minimum(above * (0.25 + 0.5 * hardness), 1)
    return cv2.resize(lit, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
