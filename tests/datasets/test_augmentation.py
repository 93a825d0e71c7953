"""Augmentations: where they draw, that they are functions of the generator, and what they refuse."""
import numpy as np
import pytest
import torch

from mlaface.datasets.browse import DrawnFaces, by_epochs, by_transforms, write_sheet
from mlaface.datasets.sets._base import FaceDataset
from mlaface.datasets.transforms import color_jitter, rand_augment
from mlaface.datasets.transforms._base import random_rectangle
from mlaface.registry import TRANSFORMS
from mlaface.utils.errors import MissingPackageError
from mlaface.utils.template import TEMPLATE

OWN = [dict(type=name, prob=0.7) for name in TRANSFORMS.names() if not name.endswith('.*')]
FOREIGN = [dict(type='albumentations.MotionBlur', blur_limit=15, p=0.5),
           dict(type='albumentations.OneOf', p=1.0, transforms=[
               dict(type='albumentations.GaussNoise', p=1.0), dict(type='albumentations.ToGray', p=1.0)])]


def build(cfg):
    if cfg['type'].startswith('albumentations'):
        pytest.importorskip('albumentations')
    return TRANSFORMS.build(cfg)


@pytest.fixture(scope='module')
def face(drawn):
    return drawn[0][1]


@pytest.mark.parametrize('cfg', [*OWN, *FOREIGN], ids=lambda cfg: cfg['type'])
def test_an_augmented_image_is_a_function_of_its_generator(cfg, face):
    first, second = build(cfg), build(cfg)
    kept, state = face.copy(), (np.random.get_state()[1].copy(), torch.get_rng_state())
    seen = set()
    for number in range(12):
        one = first(face, np.random.default_rng(number))
        for _ in range(number % 3):
            second(face, np.random.default_rng(99))  # what was drawn before does not matter
        other = second(face, np.random.default_rng(number))
        assert (one == other).all() and one.shape == face.shape and one.dtype == np.uint8
        seen.add(one.tobytes())
    assert len(seen) > 1 and (face == kept).all(), 'the given image is not changed in place'
    assert (np.random.get_state()[1] == state[0]).all() and torch.equal(torch.get_rng_state(), state[1])


def test_a_mask_hides_the_mouth_and_leaves_the_eyes(face):
    mask, low = (build(dict(type='FaceMask', prob=1.0, low=share)) for share in (0.0, 1.0))
    eyes, nose, mouth = TEMPLATE[:2], TEMPLATE[2], TEMPLATE[3:].mean(0)
    covered = dict(mouth=0, nose=0, nose_low=0, eyes=0)
    for number in range(60):
        changed = (mask(face, np.random.default_rng(number)) != face).any(2)
        changed_low = (low(face, np.random.default_rng(number)) != face).any(2)
        at = {name: changed[int(y) - 1:int(y) + 2, int(x) - 1:int(x) + 2].all()
              for name, (x, y) in dict(mouth=mouth, nose=nose, left=eyes[0], right=eyes[1]).items()}
        covered['mouth'] += at['mouth']
        covered['nose'] += at['nose']
        covered['eyes'] += at['left'] or at['right']
        covered['nose_low'] += changed_low[int(nose[1]) - 3, int(nose[0])]
    assert covered['mouth'] == 60 and covered['nose'] >= 57 and covered['eyes'] == covered['nose_low'] == 0


def test_glasses_hide_the_eyes_and_leave_the_mouth(face):
    glasses = build(dict(type='Sunglasses', prob=1.0, opacity=(1.0, 1.0)))
    for number in range(40):
        changed = (glasses(face, np.random.default_rng(number)) != face).any(2)
        assert all(changed[int(y), int(x)] for x, y in TEMPLATE[:2])
        assert not changed[85:].any(), 'below the nose'
    small = build(dict(type='Sunglasses', prob=1.0))(face[:56, :56].copy(), np.random.default_rng(0))
    assert small.shape == (56, 56, 3)


