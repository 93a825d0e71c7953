"""Where the points of a surface are, and which of them an image shows, compiled.

Numbers are float32 unless said otherwise. Loops run over one row of each plane, which the compiler turns into vectors;
it does not where the step of an array is not known to it, as of rows that are unpacked.
"""
import numpy as np
from numba import njit

from mlaface.datasets.synthetic.heads.doubling import FAR, NEAR, spaced
from mlaface.utils.compiled import compiled

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
NINTH, LEAST, TINY = np.float32(1 / 9), np.float32(1e-3), np.float32(1e-6)
WIDE, MARGIN = 128, 8  # an image within a canvas whose margin takes what lies outside
INSET, LAST = np.float32(MARGIN + 0.5), np.float32(WIDE - 1)


@compiled
def displace(points, axes, across, down, amounts, out):
    """Raise bumps on a surface, each a product of a line and a column.

    Args:
        points (ndarray): x, y, z of the grid (3, R, C).
        axes (ndarray): What each bump displaces: 0, 1, 2 is x, y, z; int64 (K,).
        across, down (ndarray): Along lines and along columns (K, C), (K, R).
        amounts (ndarray): (K,).
        out (ndarray): Filled: (3, R, C).
    """
    for a in range(3):
        for i in range(points.shape[1]):
            line, moved = points[a, i], out[a, i]
            for j in range(len(line)):
                moved[j] = line[j]
            for k in range(len(axes)):
                wave, amount = across[k], down[k, i] * amounts[k]
                if axes[k] == a and abs(amount) > TINY:
                    for j in range(len(line)):
                        moved[j] += wave[j] * amount


@compiled
def fit(points, template, out):
    """The similarity that brings points closest to a template (Umeyama, 1991, without reflection).

    Args:
        points, template (ndarray): float64 (N, 2).
        out (ndarray): Filled: float64 (2, 3).
    """
    count = len(points)
    x = y = u = v = 0.0
    for n in range(count):
        x, y, u, v = x + points[n, 0], y + points[n, 1], u + template[n, 0], v + template[n, 1]
    x, y, u, v = x / count, y / count, u / count, v / count
    a = b = below = 0.0
    for n in range(count):
        px, py, qx, qy = points[n, 0] - x, points[n, 1] - y, template[n, 0] - u, template[n, 1] - v
        a, b, below = a + px * qx + py * qy, b + px * qy - py * qx, below + px * px + py * py
    a, b = a / below, b / below
    out[0, 0], out[0, 1], out[0, 2] = a, -b, u - a * x + b * y
    out[1, 0], out[1, 1], out[1, 2] = b, a, v - b * x - a * y


@compiled
def place(points, turn, distance, align, out):
    """Where a camera sees points.

    Args:
        points (ndarray): x, y, z (3, N).
        turn (ndarray): Rotation (3, 3).
        distance (float32): Of the camera in pixels.
        align (ndarray): What is done with the image then (2, 3).
        out (ndarray): Filled: x and y (2, N).
    """
    for n in range(points.shape[1]):
        x, y, z = points[0, n], points[1, n], points[2, n]
        near = distance / (distance + np.float32(50) - (turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z))
        right = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z) * near
        down = (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z) * near
        out[0, n] = align[0, 0] * right + align[0, 1] * down + align[0, 2]
        out[1, n] = align[1, 0] * right + align[1, 1] * down + align[1, 2]


