"""Who may ask, and what nobody reaches: another key's gallery, and a server without keys from elsewhere."""
import pytest
from starlette.testclient import TestClient

from mlaface.serve.gate import is_loopback
from mlaface.serve.keys import VARIABLE, Keys, digest_of, make_key
from mlaface.serve.server import check_reach
from mlaface.utils.errors import InputError
from tests.serve.served import png, send, served

NAMES = ('ann', 'bob', 'door')


@pytest.fixture
def keys(tmp_path):
    """Keys by name; that of the door may only read Ann's gallery."""
    file = tmp_path / 'keys'
    made = {name: make_key(file, 'ann' if name == 'door' else name, name == 'door') for name in NAMES}
    return file, {name: {'authorization': f'Bearer {key}'} for name, key in made.items()}


@pytest.fixture
def client(keys, tmp_path):
    app = served(tmp_path / 'galleries', keys=Keys.read(keys[0]))
    with TestClient(app, base_url='https://faces.example') as opened:
        yield opened


def test_a_key_reaches_its_own_gallery_only(client, keys, drawn):
    ann, bob, door = (keys[1][name] for name in NAMES)
    assert send(client, 'enroll', headers=ann, image=png(drawn[0][0]), name='Ada').status_code == 201
    assert client.get('/v1/people', headers=bob).json() == dict(people=[])
    found = send(client, 'identify', headers=bob, image=png(drawn[0][0])).json()
    assert found['people'] == 0 and found['faces'][0]['matches'] == []
    assert client.delete('/v1/people/Ada', headers=bob).status_code == 404
    assert client.get('/v1/people/Ada', headers=bob).status_code == 404
    for path in ('../ann.gallery/Ada', '..%2fann.gallery', 'ann/Ada'):
        assert client.delete(f'/v1/people/{path}', headers=bob).status_code == 404
    assert send(client, 'identify', headers=ann, image=png(drawn[0][0])).json()['faces'][0]['person'] == 'Ada'
    assert client.get('/v1/people', headers=door).json()['people'] == [dict(name='Ada', images=1)]


def test_a_key_that_may_only_read(client, keys, drawn):
    door = keys[1]['door']
    for answer in (send(client, 'enroll', headers=door, image=png(drawn[0][0]), name='Ada'),
                   client.delete('/v1/people/Ada', headers=door)):
        assert answer.status_code == 403 and answer.json()['error']['code'] == 'read_only'
    assert client.get('/v1/model', headers=door).json()['gallery'] == dict(name='ann', may_write=False, reason=None)


@pytest.mark.parametrize('headers', [{}, {'authorization': 'Bearer x'}, {'authorization': 'Basic abc'},
                                     {'x-api-key': ''}, {'x-api-key': 'ann'}, {'authorization': 'Bearer'}])
def test_without_a_known_key_nothing_is_done(headers, client, drawn):
    for answer in (send(client, 'detect', headers=headers, image=png(drawn[0][0])),
                   client.get('/metrics', headers=headers),
                   client.get('/v1/model', headers=headers), client.get('/v1/none', headers=headers)):
        assert answer.status_code == 401 and answer.headers['www-authenticate'] == 'Bearer'
    assert client.get('/health/ready').status_code == 200 and client.get('/').status_code == 200


def test_the_hash_of_a_key_is_no_key(client, keys):
    digest = keys[0].read_text().splitlines()[0].split(':')[2]
    assert client.get('/v1/people', headers={'x-api-key': digest}).status_code == 401


def test_both_headers_are_read(client, keys):
    key = keys[1]['ann']['authorization'].partition(' ')[2]
    assert client.get('/v1/people', headers={'x-api-key': key}).status_code == 200


def test_keys_are_kept_as_hashes_for_their_owner(keys):
    file, made = keys
    text = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600 and len(text.splitlines()) == 3
    for headers in made.values():
        key = headers['authorization'].partition(' ')[2]
        assert key not in text and digest_of(key) in text and len(key) >= 43


@pytest.mark.parametrize('name', ['../ann', 'Ann', '', 'a/b', 'a' * 64, 'a:b', '.', 'a\nb'])
def test_a_name_that_could_be_a_path_makes_no_key(name, tmp_path):
    with pytest.raises(InputError, match='cannot be the name of a key'):
        make_key(tmp_path / 'keys', name)
    with pytest.raises(InputError, match='line 1'):
        Keys(f'{name or "?"}:sha256:{"0" * 64}'.replace('\n', ' '))


@pytest.mark.parametrize('line', ['secret', 'ann:secret', f'ann:sha256:{"0" * 63}', f'ann:sha256:{"0" * 64}:all'])
def test_a_line_that_is_no_hash_is_refused_and_not_shown(line, tmp_path):
    (tmp_path / 'keys').write_text(f'# keys\n\n{line}\n')
    with pytest.raises(InputError, match='line 3 is no NAME:sha256:HASH') as error:
        Keys.read(tmp_path / 'keys')
    assert 'secret' not in str(error.value)
    (tmp_path / 'none').write_text('# nothing')
    with pytest.raises(InputError, match='holds no key'):
        Keys.read(tmp_path / 'none')


def test_keys_of_the_environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, f'ann:sha256:{digest_of("k")}')
    assert Keys.read().caller({'x-api-key': 'k'}).name == 'ann'


@pytest.mark.parametrize('host, own', [('127.0.0.1', True), ('localhost', True), ('::1', True), ('127.9.9.9', True),
                                       ('0.0.0.0', False), ('::', False), ('10.0.0.1', False), ('example.com', False),
                                       ('', False), (None, False), ('localhost.example.com', False)])
def test_without_keys_a_server_stays_on_its_machine(host, own):
    assert is_loopback(host) == own
    if own:
        check_reach(host, Keys())
    else:
        with pytest.raises(InputError, match='--keys FILE'):
            check_reach(host, Keys())
    check_reach(host, [1])


@pytest.mark.parametrize('headers, status', [
    ({}, 200), ({'origin': 'http://localhost'}, 200), ({'sec-fetch-site': 'same-origin'}, 200),
    ({'origin': 'http://evil.example'}, 403), ({'origin': 'null'}, 403), ({'sec-fetch-site': 'cross-site'}, 403),
    ({'sec-fetch-site': 'same-site'}, 403), ({'host': 'evil.example'}, 403),
    ({'host': '127.0.0.1:8000'}, 200), ({'host': '[::1]:8000'}, 200),
    ({'host': 'localhost@evil.example'}, 403), ({'host': '127.0.0.1.evil.example'}, 403)])
def test_without_keys_other_sites_cannot_use_the_browser_of_this_machine(headers, status, tmp_path):
    with TestClient(served(tmp_path), base_url='http://localhost') as client:
        for path in ('/v1/people', '/'):
            assert client.get(path, headers=headers).status_code == status
