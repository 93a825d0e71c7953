"""Faces of many images: order, batches, what is skipped; verdicts and the reasons for none; the real detector."""
import json

import cv2
import numpy as np
import pytest

from mlaface.apis import FaceInferencer
from mlaface.evaluation.functional.calibration import score_shares
from mlaface.evaluation.images.alignment import TEMPLATE
from mlaface.inference.detectors.base import Detection, Detector, detect_any_way_up, shrunk
from mlaface.inference.finder import FaceFinder
from mlaface.inference.thresholds import SHIPPED, find_thresholds, shares_below
from mlaface.registry import DETECTORS
from mlaface.utils.errors import InputError, UserError


def sheet(faces):
    """Faces side by side."""
    return np.concatenate(faces, axis=1) if faces else np.zeros((112, 112, 3), np.uint8)


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_images_keep_their_order_and_crops_of_several_share_batches(grid, tiles, drawn, workers):
    people = [pair[0] for pair in drawn]
    images = [sheet(people[:3]), sheet([]), sheet(people[3:5]), sheet(people[5:]), sheet(people[:2])]
    inferencer = FaceInferencer(grid, tiles, batch_size=4, workers=workers)
    found = list(inferencer.faces(images))
    assert [(name, len(faces)) for name, faces in found] == [
        ('image 0', 3), ('image 1', 0), ('image 2', 2), ('image 3', 1), ('image 4', 2)]
    assert grid.batches == (4, 1, 3) and max(grid.batches) <= 4
    crops = np.stack([face.crop for _, faces in found for face in faces])
    wanted = grid.embed(crops)
    embeddings = np.stack([face.embedding for _, faces in found for face in faces])
    np.testing.assert_allclose(embeddings, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), rtol=1e-5)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose([face.quality['norm'] for _, faces in found for face in faces],
                               np.linalg.norm(wanted, axis=1), rtol=1e-5)
    assert {'norm', 'sharpness', 'size', 'yaw', 'pitch', 'roll'} == set(found[0][1][0].quality)


def test_an_image_that_cannot_be_read_is_skipped_or_raised(grid, tiles, drawn, tmp_path):
    (tmp_path / 'torn.jpg').write_bytes(b'nothing')
    given, skipped = [drawn[0][0], tmp_path / 'torn.jpg', drawn[1][0]], []
    inferencer = FaceInferencer(grid, tiles)
    found = list(inferencer.faces(given, skipped=lambda name, error: skipped.append((name, str(error)))))
    assert [len(faces) for _, faces in found] == [1, 0, 1] and len(skipped) == 1 and 'torn.jpg' in skipped[0][1]
    with pytest.raises(InputError, match='torn.jpg'):
        list(inferencer.faces(given))


@pytest.mark.parametrize('flip, size', [('none', 192), ('sum', 192), ('concat', 384)])
def test_mirror_images_are_joined(grid, drawn, flip, size):
    inferencer = FaceInferencer(grid, None, flip=flip)
    crops = np.stack([pair[0].transpose(2, 0, 1) for pair in drawn])
    embeddings = inferencer.embed(crops)
    assert inferencer.model == dict(name='grid', sha256=None, embedding_size=size, flip=flip)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-6)
    mirrored = inferencer.embed(np.ascontiguousarray(crops[..., ::-1]))
    assert np.allclose(mirrored, embeddings, atol=1e-6) == (flip == 'sum')


def test_the_largest_face_is_compared_and_a_threshold_decides(grid, tiles, drawn):
    (first, again), (other, _) = drawn[:2]
    same, different = (FaceInferencer(grid, tiles).compare(first, image).cosine for image in (first, other))
    assert same == pytest.approx(1) and different < same
    limit = (same + different) / 2
    inferencer = FaceInferencer(grid, tiles, threshold=limit)
    assert [inferencer.compare(first, image).same for image in (first, other)] == [True, False]
    assert inferencer.threshold() == dict(threshold=limit, far=None, source='given')
    several = inferencer.compare(sheet([first, again]), inferencer.best_face(first))
    assert several.found == (2, 1) and several.cosine == pytest.approx(1)