@compiled
def put(image, nearest, upwards, shown):
    """Put a surface, twice as fine as its grid, into an image: from far columns to near ones, which cover the others.

    Args:
        image (ndarray): Image coordinates of the grid (2, R, C).
        nearest (int): Column of the fine grid that is nearest to the camera.
        upwards (bool): Whether what is above is behind.
        shown (ndarray): Filled: column, row from 1, and whether anything is there, uint16 (3, 112, 112), 0 where not.
    """
    _, rows, columns = image.shape
    _, height, width = shown.shape
    turned, lines = np.empty((2, columns, rows), np.float32), np.empty((2, rows + 2), np.float32)
    fine, cells = np.empty((2, 2 * rows), np.float32), np.empty(2 * rows, np.uint16)
    for axis in range(2):
        for i in range(rows):
            for j in range(columns):
                turned[axis, j, i] = image[axis, i, j] + INSET
    canvas = np.zeros(WIDE * WIDE, np.uint16)
    for step in range(2 * columns):
        column = step if step < nearest else 2 * columns - 1 - (step - nearest)
        near = column >> 1
        far = min(max(near - 1 + 2 * (column & 1), 0), columns - 1)
        for axis in range(2):
            first, second, line = turned[axis, near], turned[axis, far], lines[axis]
            inner = line[1:-1]
            for i in range(rows):
                inner[i] = NEAR * first[i] + FAR * second[i]
            line[0], line[-1] = inner[0], inner[-1]
            spaced(line, fine[axis])
        across, down = fine[0], fine[1]
        for i in range(2 * rows):
            x, y = min(max(across[i], ZERO), LAST), min(max(down[i], ZERO), LAST)
            cells[i] = np.uint16(np.int32(y) * WIDE + np.int32(x))
        if upwards:
            for i in range(2 * rows - 1, -1, -1):
                canvas[cells[i]] = column << 8 | i + 1
        else:
            for i in range(2 * rows):
                canvas[cells[i]] = column << 8 | i + 1
    for i in range(height):
        start = (i + MARGIN) * WIDE + MARGIN
        found, column, row, there = canvas[start:start + width], shown[0, i], shown[1, i], shown[2, i]
        for j in range(width):
            column[j], row[j], there[j] = found[j] >> 8, found[j] & 255, found[j] != 0


@compiled
def locate(column, row, there, texels, fine, coarse, cover):
    """What ``put`` has found, smoothed over 3 x 3 pixels.

    Args:
        column, row, there (ndarray): As ``put`` fills them, uint16 (H, W).
        texels (ndarray): Of a texture, for a column and for a row of the fine grid (2,).
        fine (ndarray): Filled: columns and rows of the texture (2, H, W).
        coarse (ndarray): Filled: columns and rows of the grid, of every second pixel, reaching a little beyond the head
            (2, H / 2, W / 2).
        cover (ndarray): Filled: 0 to 1 (H, W).
    """
    height, width = cover.shape
    planes, means = np.empty((3, height, width), np.float32), np.empty((3, height, width), np.float32)
    small = np.empty((3, height // 2, width // 2), np.float32)
    for i in range(height):
        a, b, c, u, v, w = column[i], row[i], there[i], planes[0, i], planes[1, i], planes[2, i]
        for j in range(width):
            u[j], v[j], w[j] = a[j] * c[j], b[j] * c[j], c[j]
    for p in range(3):
        _blurred(planes[p], means[p])
        _blurred(means[p, ::2, ::2].copy(), small[p])
    _places(means, texels[0], texels[1], fine)
    _places(small, HALF, HALF, coarse)
    for i in range(height):
        share, covered = means[2, i], cover[i]
        for j in range(width):
            covered[j] = min(max(share[j] * np.float32(2) - np.float32(0.6), ZERO), ONE)


@njit
def _blurred(plane, out):
    """Means of 3 x 3 places of a plane (R, C), which goes on at its edges."""
    rows, columns = plane.shape
    line = np.empty(columns + 2, np.float32)
    before, inner, after = line[:-2], line[1:-1], line[2:]
    for i in range(rows):
        above, here, below, means = plane[max(i - 1, 0)], plane[i], plane[min(i + 1, rows - 1)], out[i]
        for j in range(columns):
            inner[j] = above[j] + here[j] + below[j]
        line[0], line[-1] = inner[0], inner[-1]
        for j in range(columns):
            means[j] = (before[j] + inner[j] + after[j]) * NINTH


@njit
def _places(means, across, down, out):
    for i in range(means.shape[1]):
        a, b, c, u, v = means[0, i], means[1, i], means[2, i], out[0, i], out[1, i]
        for j in range(means.shape[2]):
            below = ONE / max(c[j], LEAST)
            u[j], v[j] = (a[j] * below + HALF) * across - HALF, (b[j] * below - HALF) * down - HALF
