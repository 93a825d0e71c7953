"""From the skin to its texture, and outlines there, compiled: those of eyes and mouth are drawn anew for every image.

Points are in sixteenths of a texel, int32, as OpenCV takes them with a shift of 4. A closed outline is its upper edge
from left to right, then its lower one from right to left.
"""
import numpy as np
from numba import njit

from mlaface.utils.compiled import compiled

TOP, BOTTOM, AROUND = -64.0, 72.0, 2.0  # of the surface: from and to a height, and to an angle on either side
# The skin's coordinate is an arc's width up to BEND, and goes on along the arc at the sides: radii of both, in pixels.
BEND, FRONT, SIDE = np.pi / 3, 38.0, 19.0
EDGE = FRONT * np.sin(BEND)
HEIGHT, WIDTH = 182, 256  # of a texture: about one and a third texels a pixel
ALONG, RING, DOT = 13, 14, 7  # points of an edge, of a ring, of a dot
_ANGLE = np.linspace(0, 2 * np.pi, RING, endpoint=False)
_COS, _SIN = np.cos(_ANGLE), np.sin(_ANGLE)
_T = np.linspace(-1, 1, ALONG)
_PARTED = np.maximum(1 - _T ** 2, 0) ** 0.8
_FULL = np.maximum(1 - _T ** 2, 0) ** 0.75
_CUPID = np.maximum(1 - _T ** 2, 0) ** 0.7 * (1 - 0.22 * np.exp(-(_T / 0.16) ** 2))


def _slices(**counts):
    slices, start = {}, 0
    for name, count in counts.items():
        slices[name], start = slice(start, start + count), start + count
    return slices


# which of the points are what; each eye has all of its own
EYE = _slices(crease=ALONG, white=2 * ALONG, iris=RING, inner_iris=RING, pupil=RING, glint=DOT, shade=ALONG, rim=ALONG,
              lash=ALONG, corner=DOT)
MOUTH = _slices(upper=2 * ALONG, lower=2 * ALONG, light=ALONG, throat=2 * ALONG, teeth=2 * ALONG, top=ALONG, line=ALONG,
                left=2, right=2)
_OF_EYE, _OF_MOUTH = (tuple(part.start for part in parts.values()) for parts in (EYE, MOUTH))


def along(u):
    """The skin's coordinate s of an angle."""
    size = np.abs(u)
    return np.sign(u) * np.where(size < BEND, FRONT * np.sin(size), EDGE + SIDE * (size - BEND))


def angle(s):
    """The angle of a skin's coordinate."""
    size = np.abs(s)
    return np.sign(s) * np.where(size < EDGE, np.arcsin(np.minimum(size, EDGE) / FRONT), BEND + (size - EDGE) / SIDE)


def column(s):
    """Texture column of the skin's coordinate."""
    return (angle(s) + AROUND) * (WIDTH / (2 * AROUND)) - 0.5


def row(y):
    """Texture row of a height."""
    return (y - TOP) * (HEIGHT / (BOTTOM - TOP)) - 0.5


@njit
def _set(points, n, s, y, scale):
    size = abs(s)
    angle = np.arcsin(size / FRONT) if size < EDGE else BEND + (size - EDGE) / SIDE
    column = (np.copysign(angle, s) + AROUND) * (WIDTH / (2 * AROUND))
    points[n, 0] = np.int32(np.rint(16 * scale * column - 8))
    points[n, 1] = np.int32(np.rint(16 * scale * ((y - TOP) * (HEIGHT / (BOTTOM - TOP))) - 8))


def texels(s, y, scale=1.0):
    """Places of the skin on a texture.

    Args:
        s, y (ndarray): Coordinates, of one shape.
        scale (float): Of the texture.

    Returns:
        ndarray: Columns and rows in sixteenths, int32 (..., 2).
    """
    points = np.empty((*s.shape, 2), np.int32)
    _texels(s.ravel(), y.ravel(), scale, points.reshape(-1, 2))
    return points


@compiled
def _texels(s, y, scale, points):
    for n in range(len(s)):
        _set(points, n, s[n], y[n], scale)


@njit
def _upper(k, sign, lids):
    """Height of an eye's upper edge over its middle, at a place -1 to 1 along it."""
    up, _, tilt, power, fold = lids
    inner, size = -sign * k, abs(k)
    bow = (1 - size ** power) * (1 + 0.36 * inner * (1 - size))
    return tilt * inner - up * bow + fold * max(inner, 0.0) ** 2


@njit
def _lower(k, sign, lids):
    _, down, tilt, _, _ = lids
    return down * (1 - k * k) - tilt * sign * k


