"""Galleries in a database: two servers share them, a key still reaches its own only, and nobody is told where it is."""
import re

import pytest
from starlette.testclient import TestClient

from mlaface.serve.keys import Keys, make_key
from tests.serve.served import png, send, served


@pytest.fixture
def keys(tmp_path):
    file = tmp_path / 'keys'
    return file, {name: {'x-api-key': make_key(file, name)} for name in ('front-door', '2nd')}


def clients(place, keys):
    return [TestClient(served(place, keys=Keys.read(keys[0])), base_url='https://faces.example') for _ in range(2)]


def test_two_servers_share_the_galleries_of_a_database(server, keys, drawn):
    front, second = keys[1].values()
    one, two = clients(server, keys)
    with one, two:
        assert send(one, 'enroll', headers=front, image=png(drawn[0][0]), name='Ada').status_code == 201
        found = send(two, 'identify', headers=front, image=png(drawn[0][0])).json()
        assert found['faces'][0]['person'] == 'Ada' and found['people'] == 1
        assert two.get('/v1/people', headers=second).json() == dict(people=[])
        assert two.delete('/v1/people/Ada', headers=front).status_code == 200
        found = send(one, 'identify', headers=front, image=png(drawn[0][0])).json()
        assert found['people'] == 0 and found['faces'][0]['matches'] == []


def test_a_database_that_is_away_is_said_and_its_place_is_not(keys, drawn, caplog):
    with clients('postgresql://someone@127.0.0.1:9/faces', keys)[0] as client:
        answer = send(client, 'enroll', headers=keys[1]['2nd'], image=png(drawn[0][0]), name='Ada')
    assert answer.status_code == 503 and answer.json()['error']['code'] == 'gallery_unavailable'
    assert not re.search('someone|127|faces', answer.json()['error']['message'])
    assert '127.0.0.1' in caplog.text
