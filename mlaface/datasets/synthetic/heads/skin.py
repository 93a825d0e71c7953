"""Skin, brows, beard and hair of one look as a texture over the grid of the surface.

Colours are square roots of reflectances, since products of those are products of these, and eight bits of them suffice.
"""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads import colouring
from mlaface.datasets.synthetic.heads.outlines import AROUND, BOTTOM, HEIGHT, TOP, WIDTH, along, row, texels
from mlaface.datasets.synthetic.heads.surface import COLUMNS, ROWS, places, spread

HALF = HEIGHT // 2, WIDTH // 2  # what is soft is computed on every second texel


def _axes(rows, columns):
    y = TOP + (np.arange(rows) + 0.5) * ((BOTTOM - TOP) / rows)
    s = along(-AROUND + (np.arange(columns) + 0.5) * (2 * AROUND / columns))
    return y.astype(np.float32)[:, None], s.astype(np.float32)[None]


Y, S = _axes(HEIGHT, WIDTH)
HALF_Y, HALF_S = _axes(*HALF)
SIZE_S = np.abs(HALF_S)
SPREAD = spread(12, HALF[0]), spread(12, HALF[1])


def _bank():
    """Noise that everybody draws from by an offset: fine, middle, coarse, strands; mean 0, deviation 1."""
    rng = np.random.Generator(np.random.PCG64([2, 5]))
    fields = []
    for rows, columns in ((560, 560), (140, 140), (28, 28), (14, 400)):
        field = rng.standard_normal((rows, columns)).astype(np.float32)
        field = cv2.resize(field, (560, 560), interpolation=cv2.INTER_CUBIC)
        fields.append((field - field.mean()) / field.std())
    return fields


FINE, MIDDLE, COARSE, STRANDS = _bank()


def noise(field, offset, size=(HEIGHT, WIDTH)):
    """A part of a bank of noise: ``offset`` is two numbers from 0 to 255."""
    return field[offset[0]:offset[0] + size[0], offset[1]:offset[1] + size[1]]


def skin_colour(t):
    """Reflectance of a skin by its melanin and blood, (3,) in linear RGB."""
    light, dark = np.log([0.78, 0.52, 0.39]), np.log([0.10, 0.045, 0.026])
    colour = light + (dark - light) * np.clip(t['melanin'] + 0.1 * t['tan'] + 0.02, 0, 1)
    colour = colour + (t['blood'] - 0.5) * np.array([-0.02, -0.22, -0.16])
    return np.exp(colour + (t['skin_hue'] - 0.5) * np.array([0, 0.05, -0.25]))


def hair_colour(t):
    """Reflectance of hair, (3,) in linear RGB."""
    light, dark = np.log([0.48, 0.30, 0.14]), np.log([0.012, 0.010, 0.009])
    colour = np.exp(light + (dark - light) * t['hair'] ** 0.8 + t['red'] * np.array([0.3, -0.4, -0.9]))
    return colour + (np.array([0.42, 0.42, 0.43]) - colour) * t['grey']


def _spot(s, y, width, height):
    return (np.exp(-0.5 * ((HALF_Y - y) / height) ** 2) * np.exp(-0.5 * ((SIZE_S - s) / width) ** 2)).astype(np.float32)


def _beard():
    edge = 18 + 26 * np.exp(-0.5 * (SIZE_S / 22) ** 4)
    jaw = 1 / (1 + np.exp((edge - HALF_Y) / 2.5)) * np.exp(-np.maximum(SIZE_S - 40, 0) / 3)
    lip = np.exp(-0.5 * ((HALF_Y - 33) / 2.8) ** 2) * np.exp(-0.5 * (SIZE_S / 13) ** 4)
    return np.minimum(jaw + 0.9 * lip, 1).astype(np.float32)


# regions of the skin that are at the same place with all
CHEEKS, NOSE, FRECKLED = _spot(25, 18, 9, 8), 0.5 * _spot(0, 20, 6, 6), _spot(14, 14, 16, 14)
UNDER_EYES, LIDS, BEARD = _spot(17.3, 3, 8, 5), _spot(17.3, -4.5, 7, 2.6), _beard()


_T = np.linspace(-1, 1, 13)


