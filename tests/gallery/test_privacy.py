"""What is in the files: nothing of a deleted person, and nothing that can be read of an encrypted gallery."""
from pathlib import Path

import numpy as np
import pytest

from mlaface.gallery import Gallery
from mlaface.gallery.sealing import Checked, Encrypted, read_key
from mlaface.utils.errors import InputError, UserError
from tests.gallery.people import KEY, MODEL, person

PICTURE = bytes(range(256)) * 300  # more than a page, so that it lies in pages of its own


def traces(folder, name, *embeddings):
    """Which files hold a name, a part of an embedding, of metadata or of the picture."""
    needles = {name: name.encode(), 'metadata': b'secret-of-her', 'picture': PICTURE[3:67],
               **{f'embedding {n}': row.astype('<f4').tobytes()[i:i + 16]
                  for n, row in enumerate(embeddings) for i in (0, 64, 160)}}
    return {(file.name, what) for file in folder.rglob('*') if file.is_file()
            for what, needle in needles.items() if needle in file.read_bytes()}


def enroll(gallery):
    for number in range(40):
        gallery.enroll(f'p{number}', person(number))
    for number in (100, 101):
        gallery.enroll('Ann Lee', person(number), dict(note='secret-of-her'), PICTURE)
    for number in range(40, 60):
        gallery.enroll(f'p{number}', person(number))


@pytest.mark.parametrize('while_open', [True, False])
def test_nothing_of_a_deleted_person_is_left_after_compaction(tmp_path, while_open):
    location, hers = tmp_path / 'people.gallery', (person(100), person(101))
    with Gallery.open(location, MODEL, create=True) as gallery:
        enroll(gallery)
        gallery.rename('Ann Lee', 'Ann Other')
        gallery.rename('Ann Other', 'Ann Lee')
        assert {what for _, what in traces(tmp_path, 'Ann Lee', *hers)} == {
            'Ann Lee', 'metadata', 'picture', 'embedding 0', 'embedding 1'}
        gallery.delete('Ann Lee')
        if while_open:
            gallery.compact()
            assert traces(tmp_path, 'Ann Lee', *hers) == traces(tmp_path, 'Ann Other') == set()
    if not while_open:
        with Gallery.open(location, MODEL) as gallery:
            gallery.compact()
    assert traces(tmp_path, 'Ann Lee', *hers) == traces(tmp_path, 'Ann Other') == set()
    with Gallery.open(location, MODEL) as gallery:
        assert len(gallery.people()) == 60 and gallery.check() == []


def test_nothing_of_a_deleted_person_is_left_in_the_tables_of_a_server(server):
    with Gallery.open(f'{server}#private', MODEL, create=True) as gallery:
        enroll(gallery)
        tables = Path(gallery.engine._run('SHOW data_directory').fetchone()[0], 'base')
        gallery.engine._run('CHECKPOINT')
        assert {'Ann Lee', 'metadata', 'embedding 0'} <= {what for _, what in traces(tables, 'Ann Lee', person(100))}
        gallery.delete('Ann Lee')
        gallery.compact()
        gallery.engine._run('CHECKPOINT')
        assert traces(tables, 'Ann Lee', person(100), person(101)) == set() and len(gallery.people()) == 60


def test_compaction_says_so_where_a_reader_keeps_the_log(local, tmp_path):
    local.engine.connection.execute('PRAGMA busy_timeout=50')
    local.enroll('Ann Lee', person(100))
    with Gallery.open(tmp_path / 'people.gallery') as reader:
        reader.engine.connection.execute('BEGIN')
        reader.people()
        local.delete('Ann Lee')
        with pytest.raises(UserError, match='another process'):
            local.compact()
        reader.engine.connection.execute('COMMIT')
        local.compact()
    assert traces(tmp_path, 'Ann Lee', person(100)) == set()


def test_no_image_is_stored_unless_it_is_given(local, tmp_path):
    local.enroll('a', person(1))
    assert local.engine.connection.execute('SELECT count(picture) FROM images').fetchone() == (0,)


