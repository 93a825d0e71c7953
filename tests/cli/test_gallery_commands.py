"""The commands enroll, identify and gallery, with a stand-in for the network and end to end with embeddings."""
import json
from pathlib import Path

import numpy as np
import pytest

from mlaface.cli import enroll, gallery, identify
from mlaface.cli.main import main
from mlaface.gallery import Gallery
from mlaface.inference.face import Face
from tests.gallery.people import KEY, MODEL, person


class StandIn:
    """Finds in an image the people whose numbers stand in it."""
    limit = dict(threshold=0.7, far=1e-3, source='drawn')
    model, why_no_threshold = MODEL, 'no threshold was calibrated'

    def __init__(self, *args, **settings):
        given = settings.get('threshold')
        self.found = self.limit if given is None else dict(threshold=given, far=None, source='given')

    def threshold(self):
        return self.found

    def faces(self, sources, aligned=False, skipped=None):
        for source in sources:
            try:
                numbers = [int(word) for word in Path(source).read_text().split()]
            except (OSError, ValueError) as error:
                if skipped is None:
                    raise
                skipped(source, error)
                numbers = []
            yield source, [Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0, None,
                                person(1000 + number, near=number), {}, source) for number in numbers]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of images, each of the people whose numbers it holds."""
    for module in (enroll, identify, gallery):
        monkeypatch.setattr(module, 'open_inferencer', StandIn)
    for name, text in dict(ann='1', bob='2', both='1 2', none='', torn='x', stranger='7').items():
        (tmp_path / f'{name}.jpg').write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """A function that runs a command: its status, and what it printed to both streams."""
    def command(*argv):
        try:
            status = main([str(word) for word in argv])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()
    return command


@pytest.fixture
def enrolled(run):
    assert run('enroll', 'g', 'Ann Lee', 'ann.jpg', '--metadata', '{"door": 3}')[0] == 0
    assert run('enroll', 'g', '张伟', 'bob.jpg', '--keep-images')[0] == 0


def test_who_was_enrolled_is_named_and_strangers_are_told_by_the_status(run, enrolled):
    assert run('identify', 'g', 'ann.jpg') == (0, 'ann.jpg at 0,0: Ann Lee (1.000)\n', '')
    status, out, _ = run('identify', 'g', 'both.jpg', 'stranger.jpg', '--json')
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 1 and [[m['name'] for m in line['matches']] for line in lines] == [['Ann Lee'], ['张伟'], []]
    assert lines[0]['threshold'] == 0.7 and lines[0]['matches'][0]['image'] == 1
    assert run('identify', 'g', 'both.jpg', '--largest')[1].count('\n') == 1


@pytest.mark.parametrize('image, said', [('none.jpg', 'no face in none.jpg'), ('torn.jpg', 'skipped:'),
                                         ('missing.jpg', 'No such file')])
def test_images_without_a_face_are_told_of(run, enrolled, image, said):
    status, out, err = run('identify', 'g', image, 'ann.jpg')
    assert status == 1 and said in err and 'Ann Lee' in out
    status, out, err = run('enroll', 'g', 'New', 'ann.jpg', image)
    assert status == 2 and err.startswith('error: ') and err.count('\n') == 1
    assert 'New' not in run('gallery', 'list', 'g')[1]


def test_several_faces_where_one_is_asked_are_refused_unless_the_largest_is_meant(run, enrolled):
    status, _, err = run('enroll', 'g', 'New', 'both.jpg')
    assert status == 2 and '2 faces in both.jpg' in err
    assert run('enroll', 'g', 'New', 'both.jpg', '--largest')[0] == 0


def test_without_a_threshold_there_is_no_verdict(run, enrolled, monkeypatch):
    monkeypatch.setattr(StandIn, 'limit', None)
    for argv in (['identify', 'g', 'stranger.jpg'], ['gallery', 'verify', 'g', 'Ann Lee', 'ann.jpg']):
        status, out, err = run(*argv)
        assert status == 2 and 'no verdict' in out + err
        assert run(*argv, '--threshold', '0.5')[0] in (0, 1)


def test_many_people_and_a_lax_threshold_are_warned_of(run, enrolled, monkeypatch):
    monkeypatch.setattr(StandIn, 'limit', dict(threshold=0.3, far=0.05, source='drawn'))
    assert 'a stranger is taken for one of 2 people in about 10%' in run('identify', 'g', 'ann.jpg')[2]


def test_a_person_is_verified_renamed_and_deleted_without_a_trace(run, enrolled, folder):
    assert run('gallery', 'verify', 'g', 'Ann Lee', 'ann.jpg')[0] == 0
    status, out, _ = run('gallery', 'verify', 'g', 'Ann Lee', 'bob.jpg', '--json')
    assert status == 1 and json.loads(out)['same'] is False
    assert run('gallery', 'rename', 'g', '张伟', 'Bob')[0] == 0
    assert run('gallery', 'delete', 'g', 'Ann Lee')[0] == 0
    assert b'Ann Lee' not in b''.join(file.read_bytes() for file in folder.glob('g*'))
    assert run('gallery', 'list', 'g', '--json')[1] == '{"name": "Bob", "images": 1}\n'
    assert run('gallery', 'delete', 'g', 'Ann Lee') == (
        2, '', "error: nobody is enrolled as 'Ann Lee' in g: mlaface gallery list shows who is\n")


def test_a_gallery_is_looked_after(run, enrolled):
    assert run('gallery', 'check', 'g') == (0, 'g: 2 people and 2 images are whole\n', '')
    info = json.loads(run('gallery', 'info', 'g', '--json')[1])
    assert (info['people'], info['images'], info['model']['name'], info['sealing']) == (2, 2, 'tested', 'crc32')
    assert 'not encrypted' in run('gallery', 'info', 'g')[1]
    assert run('gallery', 'export', 'g', 'g.jsonl')[0] == 0 and run('gallery', 'import', 'h', 'g.jsonl')[0] == 0
    with Gallery.open('g') as first, Gallery.open('h') as second:
        kept = [[(e.name, e.metadata, e.picture) for _, e in each.enrolments()] for each in (first, second)]
    assert kept[0] == kept[1] == [('Ann Lee', dict(door=3), None), ('张伟', None, b'2')]
    assert run('gallery', 'compact', 'g')[0] == 0


def test_embeddings_in_place_of_images(run, folder):
    np.savez('in.npz', names=['a', 'b', 'a'], embeddings=np.stack([person(n) for n in (1, 2, 3)]),
             model=json.dumps(MODEL))
    np.savez('probes.npz', embeddings=np.stack([person(2), person(9)]), names=['first', 'second'])
    np.savez('one.npz', embeddings=person(1)[None], sha256=MODEL['sha256'])
    assert run('enroll', 'g', '--embeddings', 'in.npz') == (0, '3 images enrolled in g\n', '')
    status, out, _ = run('identify', 'g', '--embeddings', 'probes.npz', '--threshold', '0.7')
    assert status == 1 and out == 'first: b (1.000)\nsecond: nobody who is enrolled\n'
    assert run('gallery', 'verify', 'g', 'a', '--embeddings', 'one.npz', '--threshold', '0.7')[0] == 0
    np.savez('one.npz', embeddings=person(1)[None], sha256='00' * 32)
    status, _, err = run('identify', 'g', '--embeddings', 'one.npz', '--threshold', '0.7')
    assert status == 2 and 'of a model of sha256 000000000000' in err
    np.savez('in.npz', names=['a'], embeddings=person(1)[None])
    assert 'does not say which model' in run('enroll', 'new', '--embeddings', 'in.npz')[2]
    assert not (folder / 'new').exists()


def test_a_folder_of_people(run, folder):
    for name in ('Ann', 'Bob'):
        (folder / 'people' / name).mkdir(parents=True)
    (folder / 'people/Ann/1.jpg').write_text('1')
    (folder / 'people/Ann/2.jpg').write_text('')
    (folder / 'people/Bob/1.jpg').write_text('2')
    status, out, err = run('enroll', 'g', '--people', 'people')
    assert status == 1 and out == '2 people, 2 images enrolled in g\n' and 'no face in people/Ann/2.jpg' in err


def test_the_same_call_again_skips_what_is_there(run, folder):
    for name in ('Ann', 'Bob'):
        (folder / 'people' / name).mkdir(parents=True)
        (folder / 'people' / name / '1.jpg').write_text(str(len(name) + ord(name[0])))
    assert run('enroll', 'g', '--people', 'people')[:2] == (0, '2 people, 2 images enrolled in g\n')
    (folder / 'people/Bob/2.jpg').write_text('9')
    assert run('enroll', 'g', '--people', 'people') == (
        0, '1 people, 1 image enrolled in g, 2 skipped that were there already\n', '')
    assert run('enroll', 'g', 'Bob', 'people/Bob/2.jpg')[1] == (
        'Bob: 0 images enrolled in g, 1 skipped that were there already\n')
    assert run('gallery', 'export', 'g', 'g.jsonl')[0] == 0
    assert run('gallery', 'import', 'new', 'g.jsonl')[1] == '3 images enrolled in new\n'
    assert run('gallery', 'import', 'new', 'g.jsonl')[1] == (
        '0 images enrolled in new, 3 skipped that were there already\n')
    assert run('gallery', 'list', 'g')[1] == '     1  Ann\n     2  Bob\n'


def test_another_model_and_an_empty_gallery(run, enrolled, monkeypatch):
    Gallery.open('empty', MODEL, create=True).close()
    status, out, err = run('identify', 'empty', 'ann.jpg')
    assert status == 1 and 'nobody' in out and 'nobody is enrolled in empty' in err
    monkeypatch.setattr(StandIn, 'model', {**MODEL, 'name': 'newer', 'sha256': '12' * 32})
    for command in (['identify', 'g', 'ann.jpg'], ['enroll', 'g', 'x', 'ann.jpg']):
        status, _, err = run(*command)
        assert status == 2 and 'tested' in err and 'newer' in err and err.count('\n') == 1
    monkeypatch.setattr(StandIn, 'model', {**MODEL, 'sha256': None})
    assert 'no file with a SHA-256' in run('enroll', 'new', 'x', 'ann.jpg')[2]


def test_an_encrypted_gallery_by_a_key_file(run, folder):
    pytest.importorskip('cryptography', reason='cryptography is not installed')
    (folder / 'key').write_text(KEY.hex())
    assert run('enroll', 'g', 'Ann Lee', 'ann.jpg', '--key-file', 'key')[0] == 0
    assert b'Ann' not in (folder / 'g').read_bytes()
    assert run('identify', 'g', 'ann.jpg', '--key-file', 'key')[0] == 0
    status, _, err = run('identify', 'g', 'ann.jpg')
    assert status == 2 and 'is encrypted' in err


@pytest.mark.parametrize('argv', [['enroll', 'g'], ['enroll', 'g', 'Ann'], ['enroll', 'g', 'Ann', '--people', '.'],
                                  ['identify', 'g'], ['gallery', 'verify', 'g', 'Ann'], ['identify', 'none', 'ann.jpg'],
                                  ['gallery', 'list', 'none'], ['gallery', 'info', 'ann.jpg']])
def test_what_cannot_be_done_is_said_in_a_line(run, argv):
    status, out, err = run(*argv)
    assert status == 2 and not out and err.startswith('error: ') and err.count('\n') == 1
