"""What is in front of a face: spectacles, masks, caps, hands."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads.outlines import row

_ANGLE = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_COS, _SIN = np.cos(_ANGLE), np.sin(_ANGLE)
_FINE = 2


def cover_texture(texture, p, kind, rng):
    """Put a mask or a cap onto a texture, uint8 (HEIGHT, WIDTH, 4)."""
    if kind not in ('mask', 'cap'):
        return
    u = rng.random(5)
    cloth = [*(int(v) for v in 255 * (u[0] * (0.5 + 0.5 * u[1:4]))), 60]
    if kind == 'mask':
        texture[int(row(p['nose'] - 12 + 8 * u[4])):int(row(p['chin'] + 4)), 62:194] = cloth
    else:
        texture[:int(row(-19 - 9 * u[4]))] = cloth


def in_front(colours, look, view, scene, key, rng):
    """Draw what is before the face into radiance; ``colours`` are changed.

    Args:
        colours (ndarray): Red, green and blue, linear, float32 (3, 112, 112).
        look (Look): The person.
        view (View): The camera.
        scene (dict): Of the image.
        key (ndarray): Direction of the light.
        rng (numpy.random.Generator): Random numbers of the image.
    """
    dark = scene['occluder'] == 'glasses'
    if dark or scene['clear_glasses'] < 0.85 * look.traits['wears_glasses'] + 0.03:
        _spectacles(colours, view, look.places, _frame(rng, dark), max(0.0, float(key[2])) * scene['gleam'])
    if scene['occluder'] == 'hand':
        _hand(colours, rng, look.skin)


def _frame(rng, dark):
    u = rng.random(8).tolist()
    return dict(
        wide=(12.0 if dark else 10.2) + 2.2 * u[0], high=(8.0 if dark else 5.6) + 3.2 * u[1], square=2.0 + 3.5 * u[2],
        drop=1.0 + 2.2 * u[3], thick=max(1, round((0.25 + 1.5 * u[4] ** 2) * _FINE)),
        tint=0.93 if dark else 0.10 * u[7],
        colour=np.array([0.02, 0.015, 0.012]) + (u[5] > 0.6) * np.array([0.35, 0.3, 0.24]) * u[6])


def _lens(f, side, centre):
    x = np.sign(_COS) * np.abs(_COS) ** (2 / f['square']) * f['wide'] + side * centre
    y = np.sign(_SIN) * np.abs(_SIN) ** (2 / f['square']) * f['high']
    return np.stack([x, y + f['drop'], 53.0 - 0.011 * x * x], 1)


def _spectacles(colours, view, p, f, glare):
    rims, glass = (cv2.resize(part, (112, 112), interpolation=cv2.INTER_AREA).astype(np.float32) * np.float32(1 / 255)
                   for part in _outlines(view, p['eye'][0] * 0.97 + 0.4, f))
    for colour, rim in zip(colours, f['colour']):
        colour += glass * np.float32(f['tint']) * (np.float32(0.02 + 0.12 * glare) - colour)
        colour += glass * np.float32(0.25 * max(glare - 0.6, 0))
        colour += rims * (np.float32(rim) - colour)


def _outlines(view, centre, f):
    """Cover of rims and of lenses, uint8 (112 * _FINE, 112 * _FINE)."""
    rims, glass = np.zeros((2, 112 * _FINE, 112 * _FINE), np.uint8)
    edge, inner, top = centre + f['wide'], centre - f['wide'], f['drop'] - 2

    def fixed(points):
        return np.rint(((view.place(points) + 0.5) * _FINE - 0.5) * 16).astype(np.int32)

    lenses = [fixed(_lens(f, side, centre)) for side in (-1, 1)]
    temples = [fixed([[side * edge, top, 53 - 0.011 * edge ** 2], [side * 43, -1, 28], [side * 45, 0, 4]])
               for side in (-1, 1)]
    bridge = fixed([[-inner, top, 53.0], [0, top - 1.4, 55.5], [inner, top, 53.0]])
    cv2.fillPoly(glass, lenses, 255, cv2.LINE_AA, 4)
    cv2.polylines(rims, lenses, True, 255, f['thick'], cv2.LINE_AA, 4)
    cv2.polylines(rims, [*temples, bridge], False, 255, f['thick'], cv2.LINE_AA, 4)
    return rims, glass


def _hand(colours, rng, skin):
    """A hand, a microphone or whatever comes in between."""
    u = rng.random(10).tolist()
    x, y = 56 + (1 if u[0] < 0.5 else -1) * (14 + 30 * u[1]), 78 + 34 * u[2]
    tone = (skin if u[3] < 0.6 else np.full(3, 0.03 + 0.5 * u[4])) * (0.3 + 0.5 * u[5])
    cover = np.zeros((112, 112), np.uint8)
    size = int(9 + 16 * u[6]), int(14 + 22 * u[7])
    cv2.ellipse(cover, (int(x), int(y)), size, u[8] * 180, 0, 360, 255, -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(cover, (5, 5), 0.8 + u[9]).astype(np.float32) * (1 / 255)
    ramp = (0.7 + 0.6 * np.linspace(u[9], 1 - u[9], 112, dtype=np.float32))[None]
    for colour, value in zip(colours, tone):
        colour += soft * (np.float32(value) * ramp - colour)
