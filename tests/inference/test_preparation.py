"""Photographs to folders of faces: rules, names, resuming after a kill at any byte, the page of what was dropped."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlaface.inference.dropped import write_page
from mlaface.inference.finder import FaceFinder
from mlaface.inference.preparation import LOCK, LOG, FaceRules, align_folder, distinct_stems, read_log
from mlaface.utils.errors import InputError, MissingDataError


@pytest.fixture
def photographs(tmp_path, drawn):
    """Two people's folders: one face, two faces, none, a torn file, two files that differ in their suffix."""
    images = {'ann/one.png': drawn[0][0], 'ann/two.png': np.concatenate([drawn[0][1], drawn[1][1]], axis=1),
              'ann/two.jpg': drawn[0][1], 'bob & co/none.png': np.zeros((50, 50, 3), np.uint8)}
    for name, image in images.items():
        (tmp_path / 'raw' / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / 'raw' / name), image[..., ::-1])
    (tmp_path / 'raw/bob & co/<b>.jpg').write_bytes(b'nothing')
    return tmp_path / 'raw'


def aligned(tiles, source, target, **rules):
    return {record['source']: record for record in align_folder(FaceFinder(tiles), source, target, FaceRules(**rules))}


def files(target):
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob('*')
            if path.is_file() and path.name != LOCK}


@pytest.mark.parametrize('rules, kept, dropped', [
    ({}, ['ann/one.jpg', 'ann/two.jpg.jpg', 'ann/two.png.jpg'], {}),
    (dict(choice='all'), ['ann/one.jpg', 'ann/two.jpg.jpg', 'ann/two.png.jpg', 'ann/two.png_1.jpg'], {}),
    (dict(choice='only'), ['ann/one.jpg', 'ann/two.jpg.jpg'], {'ann/two.png': 'several faces'}),
    (dict(min_size=113), [], dict.fromkeys(['ann/one.png', 'ann/two.png', 'ann/two.jpg'], 'smaller than asked')),
    (dict(min_sharpness=1e6), [], dict.fromkeys(['ann/one.png', 'ann/two.png', 'ann/two.jpg'], 'blurred'))])
def test_what_is_kept_and_why_the_rest_is_not(tiles, photographs, tmp_path, rules, kept, dropped):
    records = aligned(tiles, photographs, tmp_path / 'out', **rules)
    assert sorted(name for name in files(tmp_path / 'out') if name != LOG) == kept
    assert {name: record['dropped'] for name, record in records.items() if record['dropped']} == {
        **dropped, 'bob & co/none.png': 'no face', 'bob & co/<b>.jpg': 'cannot be read'}
    assert list(records.values()) == read_log(tmp_path / 'out')


def test_faces_are_the_crops(tiles, photographs, tmp_path, drawn):
    aligned(tiles, photographs, tmp_path / 'out')
    face = cv2.imread(str(tmp_path / 'out/ann/one.jpg'))[..., ::-1]
    assert np.abs(face.astype(int) - drawn[0][0]).mean() < 2


def test_a_run_that_was_cut_anywhere_goes_on_to_the_same_end(tiles, photographs, tmp_path):
    aligned(tiles, photographs, tmp_path / 'whole')
    log = (tmp_path / 'whole' / LOG).read_bytes()
    for length in (0, 10, *range(150, len(log), 97), len(log)):
        target = tmp_path / f'cut{length}'
        target.mkdir()
        (target / LOG).write_bytes(log[:length])
        done = max(log[:length].count(b'\n') - 1, 0)
        assert len(aligned(tiles, photographs, target)) == 5 - done
        assert (target / LOG).read_bytes() == log


def test_another_rule_is_refused_in_a_folder_that_was_begun(tiles, photographs, tmp_path):
    aligned(tiles, photographs, tmp_path / 'out')
    with pytest.raises(InputError, match='other settings'):
        aligned(tiles, photographs, tmp_path / 'out', min_size=1)
    with pytest.raises(MissingDataError, match='no images in'):
        aligned(tiles, tmp_path / 'nowhere', tmp_path / 'out2')