def test_changes_of_light_are_those_of_their_formulas(face):
    """Blends with black, with the mean grey and with grey, by ITU-R 601's weights."""
    floats = face.astype(np.float64)
    grey = floats @ [0.299, 0.587, 0.114]
    for change, other in [(color_jitter.brightness, 0.0), (color_jitter.contrast, grey.mean()),
                          (color_jitter.saturation, grey[..., None])]:
        for factor in (0.5, 1.0, 1.4):
            expected = np.clip(other + factor * (floats - other), 0, 255)
            assert np.abs(change(face, factor) - expected).max() <= 0.51
    assert (rand_augment.posterize(face, 3) == face // 32 * 32).all()
    stretched = rand_augment.autocontrast(face // 2 + 40)
    assert stretched.min((0, 1)).tolist() == [0, 0, 0] and stretched.max((0, 1)).min() >= 254
    assert (rand_augment.autocontrast(np.full_like(face, 7)) == 7).all()
    assert (rand_augment.sharpness(face, 1.0) == face).all()


def test_light_and_sharpness_are_those_of_torchvision(face):
    functional = pytest.importorskip('torchvision.transforms.v2.functional', exc_type=(ImportError, RuntimeError))
    tensor = torch.from_numpy(face).permute(2, 0, 1)
    for ours, theirs, value in [
            (color_jitter.brightness, functional.adjust_brightness, 1.3),
            (color_jitter.contrast, functional.adjust_contrast, 0.6),
            (color_jitter.saturation, functional.adjust_saturation, 1.5),
            (rand_augment.sharpness, functional.adjust_sharpness, 1.6),
            (rand_augment.posterize, functional.posterize, 5)]:
        found = theirs(tensor, value).permute(1, 2, 0).numpy()
        assert np.abs(ours(face, value).astype(int) - found).max() <= 1


def test_magnitude_nought_changes_nothing_but_what_has_no_strength(face):
    still = build(dict(type='RandAugment', magnitude=0, changes=[*rand_augment.SIGNED, 'identity', 'posterize']))
    assert all((still(face, np.random.default_rng(n)) == face).all() for n in range(40))
    strong = [np.abs(build(dict(type='RandAugment', magnitude=m, n=1, changes=['rotate']))(
        face, np.random.default_rng(0)).astype(int) - face).mean() for m in (5, 15, 30)]
    assert strong == sorted(strong) and strong[0] > 0


def test_rectangles_have_the_area_and_ratio_that_are_asked_for():
    rng = np.random.default_rng(0)
    found = [random_rectangle((112, 112, 3), (0.2, 1.0), (3 / 4, 4 / 3), rng) for _ in range(4000)]
    heights, widths = (np.array([part[axis].stop - part[axis].start for part in found]) for axis in (0, 1))
    assert all(part.start >= 0 and part.stop <= 112 for pair in found for part in pair)
    ratio = widths / heights
    assert ratio.min() > 0.74 and ratio.max() < 1.36 and abs(np.log(ratio).mean()) < 0.02
    assert abs(heights.mean() - 81.2) < 1 and abs(widths.mean() - 81.2) < 1, 'torchvision, 20000 draws: 81.26, 81.12'
    rows, columns = random_rectangle((10, 100, 3), (1.0, 1.0), (1.0, 1.0), rng)  # nothing fits
    assert (rows.stop - rows.start, columns.stop - columns.start) == (10, 10)


@pytest.mark.parametrize('cfg, message', [
    (dict(type='FaceMask', kinds=['scarf']), 'scarf'), (dict(type='FaceMask', jitter=-1), 'jitter=-1'),
    (dict(type='RandAugment', changes=['solarize']), 'solarize'), (dict(type='RandAugment', magnitude=31), '0 to 30'),
    (dict(type='Sunglasses', size=(0.5, 0.9)), 'size'), (dict(type='FaceMask', prob=2), 'prob is 2')])
def test_what_is_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(cfg)


@pytest.mark.parametrize('cfg, message', [
    (dict(type='LowResolution', scale=(0, 1)), 'scale is (0, 1); it must be a pair (smallest, largest) in [0.01, 1.0]'),
    (dict(type='ColorJitter', brightness=-1), 'brightness is -1; it must be in [0.0, 1.0]'),
    (dict(type='FaceMask', prob=2), 'prob is 2; it must be in [0, 1]')])
def test_a_set_says_which_transform_is_refused_and_what_was_written(cfg, message):
    with pytest.raises(ValueError) as refused:
        FaceDataset([dict(type='RandomFlip'), cfg])
    assert str(refused.value) == f'transforms[1] {cfg["type"]}: {message}'


def test_names_and_arguments_of_other_libraries_are_checked():
    pytest.importorskip('albumentations')
    with pytest.raises(KeyError, match="did you mean 'MotionBlur'"):
        TRANSFORMS.build(dict(type='albumentations.MotionBlr'))
    with pytest.raises(TypeError, match="no argument 'blur_limt'; did you mean 'blur_limit'"):
        TRANSFORMS.build(dict(type='albumentations.MotionBlur', blur_limt=3))


@pytest.mark.parametrize('library, module', [('albumentations', 'albumentations'),
                                             ('torchvision', 'torchvision.transforms.v2')])
def test_a_library_that_is_not_installed_is_named_with_its_extra(library, module, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, module, None)
    with pytest.raises(MissingPackageError, match=rf"pip install 'mlaface\[{library}\]'"):
        TRANSFORMS.build(dict(type=f'{library}.Blur'))


def test_torchvisions_randomness_is_the_images(face):
    """Torch's generator is borrowed: the same image for the same numbers, and nothing else is moved."""
    from mlaface.datasets.transforms.from_torchvision import TorchvisionTransform
    noise = TorchvisionTransform(lambda x: (x + torch.randint(0, 9, x.shape)).clamp(max=255).to(torch.uint8))
    before = torch.get_rng_state()
    one, same, other = (noise(face, np.random.default_rng(number)) for number in (1, 1, 2))
    assert (one == same).all() and (one != other).any() and one.shape == face.shape
    assert torch.equal(before, torch.get_rng_state())


def test_a_sheet_shows_what_training_sees(tmp_path):
    faces = DrawnFaces(2, [dict(type='RandomFlip'), dict(type='FaceMask')], seed=3)
    rows = by_epochs(faces, [0, 1], 3)
    assert [title for title, _ in rows] == ['as they are', 'epoch 0', 'epoch 1', 'epoch 2']
    assert (rows[2][1][1] == np.asarray(faces[1 * 2 + 1]['images']).transpose(1, 2, 0)).all()
    each = by_transforms(faces, [0, 1])
    assert [title for title, _ in each] == ['as they are', 'RandomFlip', 'FaceMask'] and faces.transforms[1].prob == 0.1
    assert (each[1][1][0] == each[0][1][0][:, ::-1]).all()
    assert write_sheet(tmp_path / 'sheet.png', each).shape == (3 * 112, 130 + 2 * 112, 3)
