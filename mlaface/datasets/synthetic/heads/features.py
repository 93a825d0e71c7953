"""Eyes and mouth, which are painted anew for every image: they open, look and smile."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads import outlines
from mlaface.datasets.synthetic.heads.outlines import EYE, MOUTH, column, row

SCLERA, TEETH, THROAT, GLINT = (205, 196, 190, 255), (196, 188, 176, 255), (52, 26, 26, 255), (250, 250, 250, 255)
LID_SHADE, GUM = (120, 108, 105, 255), (80, 36, 36, 255)
_MOUTH_COLUMNS, _EYE_COLUMNS = (column(np.array([-s, s])).astype(int).tolist() for s in (19, 30))


def _fill(texture, points, part, colour):
    """A closed outline of each of several sets of points; a colour is four bytes, the last of them gloss."""
    cv2.fillPoly(texture, [these[part] for these in points], colour, cv2.LINE_AA, 4)


def _line(texture, points, part, colour, thickness=1):
    """An open one, of a thickness in texels."""
    cv2.polylines(texture, [these[part] for these in points], False, colour, thickness, cv2.LINE_AA, 4)


def _soften(texture, columns, top, bottom, sigma):
    """Blur a rectangle: its columns, its heights and how far."""
    part = texture[int(row(top)):int(row(bottom)), columns[0]:columns[1]]
    part[:] = cv2.GaussianBlur(part, (5, 5), sigma)


def paint(texture, t, p, e, c):
    """Paint eyes and mouth.

    Args:
        texture (ndarray): Square roots of reflectances and gloss, uint8 (HEIGHT, WIDTH, 4); changed.
        t, p (dict): Traits and places.
        e (dict): Expression of the scene, and ``glint`` (x, y): where in the eye the light is seen.
        c (dict): As ``colours`` gives them.
    """
    mouth = _mouth(t, p, e)
    _fill(texture, mouth, MOUTH['upper'], c['upper_lip'])
    _fill(texture, mouth, MOUTH['lower'], c['lower_lip'])
    _line(texture, mouth, MOUTH['light'], c['lip_light'])
    _soften(texture, _MOUTH_COLUMNS, p['mouth'] - 11, p['mouth'] + 15, 1.1 - 0.5 * t['lipstick'])
    if e['open'] > 0.12:
        _fill(texture, mouth, MOUTH['throat'], THROAT)
        _fill(texture, mouth, MOUTH['teeth'], TEETH)
        _line(texture, mouth, MOUTH['top'], GUM)
    else:
        _line(texture, mouth, MOUTH['line'], c['lip_line'])
    for corner in ('left', 'right'):
        _line(texture, mouth, MOUTH[corner], c['mouth_corner'])
    _paint_eyes(texture, t, p, e, c)
    _soften(texture, _EYE_COLUMNS, p['eye'][1] - 9, p['eye'][1] + 7, 0.6)


def _paint_eyes(texture, t, p, e, c):
    (s, y), wide = p['eye'], p['eye_width']
    up = (p['eye_open'] + 0.5) * (1 - e['closed']) * (1 - 0.2 * max(e['smile'], 0))
    down = p['eye_open'] * 0.72 * (1 - 0.6 * e['closed'])
    crease = 1.9 + 0.5 * t['lid_crease'] + 0.2 * e['closed'] * up
    eyes = np.empty((2, EYE['corner'].stop, 2), np.int32)
    outlines.eyes(s, y, wide, up, down, (0.045 + 0.035 * t['eye_tilt']) * wide, 2.3 - 0.3 * t['east'], 0.9 * t['east'],
                  2.6 * e['gaze'][0], e['gaze'][1] - 0.35 * (up - down), 1.25 + 0.5 * e['dilated'], crease, *e['glint'],
                  eyes)
    if t['lid_crease'] > -2.0:
        _line(texture, eyes, EYE['crease'], c['fold'])
    _fill(texture, eyes, EYE['white'], SCLERA)
    if up + down > 1.2:
        for part, colour in zip(('iris', 'inner_iris', 'pupil'), c['iris']):
            _fill(texture, eyes, EYE[part], colour)
        _fill(texture, eyes, EYE['glint'], GLINT)
        _line(texture, eyes, EYE['shade'], LID_SHADE)
    _line(texture, eyes, EYE['rim'], c['rim'])
    _line(texture, eyes, EYE['lash'], c['lash'], 1 + (e['closed'] < 0.9) + (t['eye_make_up'] > 0.6))
    _fill(texture, eyes, EYE['corner'], c['corner'])


def _mouth(t, p, e):
    """Its outlines, one set of points."""
    smile, smiling = e['smile'], max(e['smile'], 0)
    upper = max(3.8 + 0.8 * t['upper_lip'] - 0.4 * smiling, 0.9)
    lower = max(4.8 + 0.85 * t['lower_lip'] - 0.4 * smiling, 1.4)
    points = np.empty((1, MOUTH['right'].stop, 2), np.int32)
    outlines.mouth(p['mouth'], p['mouth_width'] * (1 + 0.08 * smile), upper, lower,
                   0.5 * t['mouth_curve'] - 1.6 * smile, smile, e['open'], points[0])
    return points


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


def _lip_colour(t, skin):
    natural = np.array([0.80, 0.50, 0.50]) * skin + np.array([0.03, 0.0, 0.0])
    red = np.array([0.42, 0.06 + 0.05 * t['lip_hue'], 0.07 + 0.12 * t['lip_hue']])
    return natural + t['lipstick'] * 0.75 * (red - natural)
