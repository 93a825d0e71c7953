"""Eyes and mouth, which are painted anew for every image: they open, look and smile."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads.skin import column, row

_T = np.linspace(-1, 1, 13)
_BOW = 1 - _T ** 2
_PARTED, _FULL, _CUPID = _BOW ** 0.8, _BOW ** 0.75, _BOW ** 0.7 * (1 - 0.22 * np.exp(-(_T / 0.16) ** 2))
_ANGLE = np.linspace(0, 2 * np.pi, 14, endpoint=False)
_COS, _SIN = np.cos(_ANGLE), np.sin(_ANGLE)
_SIDES = np.array([[-1.0], [1.0]])
SCLERA, TEETH, THROAT, GLINT = (205, 196, 190, 255), (196, 188, 176, 255), (52, 26, 26, 255), (250, 250, 250, 255)


class Strokes:
    """Polygons and lines in (s, y), brought onto a texture together."""

    def __init__(self):
        self._s, self._y, self._how = [], [], []

    def fill(self, s, y, colour):
        """A polygon (N,), or several (K, N); a colour is four bytes, the last of them gloss."""
        self.line(s, y, colour, 0)

    def line(self, s, y, colour, thickness=1):
        """An open line (N,), or several (K, N), of a thickness in texels."""
        self._s.append(s.ravel())
        self._y.append(y.ravel())
        self._how.append((s.shape[0] if s.ndim > 1 else 1, s.shape[-1], colour, thickness))

    def paint(self, texture):
        """Paint all of them, in order, into a texture uint8 (HEIGHT, WIDTH, 4)."""
        s, y = np.concatenate(self._s), np.concatenate(self._y)
        points, start = np.empty((len(s), 2)), 0
        points[:, 0], points[:, 1] = column(s), row(y)
        points = np.rint(points * 16).astype(np.int32)
        for count, length, colour, thickness in self._how:
            parts, start = points[start:start + count * length].reshape(count, length, 2), start + count * length
            if thickness:
                cv2.polylines(texture, parts, False, colour, thickness, cv2.LINE_AA, 4)
            else:
                cv2.fillPoly(texture, parts, colour, cv2.LINE_AA, 4)


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
        iris=(as_bytes(iris * 0.45), as_bytes(iris), (16, 14, 13, 255)), fold=as_bytes(skin * 0.45),
        rim=as_bytes(skin * 0.42), corner=as_bytes(skin * np.array([0.6, 0.38, 0.36])),
        mouth_corner=as_bytes(skin * 0.35),
        lash=as_bytes(np.minimum(skin * 0.14, 0.06) * (1 - 0.6 * t['eye_make_up'])), upper_lip=as_bytes(lips * 0.82),
        lower_lip=as_bytes(lips), lip_light=as_bytes(lips * 1.2), lip_line=as_bytes(lips * 0.22))


def _iris(t):
    light = np.array([0.10 + 0.10 * t['iris_hue'], 0.17, 0.26 - 0.2 * t['iris_hue']])
    return np.array([0.05, 0.035, 0.025]) + (1 - t['iris']) * light


def _there_and_back(first, second):
    """A polygon of its two edges."""
    return np.concatenate([first, second[..., ::-1]], -1)


class _Lids:
    """Edges of both eyes, as functions of the place along the eye: -1 to 1, (2, N)."""

    def __init__(self, t, p, e):
        self._y, self._tilt = p['eye'][1], (0.045 + 0.035 * t['eye_tilt']) * p['eye_width']
        self.up = (p['eye_open'] + 0.5) * (1 - e['closed']) * (1 - 0.2 * max(e['smile'], 0))
        self.down = p['eye_open'] * 0.72 * (1 - 0.6 * e['closed'])
        self._power, self._fold = 2.3 - 0.3 * t['east'], 0.9 * t['east']

    def upper(self, k):
        """Height of the upper edge."""
        inner, size = -_SIDES * k, np.abs(k)
        bow = (1 - size ** self._power) * (1 + 0.36 * inner * (1 - size))
        return self._y + self._tilt * inner - self.up * bow + self._fold * np.maximum(inner, 0) ** 2

    def lower(self, k):
        """Height of the lower edge."""
        return self._y - self._tilt * _SIDES * k + self.down * (1 - k * k)


def _eyes(strokes, t, p, e, c):
    s0, wide, lids, radii = p['eye'][0], p['eye_width'], _Lids(t, p, e), (3.35, 2.95, 1.25 + 0.5 * e['dilated'])
    x, y = 2.6 * e['gaze'][0], p['eye'][1] - 0.35 * (lids.up - lids.down) + e['gaze'][1]
    along = np.concatenate([_T, *((x + radius * _COS) / wide for radius in radii)])
    s, upper, lower = _SIDES * s0 + wide * along, lids.upper(along), lids.lower(along)
    rim, size = slice(len(_T)), len(_COS)
    lower = np.maximum(lower, upper)
    if t['lid_crease'] > -2.0:
        strokes.line(s[:, rim], upper[:, rim] - (1.9 + 0.5 * t['lid_crease'] + 0.2 * e['closed'] * lids.up), c['fold'])
    strokes.fill(_there_and_back(s[:, rim], s[:, rim]), _there_and_back(upper[:, rim], lower[:, rim]), SCLERA)
    if lids.up + lids.down > 1.2:
        for number, (radius, colour) in enumerate(zip(radii, c['iris'])):
            part = slice(len(_T) + number * size, len(_T) + (number + 1) * size)
            strokes.fill(s[:, part], np.minimum(np.maximum(y + radius * _SIN, upper[:, part]), lower[:, part]), colour)
        glint = np.broadcast_to(y + e['glint'][1] + 0.62 * _SIN[::2], (2, size // 2))
        strokes.fill(_SIDES * s0 + x + e['glint'][0] + 0.62 * _COS[::2], glint, GLINT)
        strokes.line(s[:, rim], upper[:, rim] + 0.5, (120, 108, 105, 255))
    strokes.line(s[:, rim], lower[:, rim] + 0.3, c['rim'])
    strokes.line(s[:, rim], upper[:, rim], c['lash'], 1 + (e['closed'] < 0.9) + (t['eye_make_up'] > 0.6))
    corner = _SIDES * (s0 - wide * 0.93) + 0.8 * _COS[::2]
    strokes.fill(corner, lids.lower(-0.93 * _SIDES) + 0.6 * _SIN[::2], c['corner'])


def _mouth(lips, inside, t, p, e, c):
    y0, smile, gap = p['mouth'], e['smile'], e['open']
    wide, smiling = p['mouth_width'] * (1 + 0.08 * smile), max(smile, 0)
    upper = max(3.8 + 0.8 * t['upper_lip'] - 0.4 * smiling, 0.9)
    lower = max(4.8 + 0.85 * t['lower_lip'] - 0.4 * smiling, 1.4)
    line = y0 + (0.5 * t['mouth_curve'] - 1.6 * smile) * _T ** 2 + 0.3 * smile
    top, bottom = line - 1.3 * gap * _PARTED, line + 4.2 * gap * _PARTED
    s = _T * wide
    around = _there_and_back(s, s)
    lips.fill(around, _there_and_back(top - upper * _CUPID, top + 0.5), c['upper_lip'])
    lips.fill(around, _there_and_back(bottom - 0.5, bottom + lower * _FULL), c['lower_lip'])
    lips.line(s * 0.6, bottom + lower * 0.55, c['lip_light'])
    if gap > 0.12:
        inside.fill(around * 0.94, _there_and_back(top, bottom), THROAT)
        teeth = top + (bottom - top) * min(1.0, 0.55 + 0.5 * smiling) * np.minimum(1.15 - _T ** 2, 1)
        inside.fill(around * 0.8, _there_and_back(top, teeth), TEETH)
        inside.line(s * 0.9, top, (80, 36, 36, 255))
    else:
        inside.line(s, line, c['lip_line'])
    ends = np.broadcast_to(line[0] + np.array([0, -0.4 * smile]), (2, 2))
    inside.line(_SIDES * wide + np.array([[-1, 0.8]]), ends, c['mouth_corner'])


def _lip_colour(t, skin):
    natural = np.array([0.80, 0.50, 0.50]) * skin + np.array([0.03, 0.0, 0.0])
    red = np.array([0.42, 0.06 + 0.05 * t['lip_hue'], 0.07 + 0.12 * t['lip_hue']])
    return natural + t['lipstick'] * 0.75 * (red - natural)