class TestEncrypted:
    @pytest.fixture(autouse=True)
    def _package(self):
        pytest.importorskip('cryptography', reason='cryptography is not installed')

    def test_nothing_can_be_read_in_the_files(self, tmp_path):
        location = tmp_path / 'people.gallery'
        with Gallery.open(location, MODEL, create=True, key=KEY) as gallery:
            enroll(gallery)
            assert traces(tmp_path, 'Ann Lee', person(100), person(1)) == set()
            assert not [file for file in tmp_path.iterdir() if KEY in file.read_bytes()]
        assert traces(tmp_path, 'Ann Lee', person(100), person(1)) == set()

    @pytest.mark.parametrize('key, reason', [(None, 'is encrypted: give its key'), (bytes(32), 'another key')])
    def test_it_opens_with_its_key_only(self, tmp_path, key, reason):
        location = tmp_path / 'people.gallery'
        Gallery.open(location, MODEL, create=True, key=KEY).close()
        with pytest.raises(InputError, match=reason) as error:
            Gallery.open(location, MODEL, key=key)
        assert KEY.hex() not in str(error.value)

    def test_a_key_does_not_pretend_to_protect_what_is_not_encrypted(self, tmp_path):
        Gallery.open(tmp_path / 'people.gallery', MODEL, create=True).close()
        with pytest.raises(InputError, match='is not encrypted'):
            Gallery.open(tmp_path / 'people.gallery', MODEL, create=True, key=KEY)

    def test_rows_that_were_given_to_somebody_else_are_refused(self, tmp_path):
        with Gallery.open(tmp_path / 'people.gallery', MODEL, create=True, key=KEY) as gallery:
            gallery.enroll('a', person(1))
            gallery.enroll('b', person(2))
            gallery.engine.connection.execute('UPDATE images SET person = 3 - person')
            with pytest.raises(InputError, match='was changed'):
                gallery.identify(person(1))

    def test_the_same_name_and_embedding_look_different_in_two_galleries(self):
        first, second = Encrypted('one', KEY), Encrypted('two', KEY)
        assert first.person_key('a') != second.person_key('a') != first.person_key('b')
        assert first.seal(b'x', 'name', 1) != first.seal(b'x', 'name', 1)
        with pytest.raises(InputError):
            second.unseal(first.seal(b'x', 'name', 1), 'name', 1)


@pytest.mark.parametrize('sealed', [b'', b'abc', bytes(40)])
@pytest.mark.parametrize('kind', ['plain', 'encrypted'])
def test_torn_rows_are_refused_by_both_seals(kind, sealed):
    if kind == 'encrypted':
        pytest.importorskip('cryptography', reason='cryptography is not installed')
    seal = Checked('g') if kind == 'plain' else Encrypted('g', KEY)
    assert seal.unseal(seal.seal(b'data', 'name', 7), 'name', 7) == b'data'
    for what, owner in (('name', 8), ('embedding', 7)):
        with pytest.raises(InputError):
            seal.unseal(seal.seal(b'data', 'name', 7), what, owner)
    with pytest.raises(InputError):
        seal.unseal(sealed, 'name', 7)


def test_a_key_comes_from_a_file_or_the_environment_and_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.delenv('MLAFACE_GALLERY_KEY', raising=False)
    assert read_key() is None
    (tmp_path / 'key').write_text(KEY.hex() + '\n')
    assert read_key(tmp_path / 'key') == KEY
    monkeypatch.setenv('MLAFACE_GALLERY_KEY', KEY.hex().upper())
    assert read_key() == KEY
    monkeypatch.setenv('MLAFACE_GALLERY_KEY', 'open sesame')
    with pytest.raises(InputError, match='64 hexadecimal') as error:
        read_key()
    assert 'sesame' not in str(error.value)


def test_an_embedding_is_kept_as_it_was_given_but_for_its_length(local):
    local.enroll('a', 1000 * person(1).astype(np.float64))
    (_, kept), = local.enrolments()
    assert np.abs(kept.embedding - person(1)).max() <= 2 ** -24
