"""What is no request for faces, is too much, or comes at the wrong moment: a status, a code and a line."""
import os
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from mlaface.cli.main import main
from mlaface.gallery.gallery import Gallery
from mlaface.serve.galleries import try_place
from mlaface.utils.errors import UserError
from tests.serve.served import Grid, encoded, png, send, served


def refused(answer, status, code):
    """Check an error's answer; gives its message."""
    assert answer.status_code == status, answer.text
    error = answer.json()['error']
    assert error['code'] == code and len(error['message'].splitlines()) == 1 and set(answer.json()) == {'error'}
    return error['message']


def bomb():
    """A PNG of 50,000 x 50,000 pixels in a few bytes."""
    def chunk(name, data):
        return len(data).to_bytes(4, 'big') + name + data + zlib.crc32(name + data).to_bytes(4, 'big')
    head = (50_000).to_bytes(4, 'big') * 2 + bytes([8, 0, 0, 0, 0])
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(bytes(9))) + chunk(b'IEND', b'')


FACE = np.random.default_rng(0).integers(1, 255, (112, 112, 3), dtype=np.uint8)
BAD = dict(text=(b'hello', 415, 'unsupported_media_type'), empty=(b'', 415, 'unsupported_media_type'),
           pickle=(b'\x80\x04\x95\x10', 415, 'unsupported_media_type'),
           path=(b'/etc/passwd', 415, 'unsupported_media_type'),
           address=(b'http://127.0.0.1/secret.jpg', 415, 'unsupported_media_type'),
           heic=(b'\0\0\0\x18ftypheic' + bytes(50), 415, 'unsupported_media_type'),
           svg=(b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, 'unsupported_media_type'),
           head_alone=(b'\xff\xd8\xff\xe0', 422, 'unreadable_image'),
           torn=(encoded(FACE, 'JPEG')[:1500], 422, 'unreadable_image'),
           torn_png=(png(FACE)[:9000], 422, 'unreadable_image'),
           bomb=(bomb(), 413, 'too_many_pixels'), point=(png(FACE[:1, :1]), 422, 'no_face'),
           large=(png(np.zeros((2000, 3001, 3), np.uint8)), 413, 'too_many_pixels'),
           no_face=(png(np.zeros((112, 112, 3), np.uint8)), 422, 'no_face'),
           white=(png(np.full((112, 112, 3), 255, np.uint8)), 500, 'internal_error'))


@pytest.fixture
def small(tmp_path):
    """A client of an application that takes 6 million pixels and 300 kB."""
    app = served(tmp_path / 'g', pixels=6_000_000, body=300_000, faces=2, files=2)
    with TestClient(app, base_url='http://localhost', raise_server_exceptions=False) as opened:
        yield opened


@pytest.mark.parametrize('kind', BAD)
def test_what_is_no_face_is_refused(kind, small):
    data, status, code = BAD[kind]
    said = refused(send(small, 'compare', first=data, second=png(FACE)), status, code)
    assert 'first' in said or kind == 'white'
    refused(send(small, 'enroll', image=data, name='Ann'), status, code)
    assert small.get('/v1/people').json() == dict(people=[])


@pytest.mark.parametrize('kind', ['grey', '16 bits', 'RGBA', 'CMYK', 'palette', 'animated', 'rotated', 'WEBP', 'BMP',
                                  'TIFF'])
def test_images_of_all_kinds_are_read(kind, small):
    face = Image.fromarray(FACE)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {'grey': lambda: encoded(face.convert('L'), 'PNG'),
            '16 bits': lambda: encoded(FACE[..., 0].astype(np.uint16) * 257, 'PNG'),
            'RGBA': lambda: encoded(face.convert('RGBA'), 'PNG'), 'CMYK': lambda: encoded(face.convert('CMYK'), 'JPEG'),
            'palette': lambda: encoded(face.convert('P'), 'GIF'),
            'animated': lambda: encoded(face, 'GIF', save_all=True, append_images=[face.rotate(90)]),
            'rotated': lambda: encoded(np.concatenate([FACE, 0 * FACE]), 'JPEG', exif=exif)
            }.get(kind, lambda: encoded(face, kind))()
    found = send(small, 'detect', image=data).json()
    assert len(found['faces']) == 1, found
    assert (found['width'], found['height']) == ((224, 112) if kind == 'rotated' else (112, 112))


def test_several_faces_where_one_is_asked(small):
    assert 'largest=true' in refused(send(small, 'enroll', image=png(FACE, FACE), name='Ann'), 422, 'several_faces')
    assert send(small, 'enroll', '?largest=true', image=png(FACE, FACE), name='Ann').status_code == 201
    refused(send(small, 'embed', image=png(FACE, FACE, FACE)), 422, 'too_many_faces')


