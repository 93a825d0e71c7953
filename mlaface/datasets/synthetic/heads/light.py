"""Light on a head: a key with its shadow, a fill, the sky, and what shines."""
from math import cos, sin

import numpy as np

from mlaface.datasets.synthetic.heads import colouring

WRAP = (0.32, 0.16, 0.12)  # red light comes further round an edge of skin
SKY = (0.97, 1.0, 1.03)


def direction(azimuth, elevation):
    """Unit vector towards a light, of angles in radians; y points down."""
    return np.array([sin(azimuth) * cos(elevation), sin(elevation), cos(azimuth) * cos(elevation)])


def shade(texels, surface, view, scene, key):
    """Radiance of a surface.

    Args:
        texels (ndarray): Square roots of reflectances and gloss, uint8 (112, 112, 4).
        surface (ndarray): Normals in the head's axes, and the share of the key past shadows, float32 (56, 56, 4).
        view (View): The camera.
        scene (dict): Of the image.
        key (ndarray): Direction of the key light.

    Returns:
        ndarray: Of red, green and blue, linear, float32 (3, 112, 112).
    """
    half = key + np.array([0, 0, 1.0])
    towards = np.array([key, direction(*scene['fill'][:2]), half / half.dot(half) ** 0.5, (0, -0.25, 0.15)])
    strength, gains = scene['key'][2], np.empty((3, 4), np.float32)
    for channel, (wrap, sky) in enumerate(zip(WRAP, SKY)):
        wrap, warm = wrap * (1.2 - scene['hardness']), (1 - channel) * scene['key_warm']
        gains[channel] = (wrap, strength * (1 + warm) / (1 + wrap), scene['fill'][2] * (1 - warm),
                          scene['ambient'] * sky)
    colours = np.empty((3, *texels.shape[:2]), np.float32)
    gloss = np.float32(strength * scene['sheen'] / 255)
    colouring.shade(texels, surface, view.into_head(towards), gains, gloss, colours)
    return colours
