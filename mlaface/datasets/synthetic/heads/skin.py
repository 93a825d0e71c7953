"""Skin, brows, beard and hair of one look as a texture over the grid of the surface.

Colours are square roots of reflectances, since products of those are products of these, and eight bits of them suffice.
"""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads.surface import AROUND, BOTTOM, COLUMNS, ROWS, TOP, along, angle, places

HEIGHT, WIDTH = 208, 256  # about one and a third texels a pixel
HALF = HEIGHT // 2, WIDTH // 2  # what is soft is computed on every second texel


def _axes(rows, columns):
    y = TOP + (np.arange(rows) + 0.5) * ((BOTTOM - TOP) / rows)
    s = along(-AROUND + (np.arange(columns) + 0.5) * (2 * AROUND / columns))
    return y.astype(np.float32)[:, None], s.astype(np.float32)[None]


Y, S = _axes(HEIGHT, WIDTH)
HALF_Y, HALF_S = _axes(*HALF)
SIZE_S = np.abs(HALF_S)


def _bank():
    """Noise that everybody draws from by an offset: fine, middle, coarse, strands; mean 0, deviation 1."""
    rng = np.random.Generator(np.random.PCG64([2, 5]))
    fields = []
    for rows, columns in ((560, 560), (140, 140), (28, 28), (14, 400)):
        field = cv2.resize(rng.standard_normal((rows, columns)).astype(np.float32), (560, 560), interpolation=cv2.INTER_CUBIC)
        fields.append((field - field.mean()) / field.std())
    return fields


FINE, MIDDLE, COARSE, STRANDS = _bank()


def noise(field, offset, size=(HEIGHT, WIDTH)):
    """A part of a bank of noise: ``offset`` is two numbers from 0 to 255."""
    return field[offset[0]:offset[0] + size[0], offset[1]:offset[1] + size[1]]


def column(s):
    """Texture column of the skin's coordinate s."""
    return (angle(s) + AROUND) * (WIDTH / (2 * AROUND)) - 0.5


def row(y):
    """Texture row of a height."""
    return (y - TOP) * (HEIGHT / (BOTTOM - TOP)) - 0.5


def skin_colour(t):
    """Reflectance of a skin by its melanin and blood, (3,) in linear RGB."""
    light, dark = np.log([0.78, 0.52, 0.39]), np.log([0.10, 0.045, 0.026])
    colour = light + (dark - light) * np.clip(t['melanin'] + 0.1 * t['tan'] + 0.02, 0, 1)
    colour = colour + (t['blood'] - 0.5) * np.array([-0.02, -0.22, -0.16]) + (t['skin_hue'] - 0.5) * np.array([0, 0.05, -0.25])
    return np.exp(colour)


def hair_colour(t):
    """Reflectance of hair, (3,) in linear RGB."""
    light, dark = np.log([0.48, 0.30, 0.14]), np.log([0.012, 0.010, 0.009])
    colour = np.exp(light + (dark - light) * t['hair'] ** 0.8 + t['red'] * np.array([0.3, -0.4, -0.9]))
    return colour + (np.array([0.42, 0.42, 0.43]) - colour) * t['grey']


def _spot(s, y, width, height):
    return np.exp(-0.5 * ((HALF_Y - y) / height) ** 2) * np.exp(-0.5 * ((SIZE_S - s) / width) ** 2)


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
    for s, y in ((wing + 1.5 + 8 * k, p['nose'] + 1 + (p['mouth'] - p['nose'] - 1) * k ** 1.2), (eye - 5 + 10 * k, 6.0 + 2.2 * (1 - _T ** 2)),
                 (eye + 11 + 4 * k, 1 + 3 * k), (eye + 11 + 4 * k, -1 - 2 * k), (2.5 + k * 0.6, brow - 2 + 5 * k)):
        lines += [(s, y), (-s, y)]
    mask = np.zeros(HALF, np.uint8)
    cv2.polylines(mask, [_fixed(s, y, 0.5) for s, y in lines], False, 255, 1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (3, 3), 0.7).astype(np.float32) * (1 / 255)


def _fixed(s, y, scale=1.0):
    return np.rint(np.stack([column(s) + 0.5, row(y) + 0.5], 1) * (16 * scale) - 8).astype(np.int32)


