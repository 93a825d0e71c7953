"""Too much at once, too slow, too long: refused by the right status, and what was begun is finished."""
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from mlaface.serve.keys import Keys, digest_of
from tests.serve.served import Grid, png, served
from tests.serve.test_bad_requests import refused


@pytest.fixture
def held(running, tmp_path):
    """Starts a server whose network holds still until it is told; gives its address and the network."""
    networks = []

    def start(keys=None, **limits):
        network = Grid()
        server = running(served(tmp_path / 'galleries', network, keys, **limits))
        network.hold.clear()
        networks.append(network)
        return server, network
    yield start
    for network in networks:
        network.hold.set()


def post(url, face, path='embed', headers=None, **data):
    return httpx2.post(f'{url}/v1/{path}', files=dict(image=png(face)), data=data, headers=headers, timeout=30)


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def busy(server, count):
    until(lambda: server.server.config.app.metrics.busy._value.get() == count)


def test_above_the_queue_requests_are_told_to_come_again(held, drawn):
    server, network = held(queue=3)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(post, server.url, drawn[0][0]) for _ in range(3)]
        busy(server, 3)
        answer = post(server.url, drawn[0][0])
        assert 'come again' in refused(answer, 503, 'busy') and answer.headers['retry-after'] == '1'
        assert httpx2.get(f'{server.url}/health/ready').status_code == 200  # which is not the work's queue
        network.hold.set()
        assert [each.result().status_code for each in asked] == [200] * 3
    assert post(server.url, drawn[0][0]).status_code == 200


def test_one_key_cannot_take_all_places(held, drawn):
    keys = Keys('\n'.join(f'{name}:sha256:{digest_of(name)}' for name in ('ann', 'bob')))
    server, network = held(keys, queue=3, share=2)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(post, server.url, drawn[0][0], headers={'x-api-key': 'ann'}) for _ in range(2)]
        busy(server, 2)
        answer = post(server.url, drawn[0][0], headers={'x-api-key': 'ann'})
        refused(answer, 429, 'too_many_requests')
        assert answer.headers['retry-after'] == '1'
        asked.append(pool.submit(post, server.url, drawn[0][0], headers={'x-api-key': 'bob'}))
        busy(server, 3)
        network.hold.set()
        assert [each.result().status_code for each in asked] == [200] * 3


def test_what_takes_too_long_is_ended_and_its_place_is_free(held, drawn):
    server, network = held(seconds=0.5)
    refused(post(server.url, drawn[0][0]), 504, 'timeout')
    busy(server, 0)
    network.hold.set()
    assert post(server.url, drawn[0][0]).status_code == 200


def test_a_write_that_has_begun_is_waited_for_and_what_is_said_is_true(running, tmp_path, drawn, monkeypatch):
    from mlaface.gallery.gallery import Gallery
    enroll_new = Gallery.enroll_new
    monkeypatch.setattr(Gallery, 'enroll_new', lambda *given: time.sleep(1.5) or enroll_new(*given))
    server = running(served(tmp_path / 'galleries', seconds=1))
    assert post(server.url, drawn[0][0], 'enroll', name='Ann').status_code == 201
    assert httpx2.get(f'{server.url}/v1/people').json() == dict(people=[dict(name='Ann', images=1)])


@pytest.mark.parametrize('stated', [1000, 10 ** 12])
def test_a_body_that_does_not_come(stated, running, tmp_path):
    server = running(served(tmp_path, upload=0.5))
    with socket.create_connection(server.server.servers[0].sockets[0].getsockname(), timeout=10) as connection:
        connection.sendall(b'POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
                           b'Content-Length: %d\r\n\r\nabc' % stated)
        answer = b''
        while data := connection.recv(65536):
            answer += data
    assert answer.startswith(b'HTTP/1.1 408' if stated == 1000 else b'HTTP/1.1 413')
    assert b'slow_upload' in answer or b'too_large' in answer


def test_an_answer_is_not_held_back_by_the_network(running, tmp_path):
    server = running(served(tmp_path))
    with httpx2.Client() as client:
        client.get(f'{server.url}/health/live')
        connection, = server.server.server_state.connections
        own = connection.transport.get_extra_info('socket')
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_caller_who_goes_leaves_no_trace(running, tmp_path, caplog):
    server = running(served(tmp_path))
    with socket.create_connection(server.server.servers[0].sockets[0].getsockname(), timeout=10) as connection:
        connection.sendall(b'POST /v1/detect HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n'
                           b'Content-Length: 1000\r\n\r\nabc')
        busy(server, 1)
    busy(server, 0)
    assert not caplog.records


def test_what_is_in_flight_is_finished_before_the_server_ends(held, drawn):
    server, network = held()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(post, server.url, drawn[0][0], 'enroll', name=f'person {number}') for number in range(4)]
        busy(server, 4)
        ending = threading.Thread(target=server.stop)
        ending.start()
        until(lambda: _closed(server.url))
        network.hold.set()
        assert [each.result().status_code for each in asked] == [201] * 4
        ending.join(20)
    assert not ending.is_alive()


def _closed(url):
    try:
        httpx2.get(f'{url}/health/live', timeout=1)
    except httpx2.HTTPError:
        return True
    return False
