"""How a foreign network wants its images: colour order, mean, std, size, layout."""
import json
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class InputFormat:
    """How a foreign network wants its images; the defaults are ArcFace's.

    Args:
        color (str): ``'RGB'`` or ``'BGR'``.
        mean (tuple[float]): Subtracted from values 0..255; one number or three, in the order of ``color``.
        std (tuple[float]): Divided by after that.
        size (tuple[int]): Height and width.
        layout (str): ``'NCHW'`` or ``'NHWC'``.

    Raises:
        ValueError: If a value is not usable.
    """
    color: str = 'RGB'
    mean: tuple = (127.5,)
    std: tuple = (127.5,)
    size: tuple = (112, 112)
    layout: str = 'NCHW'

    def __post_init__(self):
        if self.color not in ('RGB', 'BGR') or self.layout not in ('NCHW', 'NHWC'):
            raise ValueError(f'color is RGB or BGR and layout NCHW or NHWC; got {self.color!r} and {self.layout!r}')
        if not all(isinstance(value, (int, float)) for value in (*self.mean, *self.std, *self.size)):
            raise ValueError(f'mean, std and size are numbers; got {self.mean}, {self.std} and {self.size}')
        if not {len(self.mean), len(self.std)} <= {1, 3} or min(self.std) <= 0:
            raise ValueError(f'mean and std are one number or three, std above zero; got {self.mean} and {self.std}')
        if len(self.size) != 2 or min(self.size) < 1:
            raise ValueError(f'size is height and width; got {self.size}')

    def prepare(self, images):
        """Images as the network wants them.

        Args:
            images (ndarray uint8 (N, 3, H, W)): RGB.

        Returns:
            ndarray float32: (N, 3, *size), or (N, *size, 3) for NHWC.
        """
        mean, std = (np.reshape(np.float32(v), (-1, 1, 1)) for v in (self.mean, self.std))
        return self._laid_out((self._scaled(images) - mean) / std)

    def prepare_bytes(self, images):
        """``prepare`` for a network that normalises by itself: uint8, without ``mean`` and ``std``."""
        return self._laid_out(self._scaled(images))

    def _scaled(self, images):
        if images.shape[2:] != tuple(self.size):
            images = _resize(images, self.size)
        return images[:, ::-1] if self.color == 'BGR' else images

    def _laid_out(self, images):
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1) if self.layout == 'NHWC' else images)


def stated_input(metadata):
    """What a file of ours says of its images.

    Args:
        metadata (dict[str, str]): As ``mlaface export`` writes it; a foreign file's says nothing.

    Returns:
        dict: Fields of ``InputFormat``.
    """
    stated = _input_of(metadata)
    return {field.name: tuple(value) if isinstance(value := stated[field.name], list) else value
            for field in fields(InputFormat) if field.name in stated}


def overrides(metadata, options):
    """Whether a user's options (dict or None) make images otherwise than a file of ours states (bool)."""
    stated = stated_input(metadata)
    return any(key in stated and _spread(value) != _spread(stated[key]) for key, value in (options or {}).items())


def _spread(value):
    return (value * 3 if len(value) == 1 else value) if isinstance(value, tuple) else value


def stated_thresholds(metadata):
    """Calibrated thresholds in a file of ours (dict), as ``results.thresholds`` reads them; None where it has none."""
    return json.loads(metadata.get('thresholds', 'null')) if 'mlaface' in metadata else None


def takes_bytes(metadata):
    """Whether a file of ours normalises its images by itself (bool); None for a foreign file."""
    return _input_of(metadata).get('dtype') == 'uint8' if 'mlaface' in metadata else None


def _input_of(metadata):
    return json.loads(metadata.get('input', '{}')) if 'mlaface' in metadata else {}


def _resize(images, size):
    """Images (N, 3, H, W) of another size, by OpenCV's bilinear or, for shrinking, area interpolation."""
    import cv2
    method = cv2.INTER_AREA if images.shape[2] > size[0] else cv2.INTER_LINEAR
    rows = [cv2.resize(np.ascontiguousarray(image.transpose(1, 2, 0)), (size[1], size[0]), interpolation=method)
            for image in images]
    return np.stack(rows).transpose(0, 3, 1, 2)
