"""Maps over faces, and weights of channels as a line of colours."""
import cv2
import numpy as np

STRIP = 14


def overlay(crop, weights, low=None, high=None, mark=None, size=224):
    """A face under a map: warm where it is high, as it is where it is low.

    Args:
        crop (ndarray uint8 (3, H, W)): RGB.
        weights (ndarray float (h, w)): The map.
        low, high (float or None): Ends of the colours. Default its own smallest and largest number.
        mark (tuple[int, int] or None): Row and column of a place that gets a frame. Default none.
        size (int): Height and width of the picture in pixels. Default 224.

    Returns:
        ndarray uint8 (3, size, size): RGB; a map that is the same everywhere leaves the face as it is.
    """
    face = cv2.resize(np.ascontiguousarray(crop.transpose(1, 2, 0)), (size, size), interpolation=cv2.INTER_LINEAR)
    shares = cv2.resize(scaled(weights, low, high), (size, size), interpolation=cv2.INTER_LINEAR)[..., None]
    mixed = (1 - 0.75 * shares) * face + 0.75 * shares * _colors(shares[..., 0])
    mixed = np.ascontiguousarray(mixed.round().astype(np.uint8))
    if mark is not None:
        (row, column), (height, width) = mark, weights.shape
        corners = [(round(size * (column + step) / width) - step, round(size * (row + step) / height) - step)
                   for step in (0, 1)]
        cv2.rectangle(mixed, *corners, (255, 255, 255), 2)
    return mixed.transpose(2, 0, 1)


def heat_line(weights, high, width=224):
    """Weights of channels, the largest first, as a line of colours.

    Args:
        weights (ndarray float (C,)): At least 0.
        high (float): What is brightest.
        width (int): In pixels. Default 224.

    Returns:
        ndarray uint8 (3, 14, width): RGB.
    """
    order = np.sort(weights)[::-1]
    shares = scaled(order[np.arange(width) * len(order) // width][None], 0, high)
    return np.repeat(_colors(shares), STRIP, 0).round().astype(np.uint8).transpose(2, 0, 1)


def scaled(weights, low=None, high=None):
    """Numbers between ``low``, which becomes 0, and ``high``, which becomes 1; by default their own ends (float32)."""
    low, high = weights.min() if low is None else low, weights.max() if high is None else high
    return np.clip((weights - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)


def _colors(shares):
    """Inferno of numbers in [0, 1] (h, w): float (h, w, 3), RGB."""
    return cv2.applyColorMap((255 * shares).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1].astype(np.float32)
