"""Galleries as files and back, and files that are torn, of another model, or not what they say."""
import json
import zipfile

import numpy as np
import pytest

from mlaface.gallery import Enrolment, Gallery
from mlaface.utils.errors import InputError
from tests.gallery.people import MODEL, SIZE, person


def content(gallery):
    return [(image.name, image.embedding.tobytes(), image.metadata, image.picture) for _, image in gallery.enrolments()]


@pytest.fixture
def filled(local):
    local.enroll_all([Enrolment('Zoë', person(1), dict(door=3)), Enrolment('a "b"\\', person(2)),
                      Enrolment('Zoë', person(3))])
    return local


@pytest.mark.parametrize('ending', ['.npz', '.jsonl'])
def test_what_is_exported_is_imported_bit_by_bit(filled, tmp_path, ending):
    file = tmp_path / f'out{ending}'
    if ending == '.jsonl':
        filled.enroll('pic', person(4), image=b'\0\xff')
    assert filled.export(file) == len(content(filled)) and file.stat().st_mode & 0o777 == 0o600
    with Gallery.open(tmp_path / 'other', MODEL, create=True) as other:
        assert other.import_(file) == len(content(filled)) and content(other) == content(filled)


def test_npz_does_not_lose_images_silently(filled, tmp_path):
    filled.enroll('pic', person(4), image=b'x')
    with pytest.raises(InputError, match='export to .jsonl'):
        filled.export(tmp_path / 'out.npz')
    assert not (tmp_path / 'out.npz').exists()


def test_names_and_embeddings_will_do(local, tmp_path):
    np.savez(tmp_path / 'in.npz', names=['a', 'b', 'a'], embeddings=np.stack([person(n) for n in range(3)]))
    assert local.import_(tmp_path / 'in.npz') == 3 and local.people() == {'a': 2, 'b': 1}


@pytest.mark.parametrize('ending', ['.npz', '.jsonl'])
def test_a_file_of_another_model_is_refused(filled, tmp_path, ending):
    filled.export(tmp_path / f'out{ending}')
    with Gallery.open(tmp_path / 'other', {**MODEL, 'sha256': 'ef' * 32}, create=True) as other:
        with pytest.raises(InputError, match='cannot be compared'):
            other.import_(tmp_path / f'out{ending}')
        assert other.people() == {}


@pytest.mark.parametrize('arrays, reason', [
    (dict(names=['a']), 'lacks embeddings'), (dict(names=['a', 'b'], embeddings=np.ones((1, SIZE))), r'names \(N,\)'),
    (dict(names=['a'], embeddings=np.ones((1, SIZE)), metadata=['{']), 'no JSON'),
    (dict(names=['a\nb'], embeddings=np.ones((1, SIZE))), 'control characters'),
    (dict(names=['a'], embeddings=np.ones((1, SIZE)), model='[]'), 'its model lacks'),
    (dict(names=['a'], embeddings=np.ones((1, SIZE)), sha256='00' * 32), 'another model'),
    (dict(names=np.array(['a', None], object), embeddings=np.ones((2, SIZE))), 'plain arrays')])
def test_archives_that_do_not_fit_are_refused_whole(local, tmp_path, arrays, reason):
    np.savez(tmp_path / 'in.npz', **arrays)
    with pytest.raises(ValueError, match=reason) as error:
        local.import_(tmp_path / 'in.npz')
    assert '\n' not in str(error.value) and local.people() == {}


def test_an_archive_whose_names_climb_writes_nothing_anywhere(local, tmp_path):
    inside = tmp_path / 'inside'
    inside.mkdir()
    with zipfile.ZipFile(inside / 'in.npz', 'w') as archive:
        archive.writestr('../../climbed.npy', b'x')
        archive.writestr('/climbed.npy', b'x')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(ValueError, match='plain arrays|lacks'):
        local.import_(inside / 'in.npz')
    assert sorted(tmp_path.rglob('*')) == before


HEAD = json.dumps(dict(mlaface_gallery=1, model=MODEL))


@pytest.mark.parametrize('text, reason', [
    ('', 'line 1'), ('[]', 'line 1'), ('{"mlaface_gallery": 2}', 'line 1'), (HEAD + '\n{"name": "a"}', 'line 2'),
    (HEAD + '\n{"name": "a", "embedding": "AAAA', 'line 2 is torn'),
    (HEAD + '\n{"name":"a","embedding":"!"}', 'line 2'),
    (HEAD + '\n{"name": "a", "embedding": "AACAPw=="}', 'shape'), (HEAD + '\n"text"', 'line 2')])
def test_torn_lines_are_named_and_nothing_is_enrolled(local, tmp_path, text, reason):
    (tmp_path / 'in.jsonl').write_text(text)
    with pytest.raises(InputError, match=reason):
        local.import_(tmp_path / 'in.jsonl')
    assert local.people() == {}


def test_other_endings_are_refused(local, tmp_path):
    for call in (local.export, local.import_):
        with pytest.raises(InputError, match=r'\.npz or \.jsonl'):
            call(tmp_path / 'out.pkl')