def _brow(t, p):
    """The right brow: s, y of a polygon."""
    eye = p['eye'][0]
    inner = max(eye - 10.5 + 0.8 * t['brow_gap'], 2.5)
    outer = eye + 10.5 + 1.3 * t['brow_length']
    s = inner + (outer - inner) * (_T + 1) / 2
    y = p['brow'] + 0.8 - (1.8 + 1.1 * t['brow_arch']) * (1 - (_T - 0.25) ** 2) - 0.7 * t['brow_tilt'] * _T
    half = np.maximum((1.55 + 0.5 * t['brow_thickness']) * np.clip(1.05 - 0.28 * (_T + 1), 0.3, 1), 0.5)
    return np.concatenate([s, s[::-1]]), np.concatenate([y - half, (y + half)[::-1]])


def _wrinkles(t, p):
    """Lines that come with age, as a mask of every second texel."""
    brow, wing, eye, k = p['brow'], p['nose_width'], p['eye'][0], (_T + 1) / 2
    lines = [(_T * 24, y + 1.5 * _T ** 2) for y in (brow - 8, brow - 14, brow - 20)]
    for s, y in ((wing + 1.5 + 8 * k, p['nose'] + 1 + (p['mouth'] - p['nose'] - 1) * k ** 1.2),
                 (eye - 5 + 10 * k, 6.0 + 2.2 * (1 - _T ** 2)), (eye + 11 + 4 * k, 1 + 3 * k),
                 (eye + 11 + 4 * k, -1 - 2 * k), (2.5 + k * 0.6, brow - 2 + 5 * k)):
        lines += [(s, y), (-s, y)]
    mask = np.zeros(HALF, np.uint8)
    s, y = np.array(lines).transpose(1, 0, 2)
    cv2.polylines(mask, list(texels(s, y, 0.5)), False, 255, 1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (3, 3), 0.7).astype(np.float32) * (1 / 255)


def _pigments(t, p):
    """Blood, brown and blue beyond those of the plain skin, float32 (3, texels of HALF)."""
    o = t['offset']
    red = CHEEKS * np.float32(0.5 * (0.4 + t['blush'])) + NOSE + noise(COARSE, o, HALF) * np.float32(0.15)
    brown = noise(COARSE, o[2:], HALF) * np.float32(0.1 * (0.5 + t['blotch']))
    brown += UNDER_EYES * np.float32(0.28 * (0.3 + t['age']))
    brown += noise(MIDDLE, o[2:], HALF) * np.float32(0.03 + 0.07 * t['age'])
    brown += _wrinkles(t, p) * np.float32(0.45 * (0.25 + t['age']))
    if t['eye_make_up'] > 0:
        brown += LIDS * np.float32(0.35 * t['eye_make_up'])
    if t['freckles'] > 0:
        brown += 0.7 * t['freckles'] * np.maximum(noise(MIDDLE, o[4:], HALF) - 0.9, 0) * FRECKLED
    for s, y, size, deep in t['moles']:
        wide = -0.5 / (0.9 + 0.5 * size) ** 2
        brown += (0.8 + 0.4 * deep) * np.exp(wide * (HALF_Y - 18 - 30 * y) ** 2) * np.exp(wide * (HALF_S - 30 * s) ** 2)
    blue = BEARD * np.float32(0.35 * t['shadow'])
    return np.stack([red, brown, blue], dtype=np.float32, casting='same_kind').reshape(3, -1)


# of blood, brown and blue, in red, green and blue light
DENSITY = np.array([[0.04, 0.5, 1.0], [0.26, 0.8, 0.85], [0.22, 1.0, 0.7]], np.float32)


def _brows(t, p):
    """First row of the texture that brows are in, and their mask from there on."""
    s, y = _brow(t, p)
    rows = slice(int(row(y.min())) - 4, int(row(y.max())) + 5)
    mask = np.zeros((rows.stop - rows.start, WIDTH), np.uint8)
    cv2.fillPoly(mask, [texels(side * s, y) - np.array([0, 16 * rows.start]) for side in (-1, 1)], 255, cv2.LINE_AA, 4)
    mask = cv2.GaussianBlur(mask, (7, 7), 1.2).astype(np.float32) * np.float32(1 / 255)
    dense = np.float32(0.55 + 0.45 * t['brow_density']) + np.float32(0.14) * noise(STRANDS, t['offset'][1:])[rows]
    return rows.start, mask * np.clip(dense, 0, 1)


