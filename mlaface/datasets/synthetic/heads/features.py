"""Eyes and mouth, which are painted anew for every image: they open, look and smile."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads.skin import column, row

_T = np.linspace(-1, 1, 13)
_BOW = 1 - _T ** 2
_ANGLE = np.linspace(0, 2 * np.pi, 14, endpoint=False)
_COS, _SIN = np.cos(_ANGLE), np.sin(_ANGLE)
_SIDES = np.array([[-1.0], [1.0]])
SCLERA, TEETH, THROAT, GLINT = (205, 196, 190, 255), (196, 188, 176, 255), (52, 26, 26, 255), (250, 250, 250, 255)


class Strokes:
    """Polygons and lines in (s, y), brought onto a texture together."""

    def __init__(self):
        self._s, self._y, self._how = [], [], []

    def fill(self, s, y, colour):
        """A polygon; a colour is four bytes, the last of them gloss."""
        self.line(s, y, colour, 0)

    def line(self, s, y, colour, thickness=1):
        """An open line of a thickness in texels."""
        self._s.append(s)
        self._y.append(y)
        self._how.append((colour, thickness))

    def paint(self, texture):
        """Paint all of them, in order, into a texture uint8 (HEIGHT, WIDTH, 4)."""
        points = np.stack([column(np.concatenate(self._s)), row(np.concatenate(self._y))], 1)
        points, start = np.rint(points * 16).astype(np.int32), 0
        for s, (colour, thickness) in zip(self._s, self._how):
            part, start = points[start:start + len(s)], start + len(s)
            if thickness:
                cv2.polylines(texture, [part], False, colour, thickness, cv2.LINE_AA, 4)
            else:
                cv2.fillPoly(texture, [part], colour, cv2.LINE_AA, 4)


def soften(texture, s, y, sigma):
    """Blur a rectangle of a texture: ``s`` and ``y`` from and to."""
    (left, right), (top, bottom) = column(np.array(s)).astype(int), row(np.array(y)).astype(int)
    part = texture[top:bottom, left:right]
    part[:] = cv2.GaussianBlur(part, (5, 5), sigma)


def paint(texture, t, p, e, c):
    """Paint eyes and mouth.

    Args:
        texture (ndarray): Square roots of reflectances and gloss, uint8 (HEIGHT, WIDTH, 4); changed.
        t, p (dict): Traits and places.
        e (dict): Expression of the scene, and ``glint`` (x, y): where in the eye the light is seen.
        c (dict): As ``colours`` gives them.
    """
    lips, rest = Strokes(), Strokes()
    _mouth(lips, rest, t, p, e, c)
    lips.paint(texture)
    soften(texture, (-19, 19), (p['mouth'] - 11, p['mouth'] + 15), 1.1 - 0.5 * t['lipstick'])
    _eyes(rest, t, p, e, c)
    rest.paint(texture)
    soften(texture, (-30, 30), (p['eye'][1] - 9, p['eye'][1] + 7), 0.6)
    soften(texture, (-19, 19), (p['mouth'] - 11, p['mouth'] + 15), 0.6)


def as_bytes(colour, gloss=255):
    """A linear reflectance (3,) as a texture has it."""
    red, green, blue = (colour ** 0.5 * 255).tolist()
    return min(int(red), 255), min(int(green), 255), min(int(blue), 255), gloss


def colours(t, skin):
    """Colours of eyes and mouth of a look as a texture has them.

    Args:
        t (dict): Traits of the look.
        skin (ndarray): Reflectance of the skin (3,).
    """
    iris, lips = _iris(t), _lip_colour(t, skin)
    return dict(
        iris=(as_bytes(iris * 0.45), as_bytes(iris), (16, 14, 13, 255)), fold=as_bytes(skin * 0.45), rim=as_bytes(skin * 0.42),
        lash=as_bytes(np.minimum(skin * 0.14, 0.06) * (1 - 0.6 * t['eye_make_up'])), corner=as_bytes(skin * np.array([0.6, 0.38, 0.36])),
        upper_lip=as_bytes(lips * 0.82), lower_lip=as_bytes(lips), lip_light=as_bytes(lips * 1.2), lip_line=as_bytes(lips * 0.22),
        mouth_corner=as_bytes(skin * 0.35))


def _iris(t):
    light = np.array([0.10 + 0.10 * t['iris_hue'], 0.17, 0.26 - 0.2 * t['iris_hue']])
    return np.array([0.05, 0.035, 0.025]) + (1 - t['iris']) * light


def _eyes(strokes, t, p, e, c):
    s0, y0 = p['eye']
    wide, tilt = p['eye_width'], 0.045 + 0.035 * t['eye_tilt']
    up = (p['eye_open'] + 0.5) * (1 - e['closed']) * (1 - 0.2 * max(e['smile'], 0))
    down = p['eye_open'] * 0.72 * (1 - 0.6 * e['closed'])
    inner = -_SIDES * _T  # 1 at the nose
    s, slope = _SIDES * s0 + _T * wide, y0 + tilt * wide * inner
    bow = 1 - np.abs(_T) ** (2.3 - 0.3 * t['east'])
    upper = slope - up * bow * (1 + 0.36 * inner * (1 - np.abs(inner))) + 0.9 * t['east'] * np.maximum(inner, 0) ** 2
    lower = np.maximum(slope + down * _BOW, upper)
    crease = upper - 1.9 - 0.5 * t['lid_crease'] - e['closed'] * 0.2 * up
    x = e['gaze'][0] * 2.6
    for k, side in enumerate((-1, 1)):
        if t['lid_crease'] > -2.0:
            strokes.line(s[k], crease[k], c['fold'])
        strokes.fill(np.concatenate([s[k], s[k][::-1]]), np.concatenate([upper[k], lower[k][::-1]]), SCLERA)
        if up + down > 1.2:
            cx, cy = side * s0 + x, y0 - 0.35 * (up - down) + 1.0 * e['gaze'][1]
            for radius, colour in zip((3.35, 2.95, 1.25 + 0.5 * e['dilated']), c['iris']):
                px = cx + radius * _COS
                py = np.clip(cy + radius * _SIN, np.interp(px, s[k], upper[k]), np.interp(px, s[k], lower[k]))
                strokes.fill(px, py, colour)
            strokes.fill(cx + e['glint'][0] + 0.62 * _COS[::2], cy + e['glint'][1] + 0.62 * _SIN[::2], GLINT)
            strokes.line(s[k], upper[k] + 0.5, (120, 108, 105, 255))
        strokes.line(s[k], lower[k] + 0.3, c['rim'])
        strokes.line(s[k], upper[k], c['lash'], 1 + (e['closed'] < 0.9) + (t['eye_make_up'] > 0.6))
        strokes.fill(side * (s0 - wide * 0.93) + 0.8 * _COS[::2], y0 + tilt * wide * 0.93 + 0.6 * _SIN[::2], c['corner'])


def _mouth(lips, inside, t, p, e, c):
    y0, smile, gap = p['mouth'], e['smile'], e['open']
    wide, smiling = p['mouth_width'] * (1 + 0.08 * smile), max(smile, 0)
    upper = max(3.8 + 0.8 * t['upper_lip'] - 0.4 * smiling, 0.9)
    lower = max(4.8 + 0.85 * t['lower_lip'] - 0.4 * smiling, 1.4)
    line = y0 + (0.5 * t['mouth_curve'] - 1.6 * smile) * _T ** 2 + 0.3 * smile
    cupid = upper * (_BOW ** 0.7) * (1 - 0.22 * np.exp(-(_T / 0.16) ** 2))
    parted = _BOW ** 0.8
    top, bottom = line - 1.3 * gap * parted, line + 4.2 * gap * parted
    s = _T * wide
    around = np.concatenate([s, s[::-1]])
    lips.fill(around, np.concatenate([top - cupid, (top + 0.5)[::-1]]), c['upper_lip'])
    lips.fill(around, np.concatenate([bottom - 0.5, (bottom + lower * _BOW ** 0.75)[::-1]]), c['lower_lip'])
    lips.line(s * 0.6, bottom + lower * 0.55, c['lip_light'])
    if gap > 0.12:
        inside.fill(around * 0.94, np.concatenate([top, bottom[::-1]]), THROAT)
        share = min(1.0, 0.55 + 0.5 * smiling)
        low = top + (bottom - top) * share * np.minimum(1.15 - _T ** 2, 1)
        inside.fill(around * 0.8, np.concatenate([top, low[::-1]]), TEETH)
        inside.line(s * 0.9, top, (80, 36, 36, 255))
    else:
        inside.line(s, line, c['lip_line'])
    for side in (-1, 1):
        inside.line(side * wide + np.array([-1, 0.8]), line[0] + np.array([0, -0.4 * smile]), c['mouth_corner'])


def _lip_colour(t, skin):
    natural = np.array([0.80, 0.50, 0.50]) * skin + np.array([0.03, 0.0, 0.0])
    red = np.array([0.42, 0.06 + 0.05 * t['lip_hue'], 0.07 + 0.12 * t['lip_hue']])
    return natural + t['lipstick'] * 0.75 * (red - natural)