def test_the_page_shows_what_was_dropped(tiles, photographs, tmp_path):
    aligned(tiles, photographs, tmp_path / 'out')
    page = write_page(read_log(tmp_path / 'out'), photographs, tmp_path / 'out').read_text()
    assert '2 of 5 photographs gave no face' in page and 'cannot be read: 1' in page
    assert 'src="../raw/bob%20%26%20co/none.png"' in page and '<b>' not in page and '&lt;b&gt;.jpg' in page
    assert json.loads((tmp_path / 'out' / LOG).read_text().splitlines()[0])['rules']['choice'] == 'largest'


@pytest.mark.parametrize('target', ['photos', 'photos/out'])
def test_photographs_are_never_written_over(tiles, tmp_path, target):
    (tmp_path / 'photos').mkdir()
    cv2.imwrite(str(tmp_path / 'photos/a.jpg'), np.zeros((20, 20, 3), np.uint8))
    before = (tmp_path / 'photos/a.jpg').read_bytes()
    with pytest.raises(InputError, match='faces would take the place of photographs'):
        list(align_folder(FaceFinder(tiles), tmp_path / 'photos', tmp_path / target))
    assert (tmp_path / 'photos/a.jpg').read_bytes() == before and len(list((tmp_path / 'photos').iterdir())) == 1


@given(st.lists(st.from_regex(r'[ab2](_[12])?(\.jpg)?(_1)?\.(jpg|png|webp)', fullmatch=True), min_size=1, unique=True))
def test_no_face_takes_the_place_of_another(names):
    """Also not one of several of a photograph, which are numbered."""
    stems = distinct_stems(names)
    written = [f'{stems[name]}{number}.jpg' for name in names for number in ('', '_1', '_2')]
    assert len(set(written)) == len(written)
    if len(names) == 1:
        assert stems == {names[0]: str(Path(names[0]).with_suffix(''))}


def test_another_detector_in_a_folder_that_was_begun_is_refused(tiles, photographs, tmp_path):
    one, two = (dict(type='yunet', score=score) for score in (0.5, 0.9))
    assert len(list(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out', detector=one))) == 5
    assert not list(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out', detector=one))
    with pytest.raises(InputError, match=r'other settings .detector .*0\.5.*, now .*0\.9.*give the same, or'):
        list(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out', detector=two))
    log = tmp_path / 'out' / LOG
    settings, *lines = log.read_text().splitlines(keepends=True)
    log.write_text(json.dumps({key: value for key, value in json.loads(settings).items() if key != 'detector'})
                   + '\n' + ''.join(lines))  # as an earlier version wrote it
    assert not list(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out', detector=two))


def test_other_photographs_in_a_folder_that_was_begun_are_refused(tiles, photographs, tmp_path):
    aligned(tiles, photographs, tmp_path / 'out')
    before, other = files(tmp_path / 'out'), tmp_path / 'other'
    (other / 'ann').mkdir(parents=True)
    (other / 'ann/one.png').write_bytes((photographs / 'ann/two.jpg').read_bytes())  # taken for done by its name
    with pytest.raises(InputError, match=r'align.jsonl was made of the photographs in .*/raw, now .*/other: give'):
        aligned(tiles, other, tmp_path / 'out')
    assert files(tmp_path / 'out') == before
    (tmp_path / 'moved').mkdir()
    for name in ('raw', 'out'):
        (tmp_path / name).rename(tmp_path / 'moved' / name)
    assert not aligned(tiles, tmp_path / 'moved/raw', tmp_path / 'moved/out')
    (tmp_path / 'moved/raw').rename(tmp_path / 'raw')
    with pytest.raises(InputError, match=r'write "photographs": "../../raw" in the file\'s first line'):
        aligned(tiles, tmp_path / 'raw', tmp_path / 'moved/out')


def test_two_at_once_in_one_folder_are_one(tiles, photographs, tmp_path):
    first = align_folder(FaceFinder(tiles), photographs, tmp_path / 'out')
    next(first)
    with pytest.raises(InputError, match='out is being filled by another process: wait for it'):
        next(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out'))
    assert len(list(first)) == 4 and len(read_log(tmp_path / 'out')) == 5
    assert not list(align_folder(FaceFinder(tiles), photographs, tmp_path / 'out'))
