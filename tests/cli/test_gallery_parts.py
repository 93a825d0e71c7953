"""What the commands on galleries share: which face an image is for, embeddings of files, and a word of warning."""
from types import SimpleNamespace

import numpy as np
import pytest

from mlaface.cli.parts.fetching import fetched
from mlaface.cli.parts.gallery import file_of, given_embeddings, one_face, open_gallery, warn_of_strangers
from mlaface.utils.errors import InputError, UnknownNameError

MODEL = dict(name='best.onnx', sha256='ab' * 32, embedding_size=4)


def test_an_image_is_for_one_face():
    assert one_face('a.jpg', ['only']) == 'only' and one_face('a.jpg', ['large', 'small'], largest=True) == 'large'
    with pytest.raises(InputError, match='no face in a.jpg'):
        one_face('a.jpg', [])
    with pytest.raises(InputError, match='2 faces in a.jpg.*--largest'):
        one_face('a.jpg', ['large', 'small'])


@pytest.mark.parametrize('arrays, message', [
    (dict(rows=np.ones((2, 4))), 'lacks embeddings; it holds rows'),
    (dict(embeddings=np.ones((2, 4)), names=np.array(['ann'])), '1 names for 2 embeddings'),
    (dict(embeddings=np.ones((2, 4)), sha256=np.array('cd' * 32)), 'of a model of sha256 cdcdcdcdcdcd')])
def test_embeddings_that_do_not_belong_here_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / 'e.npz', **arrays)
    with pytest.raises(InputError, match=f'e.npz.*{message}'):
        given_embeddings(str(tmp_path / 'e.npz'), MODEL)


@pytest.mark.parametrize('names, expected', [(None, ['0', '1']), (['ann', 'bea'], ['ann', 'bea'])])
def test_rows_without_names_are_numbered(names, expected, tmp_path):
    rows = np.eye(2, 4, dtype=np.float32)
    named = {} if names is None else dict(names=np.array(names), sha256=np.array(MODEL['sha256']))
    np.savez(tmp_path / 'e.npz', embeddings=rows, **named)
    found, read = given_embeddings(str(tmp_path / 'e.npz'), MODEL)
    assert found == expected and np.array_equal(read, rows)


@pytest.mark.parametrize('far, people, told', [(1e-4, 100, False), (None, 10 ** 6, False), (1e-3, 1000, True)])
def test_a_threshold_for_pairs_is_too_low_for_many_people(far, people, told, capsys):
    warn_of_strangers(far, people)
    printed = capsys.readouterr().err
    assert ('63% of searches' in printed and '1,000 people' in printed) == told == bool(printed)


def test_a_gallery_is_bound_to_a_file(tmp_path):
    with pytest.raises(InputError, match='mine:embed is no file with a SHA-256'):
        open_gallery(SimpleNamespace(gallery=str(tmp_path / 'g'), key_file=None), dict(name='mine:embed', sha256=None))
    assert not list(tmp_path.iterdir())


def test_only_a_file_can_be_kept(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(b'image')
    assert file_of(str(tmp_path / 'a.jpg')) == b'image'
    with pytest.raises(InputError, match='0 is no file, so that --keep-images cannot keep it'):
        file_of('0')


def test_a_model_is_copied_where_it_is_wanted_and_only_by_name(tmp_path):
    copy = fetched('mla_r18w025_drawn', tmp_path)
    before = copy.stat().st_mtime_ns
    assert copy.parent == tmp_path and copy.stat().st_size > 1e6
    assert fetched('mla_r18w025_drawn', tmp_path) == copy and copy.stat().st_mtime_ns >= before
    assert [path.name for path in tmp_path.iterdir()] == [copy.name], 'nothing half written'
    with pytest.raises(UnknownNameError):
        fetched('mla_r18w025_drwan')
