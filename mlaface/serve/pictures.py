"""Crops and attention maps as images that a page can show."""
import base64

import cv2
import numpy as np

from mlaface.datasets.formats.jpeg import encode


def crop_url(crop):
    """An aligned face uint8 (3, H, W), RGB, as a ``data:`` URL of a JPEG."""
    return f'data:image/jpeg;base64,{base64.b64encode(encode(crop.transpose(1, 2, 0))).decode()}'


def map_url(weights, size):
    """A map to lay over a crop: warm and opaque where it is high, transparent where it is low.

    Args:
        weights (ndarray float (h, w)): In [0, 1].
        size (tuple[int]): Height and width of the crop.

    Returns:
        str: ``data:`` URL of a PNG.
    """
    scaled = cv2.resize(weights.astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    grey = (255 * scaled).astype(np.uint8)
    colored = np.dstack([cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), (230 * scaled).astype(np.uint8)])
    return f'data:image/png;base64,{base64.b64encode(cv2.imencode(".png", colored)[1]).decode()}'
