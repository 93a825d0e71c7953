"""Dark glasses over the eyes, as faces in disguise wear them (AR face database: Martinez and Benavente, 1998)."""
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform, check_number, check_range
from mlaface.datasets.transforms._drawing import filled, five_points, over, points_of, rounded, stroked
from mlaface.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Sunglasses(RandomTransform):
    """Two lenses with a frame, a bridge and temples, drawn by the points of the eyes to which faces are aligned.

    Args:
        opacity (tuple[float, float]): Of the lenses; default (0.7, 1).
        size (tuple[float, float]): Half of a lens's width over the distance of the eyes; default (0.36, 0.48).
        jitter (float): Deviation of the eyes, in pixels of 112; default 1.
        prob (float): Share of the images; default 0.05.
    """

    def __init__(self, opacity=(0.7, 1.0), size=(0.36, 0.48), jitter=1.0, prob=0.05):
        super().__init__(prob)
        self.opacity, self.size = check_range('opacity', opacity, 0.0, 1.0), check_range('size', size, 0.05, 0.5)
        self.jitter = check_number('jitter', jitter, 0.0, 20.0)

    def apply(self, image, rng):
        """The face with glasses."""
        eyes = five_points(rng, self.jitter)[:2]
        along = eyes[1] - eyes[0]
        apart, up = np.linalg.norm(along), np.array([along[1], -along[0]]) / np.linalg.norm(along)
        along = along / apart
        width = apart * rng.uniform(*self.size)
        height, square = width * rng.uniform(0.65, 0.95), rng.uniform(0.55, 0.95)
        lower = square * rng.uniform(0.88, 1)
        lens = np.array([[-square, 0.95], [square, 0.95], [1, 0.3], [lower, -1], [-lower, -1], [-1, 0.3]])
        shape = image.shape
        outlines = [points_of(shape, rounded(eye + side * lens[:, :1] * width * along + lens[:, 1:] * height * up))
                    for eye, side in zip(eyes, (-1, 1))]
        tint, frame = rng.uniform(5, 60, 3), rng.uniform(10, 90, 3)
        fade = np.linspace(0.8, 1.25, shape[0], dtype=np.float32)[:, None, None]  # lighter at the bottom
        opacity = rng.uniform(*self.opacity)
        for outline in outlines:
            image = over(image, tint * fade * np.ones((1, shape[1], 1), np.float32), opacity * filled(shape, outline))
        closed = [np.concatenate([outline, outline[:1]]) for outline in outlines]
        inner, outer = 0.9 * width * along, width * along
        bridge, hinge = 0.35 * height * up, 0.5 * height * up
        ends = [eyes[0] - outer + hinge, eyes[1] + outer + hinge]
        lines = [[eyes[0] + inner + bridge, eyes[1] - inner + bridge], [ends[0], ends[0] + (-60, 4)],
                 [ends[1], ends[1] + (60, 4)]]
        lines = closed + [points_of(shape, line) for line in lines]
        return over(image, frame, stroked(shape, lines, rng.uniform(1, 2.6)))