def hair(t):
    """Where hair is and how far it stands off.

    Args:
        t (dict): Traits of the look.

    Returns:
        tuple[ndarray, ndarray]: Mask of the texture, float32 (HEIGHT, WIDTH), and distance from the skin in pixels,
        float32 (ROWS, COLUMNS).
    """
    o, size = t['offset'], np.abs(S[0])
    edge = np.interp(size, *_hair_edge(t)) + 4 * t['parting'] * S[0] / 30 * (size < 30)
    edge = edge + (0.4 + 0.8 * t['volume']) * noise(STRANDS, o[3:])[0] + 1.5 * t['curl'] * noise(MIDDLE, o)[7]
    mask = np.clip((edge.astype(np.float32) - Y) * 0.3 + 0.5, 0, 1)
    thick = (1.5 + 5.0 * t['volume'] + 4 * t['curl']) * (1 - 0.7 * min(t['bald'], 1))
    stand = cv2.GaussianBlur(cv2.resize(mask, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), (9, 9), 1.5)
    return mask, stand * (thick * (1 + 0.12 * noise(MIDDLE, o[5:], (ROWS, COLUMNS))))


def _hair_edge(t):
    """Lower edge of the hair: s and y of its knots, from the middle to behind the ear."""
    line, fringe, long = places(t)['hairline'] - 22 * t['bald'], 21 * t['fringe'], -8 + 85 * t['length']
    ear = -9.0 if t['ears_shown'] else max(long, 6.0)
    knots = ((0, line + 1.2 * t['widow'] + fringe), (9, line + fringe),
             (17, line - 2 - 2 * t['temples'] - 5 * t['bald'] + fringe), (25, line + 6 - t['temples'] + 0.8 * fringe),
             (31, -20), (35, max(2.0, 0.6 * ear)), (39, ear), (44, max(ear, -9)),
             (47.5, max(long, 24)), (51, max(long, 34)))
    return tuple(zip(*knots))


def texture(t):
    """Skin, brows, beard and hair of a look.

    Args:
        t (dict): Traits of the look.

    Returns:
        tuple[ndarray, ndarray]: Square roots of reflectances and gloss, uint8 (HEIGHT, WIDTH, 4), and the distance of
        hair as of ``hair``.
    """
    p, o, curl = places(t), t['offset'], t['curl']
    (mask, stand), (first, brows) = hair(t), _brows(t, p)
    bright = ((STRANDS, o[2:], 0.12 * (1 - curl)), (FINE, o, 0.05), (COARSE, o[3:], 0.07),
              (MIDDLE, o[2:], 0.13 * curl * (curl > 0.1)))
    noises, starts, shares = zip(*((field, tuple(start[:2]), share) for field, start, share in bright))
    hairs, out = np.sqrt(hair_colour(t)), np.empty((HEIGHT, WIDTH, 4), np.uint8)
    age, shares = np.float32(0.015 + 0.01 * t['age']), np.array(shares, np.float32)
    colouring.dye(_skin(t, p, hairs), FINE, tuple(o[2:4]), age, hairs.astype(np.float32), brows, first, mask, noises,
                  starts, shares, out)
    return out, stand


def _skin(t, p, hairs):
    """Skin and beard, square roots of reflectances of every second texel, float32 (3, HALF)."""
    own = t['blotches'] * np.float32(0.06 + 0.06 * t['blotch'])
    density = DENSITY @ _pigments(t, p)
    density += (SPREAD[0] @ own.transpose(2, 0, 1) @ SPREAD[1].T).reshape(3, -1)
    planes = np.exp(density * np.float32(-0.5)).reshape(3, *HALF)
    planes *= np.sqrt(skin_colour(t)).astype(np.float32)[:, None, None]
    if t['beard'] > 0:
        uneven = np.float32(0.85) + np.float32(0.2) * noise(FINE, t['offset'], HALF)
        beard = np.minimum(BEARD * np.float32(0.3 + 1.2 * t['beard']) * uneven, np.float32(0.95))
        planes += beard * (np.float32(0.87) * hairs.astype(np.float32)[:, None, None] - planes)
    return planes