def test_bodies_that_are_too_large(small):
    refused(send(small, 'detect', image=bytes(400_000)), 413, 'too_large')

    def endless():
        for _ in range(1000):
            yield bytes(1000)
    refused(small.post('/v1/detect', content=endless(), headers={'content-type': 'image/png'}), 413, 'too_large')


@pytest.mark.parametrize('content, kind, status, code', [
    (b'{}', 'application/json', 415, 'unsupported_media_type'), (b'x', '', 415, 'unsupported_media_type'),
    (b'a=1', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'),
    (b'x', 'multipart/form-data', 400, 'bad_form'), (b'x', 'multipart/form-data; boundary=b', 400, 'bad_form'),
    (b'--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--', 'multipart/form-data; boundary=b', 400, 'bad_form'),
    (b'--b--', 'multipart/form-data; boundary=b', 422, 'missing_image')])
def test_bodies_that_are_none(content, kind, status, code, small):
    refused(small.post('/v1/detect', content=content, headers={'content-type': kind}), status, code)


def test_a_compressed_body(small):
    headers = {'content-type': 'image/png', 'content-encoding': 'gzip'}
    refused(small.post('/v1/detect', content=png(FACE), headers=headers), 415, 'unsupported_media_type')


@pytest.mark.parametrize('fields, code', [
    (dict(), 'missing_name'), (dict(name=' '), 'missing_name'), (dict(name='Ann\nLee'), 'not_kept'),
    (dict(name='x' * 501), 'not_kept'), (dict(name='Ann', metadata='{'), 'bad_json'),
    (dict(name='Ann', metadata='[1]'), 'bad_json'), (dict(name='Ann', metadata='{"x": NaN}'), 'not_kept'),
    (dict(name='Ann', metadata='[' * 50_000), 'bad_json'), (dict(name='Ann', other='/etc/passwd'), 'unknown_field')])
def test_fields_that_cannot_be_kept(fields, code, small):
    answer = small.post('/v1/enroll', files=dict(image=png(FACE)), data=fields)
    assert answer.status_code in (400, 422) and answer.json()['error']['code'] in (code, 'bad_form')
    assert small.get('/v1/people').json() == dict(people=[])


def test_more_images_than_are_taken(small):
    refused(send(small, 'enroll', image=[png(FACE)] * 3, name='Ann'), 400, 'bad_form')
    refused(send(small, 'detect', image=png(FACE), other=png(FACE)), 400, 'bad_form')
    refused(send(small, 'detect', other=png(FACE)), 422, 'unknown_field')
    refused(send(small, 'compare', first=[png(FACE)] * 2), 422, 'missing_image')


@pytest.mark.parametrize('endpoint, named, code', [
    ('identify', dict(aligned='true'), 400), ('enroll', dict(name='Ann', aligned='true'), 422)])
def test_an_option_in_the_form_is_sent_to_the_address(endpoint, named, code, small):
    answer = small.post(f'/v1/{endpoint}', files=dict(image=png(FACE)), data=named)
    assert answer.status_code == code
    assert answer.json()['error']['message'].endswith('Options stand in the address: ?NAME=VALUE')


@pytest.mark.parametrize('query', ['threshold=2', 'threshold=nan', 'far=0', 'far=x', 'aligned=perhaps'])
def test_parameters_that_are_none(query, small):
    said = refused(send(small, 'compare', f'?{query}', first=png(FACE), second=png(FACE)), 422, 'bad_parameter')
    assert query.partition('=')[0] in said


def test_a_parameter_that_no_endpoint_has(small):
    answer = send(small, 'compare', '?treshold=0.9', first=png(FACE), second=png(FACE))
    assert answer.status_code == 422 and "no parameter 'treshold'; it has far, threshold" in answer.text


@pytest.mark.parametrize('query', ['k=0', 'k=1000', 'score=worst'])
def test_parameters_of_a_search_that_are_none(query, small):
    refused(send(small, 'identify', f'?{query}', image=png(FACE)), 422, 'bad_parameter')


def test_a_rate_that_was_not_calibrated(small):
    assert '1e-2, 1e-3' in refused(send(small, 'identify', '?far=1e-9', image=png(FACE)), 422, 'no_threshold')


def test_what_is_not_there(small):
    refused(small.get('/v2/people'), 404, 'not_found')
    refused(small.get('/v1/detect'), 405, 'method_not_allowed')
    refused(small.get('/page/..%2f__init__.py'), 404, 'not_found')
    refused(small.get('/page/docs.jinja'), 404, 'not_found')
    refused(small.delete('/v1/people/Ann'), 404, 'no_such_person')
    refused(small.get('/v1/people/Ann'), 404, 'no_such_person')


def test_a_gallery_of_another_model(tmp_path):
    with TestClient(served(tmp_path), base_url='http://localhost') as client:
        assert send(client, 'enroll', image=png(FACE), name='Ann').status_code == 201
    with TestClient(served(tmp_path, Grid('6' * 64)), base_url='http://localhost') as client:
        for answer in (send(client, 'enroll', image=png(FACE), name='Bob'), send(client, 'identify', image=png(FACE)),
                       client.get('/v1/people')):
            said = refused(answer, 409, 'another_model')
            assert '5' * 12 in said and '6' * 12 in said and str(tmp_path) not in said


def test_a_model_to_which_no_gallery_can_be_bound(tmp_path):
    with TestClient(served(tmp_path, Grid(None)), base_url='http://localhost') as client:
        assert 'SHA-256' in refused(send(client, 'enroll', image=png(FACE), name='Bob'), 409, 'no_gallery')
        assert 'SHA-256' in client.get('/v1/model').json()['gallery']['reason']


def test_a_full_disk(client, monkeypatch):
    import sqlite3

    from mlaface.gallery.engines.sqlite import SqliteEngine
    assert send(client, 'enroll', image=png(FACE), name='Ann').status_code == 201

    def full(self, rows):
        with self._explained():
            raise sqlite3.OperationalError('database or disk is full')
    monkeypatch.setattr(SqliteEngine, 'add_images', full)
    said = refused(send(client, 'enroll', image=png(FACE), name='Bob'), 507, 'disk_full')
    assert 'make room' in said and os.sep not in said
    assert client.get('/v1/people').json()['people'] == [dict(name='Ann', images=1)]


def test_a_damaged_gallery(tmp_path, client):
    (tmp_path / 'galleries').mkdir()
    (tmp_path / 'galleries/default.gallery').write_bytes(b'junk' * 1000)
    answer = send(client, 'enroll', image=png(FACE), name='Ann')
    assert answer.status_code in (409, 422) and str(tmp_path) not in answer.text


def test_a_mistake_of_ours_tells_nothing_of_what_was_sent(client, monkeypatch, caplog):
    def broken(self):
        raise RuntimeError('broken')
    monkeypatch.setattr(Gallery, 'people', broken)
    client._transport.raise_server_exceptions = False
    refused(client.get('/v1/people'), 500, 'internal_error')
    assert 'broken' in caplog.text


@pytest.mark.parametrize('data, said', [
    (b'\0\0\0\x1cftypavif\0\0\0\0avifmif1' + bytes(64), 'this is AVIF'),
    (b'\0\0\0\x1cftypmif1\0\0\0\0mif1avif' + bytes(64), 'this is AVIF'),
    (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(64), 'this is HEIC'),
    (b'\0\0\0\x18ftypisom\0\0\0\0isommp42' + bytes(64), 'no known format;')],
    ids=['AVIF', 'AVIF as mif1', 'HEIC', 'video'])
def test_formats_of_phones_are_called_by_their_name(data, said, small):
    assert said in refused(send(small, 'detect', image=data), 415, 'unsupported_media_type')


@pytest.mark.parametrize('place, said', [
    ('file', 'file: no folder to keep people in'), ('file/below', 'file/below: no folder to keep people in'),
    ('mysql://host/x', 'people are kept in a folder, or at postgresql://USER@HOST/DATABASE')])
def test_a_wrong_place_of_galleries_is_told_at_the_start(place, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    with pytest.raises(SystemExit) as end:
        main(['serve', '--port', '0', '--galleries', place])
    err = capsys.readouterr().err
    assert end.value.code == 2 and said in err and err.count('\n') == 1 and [*tmp_path.iterdir()] == [tmp_path / 'file']


def test_a_database_that_does_not_answer_is_told_at_the_start(capsys):
    pytest.importorskip('psycopg', reason='psycopg is not installed')
    with pytest.raises(UserError, match='no database at 127.0.0.1:1/faces: .*refused'):
        try_place('postgresql://somebody:secret@127.0.0.1:1/faces')


def test_a_folder_of_galleries_is_made_at_the_start(tmp_path):
    try_place(tmp_path / 'a' / 'b')
    assert (tmp_path / 'a' / 'b').is_dir()
