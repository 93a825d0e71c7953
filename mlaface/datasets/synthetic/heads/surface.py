"""The surface of a head as a grid, and how a face moves it.

Units are pixels of the aligned image, about 1.8 mm; x to the right, y down from the line of the eyes, z towards the
viewer from an axis through the head. Columns follow an angle ``u`` around that axis, rows the height. Every bump is a
Gaussian in ``s`` (along the skin from the middle line) times one in y, so that all are a product of two matrices.
"""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads import placing
from mlaface.datasets.synthetic.heads.outlines import AROUND, BOTTOM, TOP, along

ROWS, COLUMNS = 74, 104
Y = (TOP + (np.arange(ROWS) + 0.5) * ((BOTTOM - TOP) / ROWS)).astype(np.float32)
U = (-AROUND + (np.arange(COLUMNS) + 0.5) * (2 * AROUND / COLUMNS)).astype(np.float32)
SIN_U, COS_U = np.sin(U), np.cos(U)
S = along(U).astype(np.float32)


def spread(size, to):
    """The matrix that makes a line finer by cubic interpolation, float32 (to, size)."""
    return cv2.resize(np.eye(size, dtype=np.float32), (size, to), interpolation=cv2.INTER_CUBIC)


_SPREAD = spread(5, ROWS), spread(5, COLUMNS)


class Bumps:
    """Displacements of the grid.

    Args:
        rows (Sequence[tuple]): (axis, s, y, width, height, amount, mirrored); axis 0, 1, 2 is x, y, z; ``mirrored``
            adds the bump of the other side, turned round in x. Amounts may be given later instead.
    """

    def __init__(self, rows):
        axis, s, y, width, height, amount, mirrored = (np.array(column, np.float32)[:, None] for column in zip(*rows))
        self._across = np.exp(-0.5 * ((S - s) / width) ** 2)
        self._across += mirrored * np.where(axis > 0, 1, -1) * np.exp(-0.5 * ((S + s) / width) ** 2)
        self._down = np.exp(-0.5 * ((Y - y) / height) ** 2)
        self._amounts, self._axes = amount.ravel(), axis.ravel().astype(np.int64)

    def on(self, points, amounts=None):
        """A surface, float32 (3, ROWS, COLUMNS), with all of them; another array."""
        amounts, moved = self._amounts if amounts is None else np.array(amounts, np.float32), np.empty_like(points)
        placing.displace(points, self._axes, self._across, self._down, amounts, moved)
        return moved


def places(t):
    """Where the parts of a face are, of its traits: (s, y) and sizes in pixels."""
    return dict(
        eye=(17.3 + 1.1 * t['eye_distance'], 0.8 * t['eye_height']), eye_width=8.0 + 0.75 * t['eye_width'],
        eye_open=2.9 + 0.5 * t['eye_open'], brow=-9.5 - 1.2 * t['brow_height'], nose=20 + 1.6 * t['nose_length'],
        nose_width=8.0 + 1.0 * t['nose_width'], mouth=40 + 1.5 * t['mouth_height'],
        mouth_width=13.5 + 1.2 * t['mouth_width'], chin=64 + 2.4 * t['chin_height'], hairline=-36 + 3.5 * t['hairline'])


def _profile(knots):
    heights, values = zip(*knots)
    curve = np.interp(Y, heights, values).astype(np.float32)
    return cv2.GaussianBlur(curve[:, None], (1, 9), 2.0)[:, 0]


def head(t):
    """The surface of a head at rest, without hair.

    Args:
        t (dict): Traits.

    Returns:
        ndarray: x, y, z of the grid, float32 (3, ROWS, COLUMNS).
    """
    p = places(t)
    x, z = _half_width(t, p['chin'])[:, None] * SIN_U, _depth(t, p['chin'])[:, None] * COS_U
    y = np.repeat(Y[:, None], COLUMNS, 1)
    bumps = Bumps([*_upper_face(t, p), *_nose(t, p), *_lower_face(t, p)])
    return bumps.on(np.stack([x, y, z]) + _own_warp(t['warp']))


def _half_width(t, chin):
    fat, jaw, forehead, wide = t['cheek_fat'], t['jaw_width'], t['forehead_width'], 42 + 1.4 * t['head_width']
    return _profile((
        (-66, 2), (-60, 16), (-52, 27), (-40, 36 + forehead), (-26, wide - 2 + forehead), (-8, wide),
        (12, wide + 0.8 * t['cheekbone']), (30, wide - 2 + jaw + 0.8 * fat), (46, wide - 5 + 1.6 * jaw + 1.2 * fat),
        (chin - 4, 30 + 1.5 * t['chin_width'] + fat), (chin + 3, 27), (84, 27)))


def _depth(t, chin):
    return 0.8 * t['head_depth'] + _profile((
        (-66, 3), (-58, 22), (-48, 37), (-38, 46), (-26, 50.5), (-10, 51.5), (-2, 49.5), (12, 50), (27, 51.5), (45, 51),
        (52, 49.5), (chin - 6, 51 + 1.2 * t['chin_depth']), (chin + 2, 46), (chin + 7, 33), (84, 28)))


