"""Kernels of drawn heads against NumPy and OpenCV."""
import sys

import cv2
import numpy as np
import pytest

from mlaface.datasets.synthetic.generate import drawing
from mlaface.datasets.synthetic.heads import colouring, outlines, placing
from mlaface.datasets.synthetic.heads.outlines import BEND, along
from mlaface.datasets.synthetic.nuisance import TRAINING
from mlaface.utils.errors import MissingPackageError

RNG = np.random.default_rng(0)


def uniform(*shape, low=0.0, high=1.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


def doubled(plane):
    """Planes (..., R, C) twice as fine, as OpenCV does it."""
    flat = plane.reshape(-1, *plane.shape[-2:])
    rows, columns = plane.shape[-2:]
    fine = [cv2.resize(part, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR) for part in flat]
    return np.stack(fine).reshape(*plane.shape[:-2], 2 * rows, 2 * columns)


def assert_near(found, expected, **limits):
    np.testing.assert_allclose(np.asarray(found, float), expected, **limits or dict(rtol=1e-4, atol=1e-4))


def ball(rows=12, columns=16, radius=40.0):
    """Half a ball as a grid, float32 (3, rows, columns)."""
    v, u = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1.2, 1.2, columns), indexing='ij')
    return (radius * np.stack([np.cos(v) * np.sin(u), np.sin(v), np.cos(v) * np.cos(u)])).astype(np.float32)


def test_displace():
    points, across, down, amounts = uniform(3, 8, 6), uniform(5, 6), uniform(5, 8), uniform(5, low=-1)
    axes, out = np.array([0, 2, 2, 1, 0]), np.empty((3, 8, 6), np.float32)
    placing.displace(points, axes, across, down, amounts, out)
    waves = amounts[:, None, None] * down[:, :, None] * across[:, None]
    assert_near(out, points + [waves[[0, 4]].sum(0), waves[3], waves[[1, 2]].sum(0)])


def test_place():
    points, align = uniform(3, 9, low=-50, high=50), uniform(2, 3)
    turn, out = np.linalg.qr(RNG.standard_normal((3, 3)))[0].astype(np.float32), np.empty((2, 9), np.float32)
    placing.place(points, turn, np.float32(300), align, out)
    x, y, z = turn @ points
    seen = np.stack([x, y]) * 300 / (350 - z)
    assert_near(out, align[:, :2] @ seen + align[:, 2:])


@pytest.mark.parametrize('upwards', [False, True])
@pytest.mark.parametrize('nearest', [10, 16, 22])
def test_put_covers_what_is_far_by_what_is_near(nearest, upwards):
    image = np.stack([uniform(12, 16, low=-20, high=130), uniform(12, 16, low=-20, high=130)])
    shown = np.empty((3, 112, 112), np.uint16)
    placing.put(image, nearest, upwards, shown)
    x, y = np.floor(doubled(image) + 0.5).astype(int)
    expected = np.zeros((2, 112, 112), int)
    rows = range(24)[::-1] if upwards else range(24)
    for column in [*range(nearest), *range(31, nearest - 1, -1)]:
        for row in rows:
            i, j = y[row, column], x[row, column]
            if 0 <= i < 112 and 0 <= j < 112:
                expected[:, i, j] = column, row + 1
    assert_near(shown[:2], expected, atol=0)
    assert_near(shown[2], expected[1] > 0, atol=0)


