"""Light on a head: a key with its shadow, a fill, the sky, and what shines."""
import cv2
import numpy as np

WRAP = (0.32, 0.16, 0.12)  # red light comes further round an edge of skin
SKY = (0.97, 1.0, 1.03)
_SQUARES = ((np.arange(256) / 255) ** 2).astype(np.float32)


def direction(azimuth, elevation):
    """Unit vector towards a light, of angles in radians; y points down."""
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def _dots(surface, view, scene, key):
    """Key, fill, highlight and sky at each pixel, and the share of the key past shadows: float32 (5, pixels)."""
    half = key + np.array([0, 0, 1.0])
    towards = np.stack([key, direction(*scene['fill'][:2]), half / np.linalg.norm(half), np.array([0, -0.25, 0.15])])
    weights = np.zeros((5, 4), np.float32)
    weights[:4, :3], weights[4, 3] = view.into_head(towards), 1
    return weights @ surface.reshape(-1, 4).T


def shade(texels, surface, view, scene, key):
    """Light on the surface; it is computed for every second pixel, since it is soft.

    Args:
        texels (ndarray): Square roots of reflectances and gloss, uint8 (112, 112, 4).
        surface (ndarray): Normals in the head's axes, and the share of the key past shadows, float32 (56, 56, 4).
        view (View): The camera.
        scene (dict): Of the image.
        key (ndarray): Direction of the key light.

    Returns:
        ndarray: Radiance of red, green and blue, linear, float32 (3, 112, 112).
    """
    lights = cv2.resize(_lights(surface, view, scene, key), texels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    lights = np.ascontiguousarray(lights.transpose(2, 0, 1))  # cv2.split takes three times as long
    lights, shine = lights[:3], lights[3]
    *roots, gloss = cv2.split(texels)
    shine *= gloss
    for light, root in zip(lights, roots):
        light *= cv2.LUT(root, _SQUARES)
        light += shine
    return lights


def _lights(surface, view, scene, key):
    """Light of each colour, and what shines, float32 (56, 56, 4)."""
    ahead, fill, shine, sky, lit = _dots(surface, view, scene, key)
    fill, sky = np.maximum(fill, 0), (sky + 1) * np.float32(scene['ambient'])
    planes = np.empty((4, len(lit)), np.float32)
    for channel, light in enumerate(planes[:3]):
        wrap, warm = WRAP[channel] * (1.2 - scene['hardness']), (1 - channel) * scene['key_warm']
        np.maximum(ahead + np.float32(wrap), 0, out=light)
        light *= lit
        light *= np.float32(scene['key'][2] * (1 + warm) / (1 + wrap))
        light += fill * np.float32(scene['fill'][2] * (1 - warm))
        light += sky * np.float32(SKY[channel])
    planes[3] = _shine(shine) * lit * np.float32(scene['key'][2] * scene['sheen'] / 255)
    return cv2.merge(list(planes.reshape(4, *surface.shape[:2])))


def _shine(towards):
    """A wide and a narrow highlight of the cosine towards it."""
    shine = np.maximum(towards, 0)
    for _ in range(3):
        shine *= shine  # to the eighth
    shine *= np.float32(0.05) + np.float32(0.3) * shine
    return shine