def test_without_a_threshold_there_is_a_reason_and_no_verdict(grid, tiles, drawn):
    inferencer = FaceInferencer(grid, tiles)
    found = inferencer.compare(drawn[0][0], drawn[0][1])
    assert found.same is None and 'grid is no file' in found.reason and inferencer.threshold() is None
    assert inferencer.why_no_threshold == found.reason


def test_thresholds_of_the_model_decide_for_their_rate_and_flip(models):
    inferencer = FaceInferencer(detector=None)
    made = json.loads((SHIPPED / 'sface.json').read_text())['thresholds']
    assert inferencer.threshold()['threshold'] == made['1e-3']['threshold']['value'] and inferencer.flip == 'none'
    assert FaceInferencer(detector=None, far=1e-2).threshold()['far'] == 0.01
    assert 'those of 1e-2, 1e-3' in FaceInferencer(detector=None, far=1e-6).why_no_threshold
    assert "'none', here it is 'sum'" in FaceInferencer(detector=None, flip='sum').why_no_threshold


def test_shares_of_pairs_with_a_lower_cosine(models):
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.6, 0.1, 3000), rng.normal(0.1, 0.15, 3000)])
    report = dict(flip='sum', scores=score_shares(scores, np.arange(6000) < 3000))
    for cosine in (-1, -0.2, 0.13, 0.4, 0.61, 1):
        found = shares_below(report, cosine, 'sum')
        assert found['same'] == pytest.approx((scores[:3000] < cosine).mean(), abs=0.01)
        assert found['different'] == pytest.approx((scores[3000:] < cosine).mean(), abs=0.01)
    assert shares_below(report, 0.3, 'none') is None and shares_below(None, 0.3, 'sum') is None
    assert shares_below(dict(flip='sum'), 0.3, 'sum') is None


def test_a_file_without_thresholds_says_how_to_make_them(tmp_path):
    (tmp_path / 'a.onnx').write_bytes(b'')
    report, reason = find_thresholds(dict(file=str(tmp_path / 'a.onnx'), sha256='0' * 64, name='a'))
    assert report is None and 'calibrate' in reason


@pytest.mark.parametrize('call, message', [
    (lambda it, face: it.best_face(np.zeros_like(face)), 'no face in image 0'),
    (lambda it, face: it.compare(face, np.zeros_like(face)), 'no face in image 0'),
    (lambda it, face: it.best_face([face, face]), '2 images where one is asked')])
def test_what_is_no_single_face_is_said(grid, tiles, drawn, call, message):
    with pytest.raises(InputError, match=message):
        call(FaceInferencer(grid, tiles), drawn[0][0])


def test_without_a_detector_only_aligned_faces_are_taken(grid, drawn):
    inferencer = FaceInferencer(grid, None)
    face = inferencer.best_face(cv2.resize(drawn[0][0], (224, 224)), aligned=True)
    assert face.crop.shape == (3, 112, 112) and face.score == 1 and np.allclose(face.points, TEMPLATE * 2)
    with pytest.raises(InputError, match='there is no detector'):
        inferencer.best_face(drawn[0][0])


@pytest.mark.parametrize('detector, message', [('yunett', "did you mean 'yunet'"),
                                               (dict(type='yunet', scor=1), 'scor')])
def test_a_mistyped_detector_is_told_the_nearest(grid, detector, message):
    with pytest.raises(UserError, match=message):
        FaceInferencer(grid, detector)