def test_locate():
    there = (uniform(32, 32) > 0.4).astype(np.uint16)
    column, row = RNG.integers(0, 200, (2, 32, 32)).astype(np.uint16)
    fine, coarse, cover = (np.empty(shape, np.float32) for shape in ((2, 32, 32), (2, 16, 16), (32, 32)))
    placing.locate(column, row, there, np.array([1.2, 0.8], np.float32), fine, coarse, cover)

    def mean(part):
        return cv2.blur(part.astype(np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)
    first, second, weight = mean(column * there), mean(row * there), mean(there)
    assert_near(cover, np.clip(2 * weight - 0.6, 0, 1))
    for found, planes, steps in ((fine, (first, second, weight), (1.2, 0.8)),
                                 (coarse, [mean(part[::2, ::2]) for part in (first, second, weight)], (0.5, 0.5))):
        below = np.maximum(planes[2], 1e-3)
        assert_near(found[0], (planes[0] / below + 0.5) * steps[0] - 0.5, rtol=1e-4, atol=1e-2)
        assert_near(found[1], (planes[1] / below - 0.5) * steps[1] - 0.5, rtol=1e-4, atol=1e-2)


def test_light_up_has_the_normals_of_a_ball():
    points, sky, out = ball(60, 80), np.ones((60, 80), np.float32), np.empty((60, 80, 4), np.float32)
    colouring.light_up(points, sky, np.array([0, 0, 1], np.float32), np.float32(0.5), out)
    assert_near(out[1:-1, 1:-1, :3], points.transpose(1, 2, 0)[1:-1, 1:-1] / 40, atol=2e-3)
    assert_near(out[..., 3], 1, atol=1e-6)  # nothing of it stands before the light


def test_a_ridge_throws_a_shadow_away_from_the_light():
    sky, points, out = (make(shape, np.float32) for make, shape in (
        (np.ones, (40, 40)), (np.zeros, (3, 40, 40)), (np.empty, (40, 40, 4))))
    points[0], points[1] = np.meshgrid(np.arange(40), np.arange(40))
    points[2, :, 19:21] = 12
    for light, dark, lit in ((0.8, slice(10, 18), slice(24, 30)), (-0.8, slice(22, 30), slice(10, 16))):
        colouring.light_up(points, sky, np.array([light, 0, 0.2], np.float32), np.float32(1), out)
        assert out[:, dark, 3].min() < 0.2 and out[:, lit, 3].min() > 0.99


def test_shade():
    texels, surface = RNG.integers(0, 256, (24, 32, 4)).astype(np.uint8), uniform(12, 16, 4, low=-1)
    towards, gains, colours = uniform(4, 3, low=-1), uniform(3, 4), np.empty((3, 24, 32), np.float32)
    colouring.shade(texels, surface, towards, gains, np.float32(0.01), colours)
    key, fill, shine, sky = np.einsum('pa,ija->pij', towards, surface[..., :3])
    lit, shine = surface[..., 3], np.maximum(shine, 0) ** 8
    lights = [np.maximum(key + wrap, 0) * lit * a + np.maximum(fill, 0) * b + (sky + 1) * c for wrap, a, b, c in gains]
    gleam = doubled((shine * (0.05 + 0.3 * shine) * lit * 0.01).astype(np.float32)) * texels[..., 3]
    reflected = (texels[..., :3].transpose(2, 0, 1) / 255) ** 2
    assert_near(colours, doubled(np.array(lights, np.float32)) * reflected + gleam)


@pytest.mark.parametrize('mirrored', [False, True])
def test_stand_before(mirrored):
    backdrop, gains, cloth, cover, head = (
        uniform(3, 40, 50), uniform(3), uniform(3), uniform(20, 24), uniform(3, 20, 24))
    shirt, colours = (uniform(20, 24) > 0.7).astype(np.uint8), head.copy()
    colouring.stand_before(backdrop, 5, 7, mirrored, gains, shirt, cloth, cover, colours)
    part = backdrop[:, 7:27, 5:29][..., ::-1 if mirrored else 1]
    behind = np.where(shirt, cloth[:, None, None], part * gains[:, None, None])
    assert_near(colours, head * cover + behind * (1 - cover))


def test_develop():
    colours, gains, image = uniform(3, 16, 20, low=-0.1), uniform(3, low=1e4, high=9e4), np.empty((16, 20, 3), np.uint8)
    colouring.develop(colours, gains, np.float32(0.7), 1.3, image)
    roots = np.sqrt(np.maximum(colours * gains[:, None, None], 0))
    levels = roots * 0.7 + 0.3 * np.einsum('c,cij->ij', [0.3, 0.59, 0.11], roots)
    tone = (np.minimum(levels, 255).round() / 255 - 0.45) * 1.3 + 0.45
    high = np.maximum(tone - 0.8, 0)
    expected = np.clip((tone - high * high * 0.6 / (0.3 + high)) * 255, 0, 255)
    assert np.abs(image.transpose(2, 0, 1) - expected).max() <= 1.5


def test_grain_is_grey_and_stays_in_bytes():
    grain, image = uniform(40, 40, low=-60, high=60), RNG.integers(0, 256, (8, 10, 3)).astype(np.uint8)
    found = image.copy()
    colouring.add_grain(grain, 3, 4, np.float32(1.5), found)
    assert_near(found, np.clip(image + np.floor(grain[4:12, 3:13, None] * 1.5 + 0.5), 0, 255), atol=0)


def test_dye():
    skin, fine, brows, mask = uniform(3, 8, 10), uniform(40, 40), uniform(3, 20), np.maximum(uniform(16, 20, low=-1), 0)
    mask[12:] = 0
    noises, starts = tuple(uniform(30, 30, low=-1) for _ in range(4)), ((1, 2), (0, 0), (3, 1), (5, 5))
    shares = uniform(4)
    hair, texture = uniform(3), np.empty((16, 20, 4), np.uint8)
    colouring.dye(skin, fine, (2, 3), np.float32(0.02), hair, brows, 4, mask, noises, starts, shares, texture)
    planes = doubled(skin) * (1 - 0.02 * fine[2:18, 3:23])
    planes[:, 4:7] += brows * (0.8 * hair[:, None, None] - planes[:, 4:7])
    bright = 1 + sum(share * noise[i:i + 16, j:j + 20] for share, noise, (i, j) in zip(shares, noises, starts))
    planes += mask * (np.maximum(bright, 0) * hair[:, None, None] - planes)
    assert np.abs(texture[..., :3].transpose(2, 0, 1) - np.clip(planes * 255, 0, 255)).max() < 0.51
    assert np.abs(texture[..., 3] - (255 - 165 * mask)).max() < 0.51


def test_texels_follow_the_angle_around_the_head():
    angles = np.array([-1.7, -BEND, -0.4, 0.0, 0.9, 1.4])
    points = outlines.texels(along(angles), np.linspace(-60, 70, 6))
    assert_near(points[:, 0] / 16, (angles + 2) * 64 - 0.5, atol=0.04)
    assert_near(points[:, 1] / 16, outlines.row(np.linspace(-60, 70, 6)), atol=0.04)


def eyes(**changed):
    numbers = dict(s0=17.0, y0=0.0, wide=8.0, up=3.0, down=2.0, tilt=0.0, power=2.3, fold=0.0, x=0.0, y=0.0, pupil=1.4,
                   crease=2.0, glint_x=0.3, glint_y=-0.2)
    points = np.empty((2, outlines.EYE['corner'].stop, 2), np.int32)
    outlines.eyes(*{**numbers, **changed}.values(), points)
    return points


def test_eyes_mirror_each_other_and_close():
    left, right = eyes()
    edge = slice(0, outlines.ALONG)
    assert_near(left[edge][::-1] * [-1, 1] + [16 * 255, 0], right[edge], atol=2)
    white = eyes()[1, outlines.EYE['white']]
    assert np.ptp(white[:, 1]) > 16 * 4 and np.abs(white[0] - white[-1]).max() < 5
    closed = eyes(up=0.0, down=0.0)[1, outlines.EYE['white']]
    assert np.ptp(closed[:, 1]) <= 1


def test_an_iris_stays_between_the_lids():
    points = eyes(y=6.0)[1]
    low = points[outlines.EYE['white'], 1].max()
    assert points[outlines.EYE['iris'], 1].max() <= low < points[outlines.EYE['glint'], 1].max()


def mouth(**changed):
    numbers = dict(y0=40.0, wide=13.0, upper=3.0, lower=4.0, curve=0.5, smile=0.0, gap=0.0)
    points = np.empty((outlines.MOUTH['right'].stop, 2), np.int32)
    outlines.mouth(*{**numbers, **changed}.values(), points)
    return points


def test_a_mouth_opens_downwards_and_smiles_upwards():
    height = outlines.MOUTH['throat']
    assert np.ptp(mouth()[height, 1]) < np.ptp(mouth(gap=1.0)[height, 1])
    assert mouth(gap=1.0)[outlines.MOUTH['lower'], 1].max() > mouth()[outlines.MOUTH['lower'], 1].max() + 16 * 4
    assert mouth(smile=1.0)[outlines.MOUTH['left'], 1].min() < mouth()[outlines.MOUTH['left'], 1].min()
    line = mouth()[outlines.MOUTH['line']]
    assert_near(line[::-1, 0] + line[:, 0], 16 * 255, atol=1)


def test_without_numba_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'numba', None)
    with pytest.raises(MissingPackageError, match=r"Drawing heads needs numba.*mlaface\[numba\].*or draw style 'flat'"):
        drawing('heads')
    assert len(drawing('flat')((3, range(2)), 0, TRAINING)) == 2