@compiled
def eyes(s0, y0, wide, up, down, tilt, power, fold, x, y, pupil, crease, glint_x, glint_y, points):
    """Outlines of both eyes.

    Args:
        s0, y0 (float): Middle of the right one.
        wide, up, down (float): From its middle to its corners, and to its edges.
        tilt (float): How much higher the outer corner is.
        power, fold (float): Shape of the upper edge: 2 is an arc; how far its inner end is drawn down.
        x, y (float): Middle of the iris, beside and below that of the eye.
        pupil (float): Its radius.
        crease (float): Height of the lid.
        glint_x, glint_y (float): Where the light is seen in the iris.
        points (ndarray): Filled: left and right eye as ``EYE`` says, int32 (2, points, 2).
    """
    crease_, white, iris, inner_iris, hole, glint, shade, rim, lash, corner = _OF_EYE
    lids = up, down, tilt, power, fold
    for side in range(2):
        sign, found = 2.0 * side - 1, points[side]
        for n in range(ALONG):
            k = _T[n]
            s, upper = sign * s0 + wide * k, y0 + _upper(k, sign, lids)
            lower = max(y0 + _lower(k, sign, lids), upper)
            _set(found, crease_ + n, s, upper - crease, 1.0)
            _set(found, white + n, s, upper, 1.0)
            _set(found, white + 2 * ALONG - 1 - n, s, lower, 1.0)
            _set(found, shade + n, s, upper + 0.5, 1.0)
            _set(found, rim + n, s, lower + 0.3, 1.0)
            _set(found, lash + n, s, upper, 1.0)
        for start, radius in ((iris, 3.35), (inner_iris, 2.95), (hole, pupil)):
            for n in range(RING):
                k = (x + radius * _COS[n]) / wide
                upper = _upper(k, sign, lids)
                lower = max(_lower(k, sign, lids), upper)
                _set(found, start + n, sign * s0 + wide * k, y0 + min(max(y + radius * _SIN[n], upper), lower), 1.0)
        for n in range(DOT):
            cos, sin = _COS[2 * n], _SIN[2 * n]
            _set(found, glint + n, sign * s0 + x + glint_x + 0.62 * cos, y0 + y + glint_y + 0.62 * sin, 1.0)
            end = y0 + _lower(-0.93 * sign, sign, lids)
            _set(found, corner + n, sign * (s0 - 0.93 * wide) + 0.8 * cos, end + 0.6 * sin, 1.0)


@compiled
def mouth(y0, wide, upper, lower, curve, smile, gap, points):
    """Outlines of a mouth.

    Args:
        y0 (float): Height of the line between the lips.
        wide (float): From its middle to its corners.
        upper, lower (float): Heights of the lips.
        curve (float): How far the corners are below the middle.
        smile, gap (float): -1 to 1; 0 is closed.
        points (ndarray): Filled: as ``MOUTH`` says, int32 (points, 2).
    """
    over, under, light, throat, teeth, top_, line_, left, right = _OF_MOUTH
    last = 2 * ALONG - 1
    for n in range(ALONG):
        t = _T[n]
        line = y0 + curve * t * t + 0.3 * smile
        top, bottom = line - 1.3 * gap * _PARTED[n], line + 4.2 * gap * _PARTED[n]
        edge = top + (bottom - top) * min(1.0, 0.55 + 0.5 * max(smile, 0.0)) * min(1.15 - t * t, 1.0)
        _set(points, over + n, t * wide, top - upper * _CUPID[n], 1.0)
        _set(points, over + last - n, t * wide, top + 0.5, 1.0)
        _set(points, under + n, t * wide, bottom - 0.5, 1.0)
        _set(points, under + last - n, t * wide, bottom + lower * _FULL[n], 1.0)
        _set(points, light + n, 0.6 * t * wide, bottom + 0.55 * lower, 1.0)
        _set(points, throat + n, 0.94 * t * wide, top, 1.0)
        _set(points, throat + last - n, 0.94 * t * wide, bottom, 1.0)
        _set(points, teeth + n, 0.8 * t * wide, top, 1.0)
        _set(points, teeth + last - n, 0.8 * t * wide, edge, 1.0)
        _set(points, top_ + n, 0.9 * t * wide, top, 1.0)
        _set(points, line_ + n, t * wide, line, 1.0)
    end = y0 + curve + 0.3 * smile
    for start, sign in ((left, -1.0), (right, 1.0)):
        _set(points, start, sign * wide - 1, end, 1.0)
        _set(points, start + 1, sign * wide + 0.8, end - 0.4 * smile, 1.0)
