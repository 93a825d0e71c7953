"""What colour each texel and pixel has, compiled: hair over skin, light, what is behind, exposure, grain.

Numbers are float32 unless said otherwise. Loops run over one row of each plane, which the compiler turns into vectors;
it does not where the step of an array is not known to it, as of rows that are unpacked.
"""
import numpy as np
from numba import njit

from mlaface.datasets.synthetic.heads.doubling import doubled
from mlaface.utils.compiled import compiled

ZERO, QUARTER, HALF, ONE, WHITE = (np.float32(value) for value in (0, 0.25, 0.5, 1, 255))
SQUARE, TINIEST = np.float32(1 / 65025), np.float32(1e-9)


@compiled
def dye(skin, fine, start, age, hair, brows, first, mask, noises, starts, shares, texture):
    """Lay hair over skin.

    Args:
        skin (ndarray): Square roots of reflectances of every second texel (3, H / 2, W / 2).
        fine (ndarray): Noise (R, C).
        start (tuple[int]): Row and column where the part of it that is taken begins.
        age (float32): How much of it is in the skin.
        hair (ndarray): Square roots of reflectances (3,).
        brows (ndarray): Their cover (B, W).
        first (int): Their first row.
        mask (ndarray): Cover of hair (H, W).
        noises (tuple[ndarray]): Whose sum is how bright the hair is (R, C) each.
        starts (tuple[tuple[int]]): Where their parts begin.
        shares (ndarray): Of each of them.
        texture (ndarray): Filled: square roots of reflectances and gloss, uint8 (H, W, 4).
    """
    height, width = mask.shape
    line, strands, plain = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    levels = np.empty((4, width), np.uint8)
    for i in range(height):
        noise, cover, gloss = fine[start[0] + i, start[1]:start[1] + width], mask[i], levels[3]
        for j in range(width):
            plain[j] = ONE - age * noise[j]
            strands[j] = ONE
        hairy = cover.max() > ZERO
        if hairy:
            for n in range(len(noises)):
                noise, share = noises[n][starts[n][0] + i, starts[n][1]:starts[n][1] + width], shares[n]
                for j in range(width):
                    strands[j] += noise[j] * share
        for c in range(3):
            level, colour = levels[c], hair[c]
            doubled(skin[c], i, line)
            for j in range(width):
                line[j] *= plain[j]
            if first <= i < first + len(brows):
                brow, dark = brows[i - first], np.float32(0.8) * colour
                for j in range(width):
                    line[j] += brow[j] * (dark - line[j])
            if hairy:
                for j in range(width):
                    line[j] += cover[j] * (max(strands[j], ZERO) * colour - line[j])
            for j in range(width):
                level[j] = _byte(line[j] * WHITE)
        for j in range(width):
            gloss[j] = _byte(WHITE - np.float32(165) * cover[j])
        _woven(levels, texture[i])