@pytest.mark.parametrize('name', DETECTORS.classes())
def test_every_detector_finds_a_face_where_it_is(name, models, faces_small):
    from mlaface.datasets.formats.bin_set import read_bin
    from mlaface.datasets.formats.jpeg import decode
    face = decode(read_bin(faces_small / 'dev_lfw.bin').images[0])
    image = np.full((300, 400, 3), 127, np.uint8)
    detector = FaceInferencer('sface', name).finder.detector
    assert isinstance(detector, Detector) and detector.detect(image) == []
    image[100:212, 200:312] = face
    found, = detector.detect(image)
    assert np.abs(found.points - TEMPLATE - [200, 100]).max() < 12 and 0 < found.score <= 1
    assert found.points.dtype == found.box.dtype == np.float32
    large = cv2.resize(image, None, fx=12, fy=12)  # 17 megapixels
    again, = detector.detect(large)
    assert np.abs(again.points / 12 - TEMPLATE - [200, 100]).max() < 12
    assert detector.detect(image[:1, :1]) == [] and detector.detect(image[:3]) == []


class Marked(Detector):
    """Finds five pixels of the colours 51, 102, ...; sure where they stand upright."""

    def detect(self, image):
        points = np.float32([np.argwhere(image[..., 0] == 51 * i)[0, ::-1] for i in range(1, 6)])
        (left, right, _, mouth, _) = points
        score = 0.95 if left[0] < right[0] and left[1] < mouth[1] else 0.85
        return [Detection(np.float32([*points.min(axis=0) - 2, *points.max(axis=0) + 3]), points, score)]


@pytest.mark.parametrize('quarters', [0, 1, 2, 3])
def test_an_image_that_lies_on_a_side_or_its_head_gives_the_upright_face(quarters):
    image = np.zeros((90, 140, 3), np.uint8)
    for i, (x, y) in enumerate([(40, 20), (80, 22), (61, 40), (45, 60), (77, 61)], start=1):
        image[y, x] = 51 * i
    lying = np.ascontiguousarray(np.rot90(image, quarters))
    found, = detect_any_way_up(Marked(), lying)
    assert [int(lying[int(y), int(x), 0]) for x, y in found.points] == [51, 102, 153, 204, 255]
    marked = np.argwhere(lying[..., 0])[:, ::-1]
    assert found.box.tolist() == [*(marked.min(axis=0) - 2), *(marked.max(axis=0) + 3)]
    (upright,), (turned,) = (FaceFinder(Marked())._detected(each) for each in (image, lying))
    assert np.abs(upright.crop.astype(int) - turned.crop).max() <= 1


def test_a_lying_face_that_is_not_clear_stays_as_it_was_found():
    class Unsure(Detector):
        def detect(self, image):
            return [Detection(np.float32([0, 0, *image.shape[1::-1]]), TEMPLATE, 0.5 + 0.2 * (image.shape[0] > 50))]
    found, = detect_any_way_up(Unsure(), np.zeros((40, 60, 3), np.uint8))
    assert found.box.tolist() == [0, 0, 60, 40] and found.score == 0.5


def test_scaling_keeps_coordinates():
    small, scale = shrunk(np.zeros((301, 999, 3), np.uint8), 100)
    assert small.shape == (30, 100, 3) and np.allclose(np.multiply(small.shape[1::-1], scale), (999, 301))
    assert shrunk(small, 100)[0] is small


@pytest.mark.slow
def test_sixty_megapixels_are_looked_at(models, grid):
    import io

    from PIL import Image
    data = io.BytesIO()
    Image.new('RGB', (9000, 6700), (90, 120, 90)).save(data, 'JPEG')
    assert [faces for _, faces in FaceInferencer(grid).faces(data.getvalue())] == [[]]


@pytest.mark.parametrize('settings, said', [
    (dict(batch_size=0), 'batch_size is a whole number of at least 1; got 0'), (dict(batch_size='a'), "got 'a'"),
    (dict(batch_size=2.5), 'got 2.5'), (dict(workers=-1), 'workers is a whole number of at least 0; got -1')])
def test_numbers_that_are_none_are_refused_at_the_start(grid, settings, said):
    with pytest.raises(InputError, match=said):
        FaceInferencer(grid, None, **settings)