def skin(t):
    """The skin of a look, with brows and beard, without hair.

    Args:
        t (dict): Traits of the look.

    Returns:
        ndarray: Square roots of reflectances, float32 (HEIGHT, WIDTH, 3).
    """
    p, o = places(t), t['offset']
    beard = _beard_region(p)
    root = np.sqrt(skin_colour(t)) * np.exp(-0.5 * _pigment(t, p, beard))
    hair = np.sqrt(hair_colour(t)) * 0.87
    if t['beard'] > 0:
        _blend(root, np.minimum(beard * (0.3 + 1.2 * t['beard']) * (0.85 + 0.2 * noise(FINE, o, HALF)), 0.95), hair)
    root = cv2.resize(root.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    root *= cv2.merge([1 - (0.015 + 0.01 * t['age']) * noise(FINE, o[2:])] * 3)
    _paint_brows(root, t, p, hair * 0.92)
    return root


def _pigment(t, p, beard):
    """Optical density beyond that of the plain skin, float32 (HALF, 3)."""
    o, eye = t['offset'], p['eye'][0]
    red = 0.5 * _spot(25, 18, 9, 8) * (0.4 + t['blush']) + 0.5 * _spot(0, p['nose'], 6, 6) + 0.15 * noise(COARSE, o, HALF)
    middle = noise(MIDDLE, o[2:], HALF)
    brown = (0.10 * (0.5 + t['blotch']) * noise(COARSE, o[2:], HALF) + 0.28 * (0.3 + t['age']) * _spot(eye, 3, 8, 5)
             + (0.03 + 0.07 * t['age']) * middle + 0.35 * t['eye_make_up'] * _spot(eye, -4.5, 7, 2.6)
             + 0.45 * (0.25 + t['age']) * _wrinkles(t, p))
    if t['freckles'] > 0:
        brown += 0.7 * t['freckles'] * np.maximum(noise(MIDDLE, o[4:], HALF) - 0.9, 0) * _spot(14, 14, 16, 14)
    for s, y, size, deep in t['moles']:
        brown += (0.8 + 0.4 * deep) * np.exp(-0.5 * ((HALF_S - 30 * s) ** 2 + (HALF_Y - 18 - 30 * y) ** 2) / (0.9 + 0.5 * size) ** 2)
    blue = 0.35 * t['shadow'] * beard
    own = cv2.resize(t['blotches'], HALF[::-1], interpolation=cv2.INTER_CUBIC) * np.float32(0.06 + 0.06 * t['blotch'])
    return own + cv2.merge([red * a + brown * b + blue * c for a, b, c in ((0.04, 0.5, 1.0), (0.26, 0.8, 0.85), (0.22, 1.0, 0.7))])


def _beard_region(p):
    jaw = 1 / (1 + np.exp((18 + 26 * np.exp(-0.5 * (SIZE_S / 22) ** 4) - HALF_Y) / 2.5)) * np.exp(-np.maximum(SIZE_S - 40, 0) / 3)
    lip = np.exp(-0.5 * ((HALF_Y - p['mouth'] + 7) / 2.8) ** 2) * np.exp(-0.5 * (SIZE_S / 13) ** 4)
    return np.minimum(jaw + 0.9 * lip, 1).astype(np.float32)


def _paint_brows(root, t, p, colour):
    s, y = _brow(t, p)
    top, bottom = int(row(y.min())) - 4, int(row(y.max())) + 5
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)[top:bottom]
    for side in (-1, 1):
        cv2.fillPoly(mask, [_fixed(side * s, y) - np.array([0, 16 * top])], 255, cv2.LINE_AA, 4)
    mask = cv2.GaussianBlur(mask, (7, 7), 1.2).astype(np.float32) * (1 / 255)
    dense = 0.55 + 0.45 * t['brow_density'] + 0.14 * noise(STRANDS, t['offset'][1:])[top:bottom]
    _blend(root[top:bottom], mask * np.clip(dense, 0, 1), colour)


def _blend(root, mask, other):
    for channel in range(3):
        root[..., channel] += mask * (other[..., channel] - root[..., channel])


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
    edge = edge + 1.6 * noise(STRANDS, o[3:])[0] + 1.5 * t['curl'] * noise(MIDDLE, o)[7]
    mask = np.clip((edge.astype(np.float32) - Y) * 0.4 + 0.5, 0, 1)
    thick = (1.5 + 5.0 * t['volume'] + 4 * t['curl']) * (1 - 0.7 * min(t['bald'], 1))
    stand = cv2.GaussianBlur(cv2.resize(mask, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA), (9, 9), 1.5)
    return mask, stand * (thick * (1 + 0.12 * noise(MIDDLE, o[5:], (ROWS, COLUMNS))))


def _hair_edge(t):
    """Lower edge of the hair: s and y of its knots, from the middle to behind the ear."""
    line, fringe, long = places(t)['hairline'] - 22 * t['bald'], 21 * t['fringe'], -8 + 85 * t['length']
    ear = -9.0 if t['ears_shown'] else max(long, 6.0)
    knots = ((0, line + 1.2 * t['widow'] + fringe), (9, line + fringe), (17, line - 2 - 2 * t['temples'] - 5 * t['bald'] + fringe),
             (25, line + 6 - t['temples'] + 0.8 * fringe), (31, -20), (35, max(2.0, 0.6 * ear)), (39, ear), (44, max(ear, -9)),
             (47.5, max(long, 24)), (51, max(long, 34)))
    return tuple(zip(*knots))


def hair_texture(t):
    """Square roots of the reflectance of hair with its strands, float32 (HEIGHT, WIDTH, 3)."""
    o = t['offset']
    depth = noise(STRANDS, o[2:]) * (0.12 * (1 - t['curl'])) + noise(FINE, o) * 0.05 + noise(COARSE, o[3:]) * 0.07
    if t['curl'] > 0.1:
        depth += noise(MIDDLE, o[2:]) * (0.13 * t['curl'])
    red, green, blue = np.sqrt(hair_colour(t)).tolist()
    depth = np.exp(depth)
    return cv2.merge([depth * red, depth * green, depth * blue])


def texture(t):
    """All of it, with the gloss of each place.

    Args:
        t (dict): Traits of the look.

    Returns:
        tuple[ndarray, ndarray]: Square roots of reflectances and gloss, uint8 (HEIGHT, WIDTH, 4), and the distance of hair
        as of ``hair``.
    """
    root, (mask, stand) = skin(t), hair(t)
    _blend(root, mask, hair_texture(t))
    out = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    out[..., :3] = cv2.convertScaleAbs(root, alpha=255)
    out[..., 3] = cv2.convertScaleAbs(mask, alpha=-165, beta=255)
    return out, stand