@compiled
def light_up(points, open_sky, light, hardness, out):
    """Normals of a surface, and how much of the light reaches it past its other parts.

    Args:
        points (ndarray): x, y, z of the grid (3, R, C), both even.
        open_sky (ndarray): Light that is left by hollows (R, C).
        light (ndarray): Direction towards the light (3,).
        hardness (float32): 0 to 1.
        out (ndarray): Filled: x, y, z of the normals, and the light (R, C, 4).
    """
    _, rows, columns = points.shape
    lit = np.empty((rows // 2, columns // 2), np.float32)
    _reached(points[2, ::2, ::2].copy(), light, hardness, lit)
    right, down = np.empty((3, columns), np.float32), np.empty((3, columns), np.float32)
    ax, ay, az, bx, by, bz = right[0], right[1], right[2], down[0], down[1], down[2]
    found = np.empty((4, columns), np.float32)
    x, y, z, reached = found[0], found[1], found[2], found[3]
    for i in range(rows):
        inner = min(max(i, 1), rows - 2)
        for a in range(3):
            here, above, below = points[a, i], points[a, inner - 1], points[a, inner + 1]
            left, beside, slope, fall = here[:-2], here[2:], right[a], down[a]
            between = slope[1:-1]
            for j in range(columns - 2):
                between[j] = beside[j] - left[j]
            slope[0], slope[-1] = between[0], between[-1]
            for j in range(columns):
                fall[j] = below[j] - above[j]
        for j in range(columns):
            u, v, w = ay[j] * bz[j] - az[j] * by[j], az[j] * bx[j] - ax[j] * bz[j], ax[j] * by[j] - ay[j] * bx[j]
            scale = ONE / np.sqrt(u * u + v * v + w * w + TINIEST)
            x[j], y[j], z[j] = u * scale, v * scale, w * scale
        doubled(lit, i, reached)
        sky = open_sky[i]
        for j in range(columns):
            reached[j] *= sky[j]
        _woven(found, out[i])


@njit
def _reached(depth, light, hardness, lit):
    rows, columns = depth.shape
    strength, rise = QUARTER + HALF * hardness, max(light[2], np.float32(0.05))
    lit[:] = ZERO
    for step in (3.5, 7.0, 11.5, 18.0):
        x, y = np.float32(step * light[0] * 0.35), np.float32(step * light[1] * 0.27)
        right, down = int(np.floor(x)), int(np.floor(y))
        a, b = y - np.float32(down), x - np.float32(right)
        high = np.float32(step) * rise
        for i in range(rows):
            first, second = min(max(i + down, 0), rows - 1), min(max(i + down + 1, 0), rows - 1)
            for j in range(columns):
                left, beside = min(max(j + right, 0), columns - 1), min(max(j + right + 1, 0), columns - 1)
                upper = (ONE - b) * depth[first, left] + b * depth[first, beside]
                lower = (ONE - b) * depth[second, left] + b * depth[second, beside]
                lit[i, j] = max(lit[i, j], (ONE - a) * upper + a * lower - depth[i, j] - high)
    for i in range(rows):
        for j in range(columns):
            lit[i, j] = ONE - min(lit[i, j] * strength, ONE)


@compiled
def shade(texels, surface, towards, gains, gloss, colours):
    """Light on a surface: it is computed for every second pixel, since it is soft.

    Args:
        texels (ndarray): Square roots of reflectances and gloss, uint8 (H, W, 4).
        surface (ndarray): As ``light_up`` fills it, of every second pixel (H / 2, W / 2, 4).
        towards (ndarray): Directions towards key, fill, highlight and sky in the head's axes (4, 3).
        gains (ndarray): Of red, green and blue: how far the key comes round an edge, key, fill and sky (3, 4).
        gloss (float32): Of the highlight.
        colours (ndarray): Filled: radiance of red, green and blue, linear (3, H, W).
    """
    rows, columns = surface.shape[:2]
    lights, lines = np.empty((4, rows, columns), np.float32), np.empty((4, 2 * columns), np.float32)
    soft = np.empty((4, columns), np.float32)
    key, fill, sky, lit = soft[0], soft[1], soft[2], soft[3]
    (kx, ky, kz), (fx, fy, fz), (hx, hy, hz), (sx, sy, sz) = towards
    for i in range(rows):
        points, gleam = surface[i], lights[3, i]
        for j in range(columns):
            x, y, z, lit[j] = points[j, 0], points[j, 1], points[j, 2], points[j, 3]
            key[j] = kx * x + ky * y + kz * z
            fill[j] = max(fx * x + fy * y + fz * z, ZERO)
            sky[j] = sx * x + sy * y + sz * z + ONE
            shine = max(hx * x + hy * y + hz * z, ZERO)
            shine *= shine
            shine *= shine
            shine *= shine  # to the eighth: a wide and a narrow highlight
            gleam[j] = shine * (np.float32(0.05) + np.float32(0.3) * shine) * lit[j] * gloss
        for c in range(3):
            round_, of_key, of_fill, of_sky = gains[c]
            light = lights[c, i]
            for j in range(columns):
                light[j] = max(key[j] + round_, ZERO) * lit[j] * of_key + fill[j] * of_fill + sky[j] * of_sky
    gleam, roots = lines[3], np.empty((4, 2 * columns), np.float32)
    red, green, blue, shiny = roots[0], roots[1], roots[2], roots[3]
    for i in range(2 * rows):
        for p in range(4):
            doubled(lights[p], i, lines[p])
        row = texels[i]
        for j in range(2 * columns):
            red[j], green[j], blue[j], shiny[j] = row[j, 0], row[j, 1], row[j, 2], row[j, 3]
        for j in range(2 * columns):
            gleam[j] *= shiny[j]
        for c in range(3):
            light, root, colour = lines[c], roots[c], colours[c, i]
            for j in range(2 * columns):
                colour[j] = light[j] * (root[j] * root[j] * SQUARE) + gleam[j]


@compiled
def stand_before(backdrop, left, top, mirrored, gains, shirt, cloth, cover, colours):
    """Put what is behind a head there.

    Args:
        backdrop (ndarray): Radiance of red, green and blue (3, R, C).
        left, top (int): Where the part of it that is seen begins.
        mirrored (bool): Whether that is turned round.
        gains (ndarray): What it is multiplied by (3,).
        shirt (ndarray): Where clothes are, uint8 (H, W), 0 where not.
        cloth (ndarray): Their radiance (3,).
        cover (ndarray): Of the head, 0 to 1 (H, W).
        colours (ndarray): Radiance of the head (3, H, W); changed.
    """
    height, width = cover.shape
    line = np.empty(width, np.float32)
    for c in range(3):
        gain, dress = gains[c], cloth[c]
        for i in range(height):
            part, clothes, covered, colour = backdrop[c, top + i, left:left + width], shirt[i], cover[i], colours[c, i]
            if mirrored:
                for j in range(width):
                    line[j] = part[width - 1 - j]
                part = line
            for j in range(width):
                behind = dress if clothes[j] else part[j] * gain
                colour[j] = (colour[j] - behind) * covered[j] + behind


@compiled
def develop(colours, gains, saturation, contrast, image):
    """Exposure, white balance, saturation and tone.

    Args:
        colours (ndarray): Linear radiance of red, green and blue (3, H, W).
        gains (ndarray): Of the three (3,).
        saturation (float32): 0 is grey.
        contrast (float): Of the tones, which bend down towards white.
        image (ndarray): Filled: uint8 (H, W, 3).
    """
    height, width = colours.shape[1:]
    lines, left = np.empty((3, width), np.float32), ONE - saturation
    red, green, blue = lines[0], lines[1], lines[2]
    grey, levels = np.empty(width, np.float32), np.empty((3, width), np.uint8)
    r, g, b = levels[0], levels[1], levels[2]
    tone = np.empty(256, np.uint8)
    for level in range(256):
        value = (level / 255 - 0.45) * contrast + 0.45
        high = max(value - 0.8, 0.0)
        tone[level] = np.uint8(min(max((value - high * high * 0.6 / (0.3 + high)) * 255, 0.0), 255.0))
    for i in range(height):
        for c in range(3):
            colour, line, gain = colours[c, i], lines[c], gains[c]
            for j in range(width):
                line[j] = np.sqrt(max(colour[j] * gain, ZERO))
        for j in range(width):
            grey[j] = (np.float32(0.3) * red[j] + np.float32(0.59) * green[j] + np.float32(0.11) * blue[j]) * left
        for c in range(3):
            line, level = lines[c], levels[c]
            for j in range(width):
                level[j] = _byte(line[j] * saturation + grey[j])
        row = image[i]
        for j in range(width):
            row[j, 0], row[j, 1], row[j, 2] = tone[r[j]], tone[g[j]], tone[b[j]]


@compiled
def add_grain(grain, left, top, amount, image):
    """Add noise to an image.

    Args:
        grain (ndarray): Noise (R, C).
        left, top (int): Where the part of it that is added begins.
        amount (float32): Levels of a deviation.
        image (ndarray): uint8 (H, W, 3); changed.
    """
    height, width, _ = image.shape
    level, rows = np.empty((width, 3), np.float32), image.reshape(height, 3 * width)
    added = level.reshape(3 * width)
    for i in range(height):
        part, row = grain[top + i, left:left + width], rows[i]
        for j in range(width):
            level[j, 0] = level[j, 1] = level[j, 2] = np.floor(part[j] * amount + HALF)
        for j in range(3 * width):
            row[j] = _byte(np.float32(row[j]) + added[j])


@njit
def _byte(value):
    return np.uint8(np.int32(min(max(value, ZERO), WHITE) + HALF))


@njit
def _woven(planes, row):
    """Four lines (4, C) as the pixels of a row (C, 4)."""
    a, b, c, d = planes[0], planes[1], planes[2], planes[3]
    for j in range(len(row)):
        row[j, 0], row[j, 1], row[j, 2], row[j, 3] = a[j], b[j], c[j], d[j]
