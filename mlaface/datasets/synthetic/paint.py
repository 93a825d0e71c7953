"""From the mesh of a face to an image: integer rasterisation, light, occluders, and the ways a camera spoils it."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.nuisance import draw_nuisance
from mlaface.datasets.synthetic.shape import COS, SIN

SIZE = 112
SCALE = 2  # drawn twice as large and averaged, against jagged edges
SHIFT = 4  # fixed-point bits of a coordinate
_RAMP = np.arange(SIZE, dtype=np.int32) * 2 - SIZE + 1


def palette(traits):
    """Colours of an identity, RGB integers in 0 .. 255, by what is painted with them."""
    tone = 172 + 34 * traits['skin_tone']
    skin = np.array([tone, tone * (0.76 + 0.05 * traits['skin_hue']), tone * (0.62 + 0.07 * traits['skin_hue'])])
    hair = (78 + 62 * traits['hair_tone']) * np.array([1.0, 0.78, 0.58 - 0.2 * traits['hair_hue']])
    iris = (90 + 50 * traits['iris_tone']) * np.array([0.75 - 0.2 * traits['iris_tone'], 0.9, 1.0])
    return dict(head=skin, ear=skin * 0.9, nose=skin * 0.91, nostril=skin * 0.45, hair=hair, brow=hair * 0.75,
                eye=np.array([236.0, 234, 230]), iris=iris, pupil=np.array([18.0, 16, 16]), mole=skin * 0.45,
                lips=skin * np.array([0.86, 0.6, 0.62]), gap=np.array([62.0, 24, 26]), beard=skin * 0.5 + hair * 0.35)


def _fill(canvas, points, colour):
    fixed = np.round(points * (SCALE << SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], tuple(int(c) for c in colour), cv2.LINE_8, SHIFT)


def _background(rng):
    canvas = np.empty((SIZE * SCALE, SIZE * SCALE, 3), np.uint8)
    colours = rng.integers(20, 236, (4, 3))
    cv2.rectangle(canvas, (0, 0), (SIZE * SCALE, SIZE * SCALE), colours[0].tolist(), cv2.FILLED)
    for colour in colours[1:]:
        _fill(canvas, rng.random((4, 2)) * SIZE * 1.4 - SIZE * 0.2, colour)
    return canvas


def _paint_face(canvas, mesh, points, colours, traits):
    for name, part in mesh.parts.items():
        key = name.partition('_')[0]
        if (key == 'beard' and traits['beard'] < 0.45) or (key == 'mole' and traits['cheek'] < 0):
            continue
        _fill(canvas, points[part], colours[key])


def _occlude(canvas, kind, mesh, points, rng):
    colour = rng.integers(10, 220, 3)
    jitter = rng.random(4) * 8 - 4
    if kind == 'glasses':
        for side in ('eye_l', 'eye_r'):
            centre = points[mesh.parts[side]].sum(0) / 24
            _fill(canvas, centre + np.stack([12 * COS, (8 + jitter[0] / 3) * SIN], 1), colour // 3)
    elif kind == 'mask':
        centre = points[mesh.parts['lips']].sum(0) / 18
        _fill(canvas, centre + np.stack([(36 + jitter[0]) * COS, (22 + jitter[1]) * SIN], 1), colour)
    elif kind == 'cap':
        brow = points[mesh.parts['brow_l']].sum(0) / 18
        rim = [[SIZE, brow[1] - 3 + jitter[0]], [0, brow[1] - 3 + jitter[1]]]
        _fill(canvas, np.array([[0, 0], [SIZE, 0], *rim]), colour)
    else:
        side = SIZE * (0.2 if jitter[0] < 0 else 0.8)
        _fill(canvas, np.array([side, 78 + 4 * jitter[1]]) + np.stack([24 * COS, (26 + jitter[2]) * SIN], 1), colour)


def _light(image, rng):
    """Brightness, a ramp of light, a colour cast and sensor noise, in integers."""
    level, across, down = (int(v) for v in rng.integers([150, -100, -70], [330, 101, 71]))
    gain = level + (across * _RAMP[None, :] + down * _RAMP[:, None]) // SIZE
    cast = rng.integers(215, 297, 3)
    table = np.minimum(np.arange(256)[:, None] * cast >> 8, 255).astype(np.uint8)
    wide = cv2.LUT(image, table[None]).astype(np.uint16) * (np.clip(gain, 40, 510) >> 1).astype(np.uint16)[..., None]
    lit = np.minimum(wide >> 7, 255).astype(np.uint8)  # 255 * 255 fits 16 bits, which are four times as fast as 32
    noise = np.frombuffer(rng.bytes(lit.size), np.uint8).reshape(lit.shape) & 15
    return cv2.subtract(cv2.add(lit, noise), np.full_like(lit, 8))


def _spoil(image, rng):
    kind = int(rng.integers(3))
    if kind == 0:
        return cv2.GaussianBlur(image, (5, 5), 0)
    if kind == 1:
        small = cv2.resize(image, (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR_EXACT)
    noise = rng.integers(-28, 29, image.shape, dtype=np.int16)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def paint(mesh, traits, rng, conditions):
    """Draw one image of an identity.

    Args:
        mesh (Mesh): As ``face_mesh`` makes it.
        traits (dict[str, float]): As ``identity_traits`` gives them.
        rng (numpy.random.Generator): Random numbers of the image.
        conditions (Conditions): How strong the nuisance is.

    Returns:
        ndarray: RGB, uint8 (112, 112, 3).
    """
    nuisance = draw_nuisance(rng, conditions)
    canvas = _background(rng)
    points = mesh.posed(nuisance)
    _paint_face(canvas, mesh, points, palette(traits), traits)
    if nuisance['occluder']:
        _occlude(canvas, nuisance['occluder'], mesh, points, rng)
    image = cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    image = _light(image, rng)
    return _spoil(image, rng) if nuisance['spoiled'] else image
