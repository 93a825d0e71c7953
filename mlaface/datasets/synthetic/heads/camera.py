"""Background, exposure, and what a camera and a file do to an image."""
from functools import cache

import cv2
import numpy as np

from mlaface.datasets.synthetic.heads import colouring

SIZE, LARGE, BACKDROPS = 112, 192, 64


def _backdrop(rng):
    """Soft colours, edges, clutter: linear, float32 (LARGE, LARGE, 3)."""
    base = rng.random() ** 1.5 + 0.7 * (rng.random(3) - 0.5) * rng.random()
    base = np.clip(base, 0.01, 1)
    size = int(rng.integers(2, 12))
    soft = cv2.resize(rng.random((size, size, 3), np.float32), (LARGE, LARGE), interpolation=cv2.INTER_CUBIC)
    amount, colourful, edges = rng.random(3)
    grey = soft.mean(2, keepdims=True)
    canvas = (base + 0.6 * amount * (grey + colourful ** 2 * (soft - grey) - 0.5)).astype(np.float32)
    for _ in range(int(edges * 14)):
        box = rng.random(6) * [LARGE + 60, LARGE + 60, 90, 120, 20, 20] - [40, 40, -4, -4, 10, 10]
        x, y, w, h, a, b = box.astype(int).tolist()
        colour = (base * (0.3 + 1.2 * rng.random()) + 0.15 * (rng.random(3) - 0.3)).tolist()
        cv2.fillPoly(canvas, [np.array([[x, y], [x + w, y + a], [x + w + b, y + h], [x + b, y + h + a]])], colour)
    return np.clip(cv2.GaussianBlur(canvas, (0, 0), 0.3 + 3 * float(rng.random())), 0.002, 1.2)


@cache
def backdrops():
    """What may be behind a head, float32 (3, LARGE, LARGE) each; the same in all data sets."""
    rng = np.random.Generator(np.random.PCG64([2, 6]))
    return [np.ascontiguousarray(_backdrop(rng).transpose(2, 0, 1)) for _ in range(BACKDROPS)]


@cache
def _grain():
    return np.random.Generator(np.random.PCG64([2, 7])).standard_normal((256, 256)).astype(np.float32)


def stand_before(colours, cover, level, rng):
    """Put a part of a backdrop, in other colours, and clothes behind a head.

    Args:
        colours (ndarray): Radiance of the head, float32 (3, 112, 112); changed.
        cover (ndarray): Of the head, 0 to 1, float32 (112, 112).
        level (float): How bright they are.
        rng (numpy.random.Generator): Random numbers of the image.
    """
    number, x, y, mirrored = rng.integers([BACKDROPS, LARGE - SIZE, LARGE - SIZE, 2]).tolist()
    u = rng.random(11)
    left, right, neck, low = (u[4:8] * [40, 40, 10, 12]).tolist()
    outline = ((-1, 100 + left), (30 - neck, 92 + low), (80 + neck, 92 + low), (113, 100 + right), (113, 113),
               (-1, 113))
    shirt = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(shirt, [np.rint(np.array(outline) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    gains, cloth = level * np.exp(u[0] - 0.5 + 0.4 * (u[1:4] - 0.5)), level * u[7] ** 2 * (0.6 + 0.4 * u[8:])
    colouring.stand_before(backdrops()[number], x, y, bool(mirrored), gains.astype(np.float32), shirt,
                           cloth.astype(np.float32), cover, colours)


def develop(colours, face, scene):
    """Exposure, white balance and tone.

    Args:
        colours (ndarray): Linear radiance of red, green and blue, float32 (3, 112, 112).
        face (float): Mean radiance of the face.
        scene (dict): Of the image.

    Returns:
        ndarray: RGB, uint8 (112, 112, 3).
    """
    exposure = (0.22 / max(face, 0.01)) ** scene['normalised'] * np.exp(scene['exposure']) * 65025
    gains = exposure * np.array([1 + scene['warm'], 1 + scene['tint'], 1 - scene['warm']])
    saturation = np.float32(0.0 if scene['grey'] else scene['saturation'])
    image = np.empty((SIZE, SIZE, 3), np.uint8)
    colouring.develop(colours, gains.astype(np.float32), saturation, 1.18 + scene['contrast'], image)
    return image


def photograph(image, scene, rng):
    """Blur, low resolution, grain: uint8 to uint8."""
    if scene['blur'] > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), scene['blur'])
    if scene['spoiled']:
        image = _spoil(image, rng)
    if scene['grain'] > 0.4:
        x, y = rng.integers(256 - SIZE, size=2).tolist()
        colouring.add_grain(_grain(), x, y, np.float32(scene['grain']), image)
    return image


def _spoil(image, rng):
    kind, amount, angle = int(rng.integers(3)), float(rng.random()), float(rng.random()) * np.pi
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), 0.8 + 1.4 * amount)
    if kind == 1:
        small = int(28 + 50 * amount)
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    length = 3 + int(5 * amount)
    kernel = np.zeros((length, length), np.float32)
    towards = np.array([np.cos(angle), np.sin(angle)])
    first, last = (np.rint((length - 1) / 2 * (1 + sign * towards)).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, first, last, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())