def _own_warp(field):
    """A smooth displacement that only this person has; left and right differ by a fifth of it."""
    mirrored = field[:, ::-1] * np.array([-1, 1, 1], np.float32)
    near = 0.9 * (field + mirrored) / 2 ** 0.5 + 0.2 * field
    return _SPREAD[0] @ near.transpose(2, 0, 1) @ _SPREAD[1].T


def _upper_face(t, p):
    (eye, y), brow = p['eye'], p['brow']
    return (
        (2, eye, y - 1, 7.5, 5.5, -4.0 - 0.9 * t['eye_depth'], 1), (2, eye, y, 5.0, 3.6, 2.6, 1),
        (2, 14, brow + 1, 9, 3.4, 1.6 + 1.0 * t['brow_ridge'], 1),
        (2, 0, brow + 2, 6, 4, 0.8 + 0.5 * t['brow_ridge'], 0),
        (2, 26, 13, 8, 7, 1.6 + 1.1 * t['cheekbone'], 1), (2, 30, -6, 6, 10, -0.8, 1),
        (0, 43.5, 9, 2.4, 9 + t['ear_size'], 8.0 + 2.0 * t['ear_out'], 1), (2, 40.5, 9, 2.0, 8, -3.5, 1),
        (2, 44, 9, 2.5, 8, 4.0, 1))


def _nose(t, p):
    nose, wing = p['nose'], p['nose_width']
    bridge, thin = 5.0 + 1.1 * t['nose_bridge'], 3.4 + 0.5 * t['nose_bridge_width']
    return (
        (2, 0, -2, thin, 6, bridge * 0.55, 0), (2, 0, nose - 12, thin + 0.4, 6.5, bridge + 0.9 * t['nose_hump'], 0),
        (2, 0, nose - 5, thin + 1.4, 5.5, bridge * 0.9 + 1.0, 0),
        (2, 0, nose - 0.6 * t['nose_tip_lift'], 3.8 + 0.5 * t['nose_tip'], 3.6, 7.2 + 0.9 * t['nose_tip'], 0),
        (2, wing * 0.78, nose + 2.6, 2.8, 2.8, 4.2, 1), (0, wing, nose + 2, 3, 4, 0.5 + 0.5 * t['nose_width'], 1),
        (2, 0, nose + 7.5, 5, 2.2, -2.0, 0), (2, wing + 2, nose + 4, 2.6, 4, -1.2, 1))


def _lower_face(t, p):
    mouth, chin = p['mouth'], p['chin']
    return (
        (2, 22, 30, 9, 9, 0.4 + 1.4 * t['cheek_fat'] - 0.8 * t['cheekbone'], 1),
        (2, 14, 36, 4, 8, -0.7 - 0.8 * t['age'], 1),
        (2, 0, mouth - 4.2, 9, 2.6, 1.8 + 0.5 * t['lip_depth'], 0),
        (2, 0, mouth + 4.4, 7.5, 2.8, 2.2 + 0.6 * t['lip_depth'], 0),
        (2, 0, mouth, 11, 1.3, -1.2, 0), (2, p['mouth_width'], mouth, 3, 3, -1.2, 1),
        (2, 0, mouth - 9, 2.0, 4, -0.7 - 0.3 * t['philtrum'], 0), (2, 0, mouth + 10.5, 9, 3, -1.6, 0),
        (2, 0, chin - 7, 8 + 0.8 * t['chin_width'], 5, 2.0 + 0.8 * t['chin_depth'], 0),
        (0, 35, 48, 8, 9, 0.8 * t['jaw_depth'], 1))


class Face:
    """How a face moves by its expression.

    Args:
        p (dict): As ``places`` gives them.
    """

    def __init__(self, p):
        wide, mouth, brow = p['mouth_width'], p['mouth'], p['brow']
        self._bumps = Bumps([
            (1, 0, p['chin'], 24, 14, 0, 0), (1, 14, brow, 11, 5, 0, 1), (0, 8, brow, 6, 5, 0, 1),
            (0, wide, mouth, 6, 6, 0, 1), (1, wide, mouth, 5, 6, 0, 1), (2, 23, 20, 7, 7, 0, 1),
            (2, 15, 30, 3.5, 8, 0, 1), (2, 20, 38, 8, 8, 0, 1)])

    def moved(self, points, e):
        """A surface, float32 (3, ROWS, COLUMNS), with an expression; another array.

        Args:
            points (ndarray): The surface at rest.
            e (dict[str, float]): ``smile`` (-1 to 1), ``open``, ``raise`` (of the brows), ``frown``, ``puff``: 0 to 1.
        """
        smile, smiling = e['smile'], max(e['smile'], 0.0)
        return self._bumps.on(points, [
            6.5 * e['open'], 1.6 * e['frown'] - 2.6 * e['raise'], -1.4 * e['frown'], 2.2 * smile, -2.2 * smile,
            1.8 * smiling, -1.3 * smiling, 1.5 * e['puff']])
