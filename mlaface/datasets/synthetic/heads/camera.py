"""Background, exposure, and what a camera and a file do to an image."""
from functools import cache

import cv2
import numpy as np

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


def background(rng, level):
    """A part of a backdrop in other colours, and clothes below: float32 (3, 112, 112), bright by ``level``."""
    number, x, y, mirrored = rng.integers([BACKDROPS, LARGE - SIZE, LARGE - SIZE, 2]).tolist()
    part = backdrops()[number][:, y:y + SIZE, x:x + SIZE]
    if mirrored:
        part = part[:, :, ::-1]
    u = rng.random(11)
    part = part * (level * np.exp(u[0] - 0.5 + 0.4 * (u[1:4] - 0.5))).astype(np.float32)[:, None, None]
    left, right, neck, low = (u[4:8] * [40, 40, 10, 12]).tolist()
    shirt = ((-1, 100 + left), (30 - neck, 92 + low), (80 + neck, 92 + low), (113, 100 + right), (113, 113), (-1, 113))
    shirt = [np.rint(np.array(shirt) * 16).astype(np.int32)]
    for plane, value in zip(part, (level * u[7] ** 2 * (0.6 + 0.4 * u[8:])).tolist()):
        cv2.fillPoly(plane, shirt, value, cv2.LINE_8, 4)
    return part


def _tone_curve(scene):
    tone = np.arange(256) / 255
    tone = (tone - 0.45) * (1.18 + scene['contrast']) + 0.45
    high = np.maximum(tone - 0.8, 0)
    return np.clip((tone - high * high * 0.6 / (0.3 + high)) * 255, 0, 255).astype(np.uint8)


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
    tones = colours * gains.astype(np.float32)[:, None, None]
    np.sqrt(np.maximum(tones, 0, out=tones), out=tones)
    colourful = 0.0 if scene['grey'] else scene['saturation']
    grey = sum(tone * np.float32(part * (1 - colourful)) for tone, part in zip(tones, (0.3, 0.59, 0.11)))
    tones *= np.float32(colourful)
    tones += grey
    np.maximum(tones, 0, out=tones)
    return cv2.LUT(cv2.merge([cv2.convertScaleAbs(tone) for tone in tones]), _tone_curve(scene))


def photograph(image, scene, rng):
    """Blur, low resolution, grain: uint8 to uint8."""
    if scene['blur'] > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), scene['blur'])
    if scene['spoiled']:
        image = _spoil(image, rng)
    if scene['grain'] > 0.4:
        x, y = rng.integers(256 - SIZE, size=2).tolist()
        grain = np.rint(_grain()[y:y + SIZE, x:x + SIZE] * np.float32(scene['grain']))
        image = cv2.add(image, cv2.merge([grain] * 3), dtype=cv2.CV_8U)
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
