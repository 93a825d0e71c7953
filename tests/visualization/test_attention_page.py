"""``mlaface attention``: the page, its pictures and numbers, and what it says where there is nothing to see."""
import json
import re
import sys

import cv2
import numpy as np
import pytest

from mlaface.cli.attention import main
from mlaface.inference.detectors.base import Detection, Detector
from mlaface.registry import DETECTORS
from mlaface.utils.template import TEMPLATE
from mlaface.visualization.look import gates_in_training
from mlaface.visualization.observe import Observer
from mlaface.visualization.pictures import heat_line, overlay
from tests.visualization.seen import CROP, OTHER, checkpoint, network


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    """A work folder with a checkpoint, its log, and two faces, one of them in a folder of the other's name."""
    folder = tmp_path_factory.mktemp('work')
    checkpoint(folder)
    lines = [dict(iter=step, kind='train', loss=2.0, gate_0=0.5 - step / 100, gate_1=0.5, attention_gate=0.4)
             for step in (10, 20)]
    (folder / 'scalars.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    (folder / 'b').mkdir()
    for name, crop in (('a.png', CROP), ('b/a.png', OTHER)):
        cv2.imwrite(str(folder / name), crop.transpose(1, 2, 0)[..., ::-1])
    return folder


def look(work, *arguments, model='best.pth', images=('a.png',)):
    return main([str(work / model), *(str(work / image) for image in images), '--device', 'cpu', *map(str, arguments)])


@pytest.fixture(scope='module')
def made(work):
    pytest.importorskip('captum')
    out = work / 'out'
    assert look(work, '--out', out, '--with', work / 'b' / 'a.png', images=('a.png', 'b')) == 0
    return out


def test_a_face_a_sheet_and_all_numbers(made, work):
    assert {path.name for path in made.iterdir()} == {'attention.html', 'attention.json', 'a.png', 'a-2.png',
                                                      'gates.png'}
    assert all(cv2.imread(str(path)).shape[0] > 300 for path in made.glob('*.png'))
    found = json.loads((made / 'attention.json').read_text())
    assert found['model']['name'] == 'best' and found['grad_cam_of'] == f'cosine to {work / "b" / "a.png"}'
    assert found['gates_in_training']['gate_0'] == dict(iterations=[10, 20], values=[0.4, 0.3])
    assert len(found['gates']) == 10 and found['gates']['backbone.layer1.1.attn.ca.lf.gamma'] == pytest.approx(0.1)
    first, second = found['images']
    assert second['grad_cam']['cosine'] == pytest.approx(1, abs=1e-5) and first['grad_cam']['cosine'] < 1
    assert [(row['branch'], row['place']) for row in first['self_attention']] == [
        ('branch.0', [0, 0]), ('branch.0', [0, 1]), ('branch.1', [0, 0]), ('branch.1', [0, 1])]
    for row in first['self_attention']:
        assert np.sum(row['weights']) == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(np.mean(row['heads'], 0), row['weights'], atol=1e-5)
    block = first['blocks'][-1]
    assert block['stage'] == 4 and len(block['channels']) == 64 and np.shape(block['places']) == (2, 2)
    assert block['channels_are'] == 'gate' and max(block['channels']) < 1


def test_the_page_needs_nothing_else(made):
    text = (made / 'attention.html').read_text()
    assert {source.partition(':')[0] for source in re.findall(r'(?:src|href)="([^"]*)"', text)} == {'data'}
    assert text.count('class="curve"') == 2 * 8 + 3 and text.count('from 38,52<br>') == 2 * 2
    assert 'class="warning"' not in text


def test_the_page_in_a_browser(made, browser):
    page, complaints, requests = browser.new_page(), [], []
    page.on('console', lambda message: complaints.append(message.text))
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('request', lambda request: requests.append(request.url))
    page.goto((made / 'attention.html').as_uri())
    assert page.locator('[data-panel="1"] img').evaluate_all('all => all.every(one => one.naturalWidth > 0)')
    page.locator('[data-tab="2"]').click()
    assert page.locator('[data-panel="2"]').is_visible() and not page.locator('[data-panel="1"]').is_visible()
    wide = page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    page.close()
    assert complaints == [] and wide <= 0
    assert [url for url in requests if not url.startswith('data:')] == [(made / 'attention.html').as_uri()]


def test_without_attention_there_is_grad_cam_and_the_page_says_so(tmp_path, work, capsys):
    pytest.importorskip('captum')
    checkpoint(tmp_path, attention=None, branches=False)
    assert look(work, '--out', tmp_path / 'out', '--point', '5,5', model=tmp_path / 'best.pth') == 0
    text = (tmp_path / 'out' / 'attention.html').read_text()
    assert 'has no attention: Grad-CAM is all that there is to see' in text and 'Stage 1' not in text
    assert 'Grad-CAM of the cosine to the face&#39;s own mirror image' in text
    assert '--point shows nothing' in capsys.readouterr().err
    found = json.loads((tmp_path / 'out' / 'attention.json').read_text())
    assert found['images'][0]['blocks'] == found['images'][0]['self_attention'] == [] and found['gates'] == {}
    assert np.shape(found['images'][0]['grad_cam']['map']) == (2, 2)


def test_without_captum_the_rest_is_shown(work, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'captum', None)
    monkeypatch.setitem(sys.modules, 'captum.attr', None)
    assert look(work, '--out', tmp_path / 'out', '--limit', 1, images=('a.png', 'b')) == 0
    printed = capsys.readouterr().err
    assert "Grad-CAM is left out: Grad-CAM needs captum" in printed and 'only the first 1 faces' in printed
    found = json.loads((tmp_path / 'out' / 'attention.json').read_text())
    assert 'grad_cam' not in found['images'][0] and len(found['images']) == 1 and found['images'][0]['blocks']
    with pytest.raises(SystemExit, match='error: .*needs captum'):
        look(work, '--with', work / 'a.png')


@pytest.mark.parametrize('arguments, message', [
    (dict(model='x.onnx'), 'x.onnx is opened as OnnxNetwork, into which nobody can look'),
    (dict(images=('none.png',)), 'no image, folder or video'), (dict(images=('best.pth',)), 'none of the images'),
    (('--point', '112,5'), 'point 112,5 lies outside'), (('--layer', 'backbon'), "did you mean 'backbone'"),
    (('--with', '{0}/none.png'), 'no image, folder or video'), (dict(model='none.pth'), 'no model at')])
def test_mistakes_are_told_in_a_line(arguments, message, work, tmp_path):
    pytest.importorskip('captum')
    (work / 'x.onnx').write_bytes(b'')
    options, words = (arguments, ()) if isinstance(arguments, dict) else ({}, arguments)
    with pytest.raises(SystemExit) as end:
        look(work, '--out', tmp_path / 'out', *(word.format(work) for word in words), **options)
    assert re.fullmatch(f'error: .*{message}.*', end.value.code) and not (tmp_path / 'out').exists()


def test_a_point_is_two_numbers(capsys):
    with pytest.raises(SystemExit):
        main(['best.pth', 'a.png', '--point', 'eye'])
    assert 'must be X,Y in pixels' in capsys.readouterr().err


@DETECTORS.register_module('right_half', force=True)
class RightHalf(Detector):
    """Finds a face in the right half of a picture that is not black."""

    def detect(self, image):
        height, width = image.shape[:2]
        points = (TEMPLATE * height / 112 + (width - height, 0)).astype(np.float32)
        return [Detection(np.float32([width - height, 0, width, height]), points, 0.99)] if image.any() else []


def test_faces_of_photographs_are_found_first_and_what_has_none_is_skipped(work, tmp_path, capsys):
    pytest.importorskip('captum')
    for name, shown in (('photo', np.hstack([OTHER.transpose(1, 2, 0), CROP.transpose(1, 2, 0)])),
                        ('black', np.zeros((32, 64, 3), np.uint8))):
        cv2.imwrite(str(tmp_path / f'{name}.png'), shown[..., ::-1])
    (tmp_path / 'torn.png').write_bytes((tmp_path / 'photo.png').read_bytes()[:60])
    images = [tmp_path / f'{name}.png' for name in ('torn', 'photo', 'black')]
    assert look(work, '--out', tmp_path / 'out', '--detect', '--detector', 'right_half', images=images) == 1
    printed = capsys.readouterr().err
    assert f'skipped: {tmp_path}/torn.png' in printed and f'skipped: no face in {tmp_path}/black.png' in printed
    found, = json.loads((tmp_path / 'out' / 'attention.json').read_text())['images']
    blocks, _ = Observer(network())(CROP)
    np.testing.assert_allclose(found['blocks'][0]['places'], blocks[0].places, rtol=1e-3)


def test_a_folder_without_a_log_has_no_gates_of_training(tmp_path):
    assert gates_in_training(tmp_path) == {}


def test_a_map_is_bright_where_it_is_high():
    crop, weights = np.zeros((3, 32, 32), np.uint8), np.zeros((4, 4))
    weights[3, 0] = 1
    shown = overlay(crop, weights, mark=(0, 3), size=64).astype(int).sum(0)
    assert shown[56, 8] > 300 and shown[56, 40] == 0 and (shown[0, 48:] == 3 * 255).all()
    assert overlay(crop, np.full((4, 4), 0.7), size=64).max() == 0
    line = heat_line(np.array([0.0, 1.0, 0.5]), 1.0, width=30).astype(int).sum(0)
    assert line.shape == (14, 30) and line[0, 0] > line[0, 15] > line[0, 29]
