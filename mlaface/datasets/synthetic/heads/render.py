"""From surface, texture and light to pixels."""
import cv2
import numpy as np

from mlaface.datasets.synthetic.heads import colouring, placing
from mlaface.datasets.synthetic.heads.outlines import AROUND, HEIGHT, WIDTH, angle
from mlaface.datasets.synthetic.heads.surface import COLUMNS, ROWS, U, Y

SIZE = 112
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
                     [70.7299, 92.2041]])
_TEXELS = np.array([0.5 * WIDTH / COLUMNS, 0.5 * HEIGHT / ROWS], np.float32)
_AS_IT_IS = np.eye(2, 3, dtype=np.float32)


def rotation(yaw, pitch):
    """Rotation of a head, (3, 3), by the tangents of half the angles."""
    (cy, sy), (cp, sp) = _turn(yaw), _turn(pitch)
    return np.array([[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]])


def _turn(tangent):
    below = 1 + tangent * tangent
    return (1 - tangent * tangent) / below, 2 * tangent / below


class Landmarks:
    """The five points of a face on its surface: eyes, tip of the nose, corners of the mouth.

    Args:
        p (dict): As ``surface.places`` gives them.
    """

    def __init__(self, p):
        (eye, eye_y), wide, mouth = p['eye'], p['mouth_width'], p['mouth']
        s, y = np.array([-eye, eye, 0, -wide, wide]), (eye_y, eye_y, p['nose'], mouth, mouth)
        column, row = np.interp(angle(s), U, np.arange(COLUMNS)), np.interp(y, Y, np.arange(ROWS))
        i, j = row.astype(int), column.astype(int)
        a, b = row - i, column - j
        self._cells = np.stack([i * COLUMNS + j + step for step in (0, 1, COLUMNS, COLUMNS + 1)])
        self._shares = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b])

    def around(self, grid):
        """Values of a grid (K, ROWS * COLUMNS) at the four places around each point, (K, 20)."""
        return grid.take(self._cells.ravel(), 1)

    def between(self, values):
        """Values at the points, of those ``around`` them (K, 20), bilinear, (5, K)."""
        return (values.reshape(len(values), 4, 5) * self._shares).sum(1).T


def fit(points, template):
    """The similarity that brings points (N, 2) closest to a template, (2, 3) (Umeyama, 1991, without reflection)."""
    out = np.empty((2, 3))
    placing.fit(points, template, out)
    return out


class View:
    """A head as a camera sees it, aligned by five points that a detector found not quite where they are.

    Args:
        points (ndarray): The surface, float32 (3, ROWS, COLUMNS).
        landmarks (Landmarks): Of the face.
        scene (dict): As ``draw_scene`` gives it.

    Attributes:
        turn (ndarray): Rotation (3, 3).
        image (ndarray): Image coordinates of the grid, float32 (2, ROWS, COLUMNS).
    """

    def __init__(self, points, landmarks, scene):
        self.turn, self._distance = rotation(scene['yaw'], scene['pitch']), np.float32(scene['distance'])
        flat = points.reshape(3, -1)
        found = landmarks.between(self._seen(landmarks.around(flat), _AS_IT_IS))
        self._align = fit(found, TEMPLATE + scene['landmark_noise']).astype(np.float32)
        self.image = self._seen(flat, self._align).reshape(2, ROWS, COLUMNS)

    def _seen(self, points, align):
        seen = np.empty((2, points.shape[1]), np.float32)
        placing.place(points, self.turn.astype(np.float32), self._distance, align, seen)
        return seen

    def place(self, points):
        """Image coordinates (N, 2) of points (N, 3) of the head."""
        return self._seen(np.array(points, np.float32).T.copy(), self._align).T

    def into_head(self, directions):
        """Directions (N, 3) of the camera's axes in the head's, float32."""
        return (directions @ self.turn).astype(np.float32)


def visible(image, yaw, pitch):
    """Which point of the surface each pixel shows.

    Args:
        image (ndarray): Image coordinates of the grid, float32 (2, ROWS, COLUMNS).
        yaw, pitch (float): Tangents of half the angles.

    Returns:
        tuple: Columns and rows of the texture, float32 (2, 112, 112); those of the grid for every second pixel,
        (2, 56, 56), reaching a little beyond the head; and cover in [0, 1], float32 (112, 112).
    """
    shown = np.empty((3, SIZE, SIZE), np.uint16)
    nearest = int((1 - 2 * np.arctan(yaw) / AROUND) * COLUMNS)
    placing.put(image, min(max(nearest, 0), 2 * COLUMNS), pitch > 0, shown)
    fine, coarse = np.empty((2, SIZE, SIZE), np.float32), np.empty((2, SIZE // 2, SIZE // 2), np.float32)
    cover = np.empty((SIZE, SIZE), np.float32)
    placing.locate(*(cv2.medianBlur(part, 3) for part in shown), _TEXELS, fine, coarse, cover)
    return fine, coarse, cover


def lookup(values, where):
    """Values of a grid or a texture (rows, columns, channels) at columns and rows, float32 (2, H, W), bilinear."""
    return cv2.remap(values, *where, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def light_up(points, open_sky, light, hardness):
    """Normals of a surface, and how much of the light reaches it.

    Args:
        points (ndarray): The surface, float32 (3, ROWS, COLUMNS).
        open_sky (ndarray): Light that is left by hollows, float32 (ROWS, COLUMNS).
        light (ndarray): Direction towards the light, in the head's axes.
        hardness (float): 0 to 1.

    Returns:
        ndarray: Unit normals, and the light, float32 (ROWS, COLUMNS, 4).
    """
    out = np.empty((ROWS, COLUMNS, 4), np.float32)
    colouring.light_up(points, open_sky, light, np.float32(hardness), out)
    return out
