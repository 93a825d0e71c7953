"""A mask over mouth and nose (Anwar and Raychowdhury, Masked Face Recognition for Secure Authentication, 2020)."""
import numpy as np

from mlaface.datasets.transforms._base import RandomTransform
from mlaface.datasets.transforms._drawing import filled, five_points, over, points_of, rounded, stroked
from mlaface.registry import TRANSFORMS

COLORS = dict(surgical=((176, 210, 230), (235, 240, 242), (60, 62, 70), (186, 220, 200)),
              cloth=((40, 40, 45), (150, 40, 50), (60, 80, 140), (220, 215, 205)), ffp2=((242, 242, 240), (45, 46, 50)))
KINDS = tuple(COLORS)


@TRANSFORMS.register_module()
class FaceMask(RandomTransform):
    """A surgical, cloth or FFP2 mask, drawn by the five points to which faces are aligned.

    It covers the mouth and, but for those that hang low, the nose. Colour, outline, folds, straps and light vary.

    Args:
        kinds (Sequence[str]): Out of ``'surgical'``, ``'cloth'``, ``'ffp2'``; default all.
        low (float): Share of masks that leave the nose free; default 0.1.
        jitter (float): Deviation of the five points, in pixels of 112; default 1.5.
        prob (float): Share of the images; default 0.1.

    Raises:
        ValueError: If a kind is unknown.
    """

    def __init__(self, kinds=KINDS, low=0.1, jitter=1.5, prob=0.1):
        super().__init__(prob)
        if not kinds or set(kinds) - set(KINDS):
            raise ValueError(f'kinds is {list(kinds)}; choose of {", ".join(KINDS)}')
        if not 0 <= low <= 1 or jitter < 0:
            raise ValueError(f'low={low} must be a share, jitter={jitter} at least 0')
        self.kinds, self.low, self.jitter = tuple(kinds), low, jitter

    def apply(self, image, rng):
        """The masked face."""
        kind, points = self.kinds[rng.integers(len(self.kinds))], five_points(rng, self.jitter)
        color = np.array(COLORS[kind][rng.integers(len(COLORS[kind]))], np.float32) + rng.uniform(-15, 15, 3)
        outline, left, right = self._outline(points, kind, rng)
        image = over(image, color * 0.85, 0.9 * stroked(image.shape, self._straps(image.shape, left, right), 1.6))
        cover = filled(image.shape, points_of(image.shape, rounded(outline)))
        image = over(image, self._shaded(image.shape, color, outline, rng), cover)
        lines = self._folds(kind, left, right, points, rng)
        folds = stroked(image.shape, [points_of(image.shape, line) for line in lines], 1)
        return over(image, color * 0.75, 0.5 * folds * cover)

    def _outline(self, points, kind, rng):
        """Outline (K, 2), and its upper corners (2,), in the template's plane."""
        eyes, nose, mouth = points[:2].mean(0), points[2], points[3:].mean(0)
        half = np.linalg.norm(points[1] - points[0]) * rng.uniform(0.92, 1.08)
        top = nose[1] + (mouth[1] - nose[1]) * 0.35 if rng.random() < self.low else eyes[1] + (
            nose[1] - eyes[1]) * rng.uniform(0.35, 0.7)
        side, bottom = top + rng.uniform(3, 9), mouth[1] + rng.uniform(17, 24)
        middle = (nose[0] + mouth[0]) / 2
        left, right = np.array([middle - half, side]), np.array([middle + half, side])
        peak = 4 if kind == 'ffp2' else 0  # its ridge
        outline = np.array([left, [middle - half * 0.4, top + 1], [middle, top - peak], [middle + half * 0.4, top + 1],
                            right, [middle + half * 0.95, mouth[1]], [middle + half * 0.55, bottom - 3],
                            [middle, bottom + peak], [middle - half * 0.55, bottom - 3],
                            [middle - half * 0.95, mouth[1]]])
        return outline, left, right

    @staticmethod
    def _straps(shape, left, right):
        """Lines from the corners to where the ears are."""
        lines = []
        for corner, away in ((left, -1), (right, 1)):
            lines += [[corner, corner + (away * 30, -12)], [corner + (0, 20), corner + (away * 30, 6)]]
        return [points_of(shape, line) for line in lines]

    @staticmethod
    def _shaded(shape, color, outline, rng):
        """The colour in light from one side, float32 (H, W, 3)."""
        x = np.linspace(0, 112, shape[1], dtype=np.float32)[None, :, None]
        y = np.linspace(0, 112, shape[0], dtype=np.float32)[:, None, None]
        middle, half = outline[:, 0].mean(), np.ptp(outline[:, 0]) / 2
        round_ = 1 - 0.22 * ((x - middle) / half) ** 2
        side = 1 + rng.uniform(-0.12, 0.12) * (x - middle) / half - 0.1 * (y - outline[:, 1].mean()) / 30
        return color * (round_ * side)

    @staticmethod
    def _folds(kind, left, right, points, rng):
        """Lines on the mask."""
        nose, mouth = points[2], points[3:].mean(0)
        if kind == 'ffp2':
            return [np.array([[nose[0], left[1] - 10], [(nose[0] + mouth[0]) / 2 + 1, mouth[1]], [mouth[0], 115]])]
        count = 3 if kind == 'surgical' else int(rng.integers(0, 2))
        return [np.stack([np.linspace(left[0], right[0], 9),
                          left[1] + 9 + 10 * number + 4 * np.sin(np.linspace(0, np.pi, 9))], 1)
                for number in range(count)]
