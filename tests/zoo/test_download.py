"""Downloads over a server that cuts, stalls, lies, redirects, and knows no ranges."""
import hashlib
import multiprocessing
import time

import numpy as np
import pytest

from mlaface.utils.errors import InputError, UserError
from mlaface.zoo.download import ATTEMPTS, DownloadError, download
from mlaface.zoo.mirror import fetch
from tests.zoo.server import Faults, certified, serve

BODY = np.random.default_rng(0).bytes(700_000)
HASH = hashlib.sha256(BODY).hexdigest()
FILES = {'/net.bin': BODY}


def get(address, folder, sha256=HASH, **more):
    return download(f'{address}/net.bin', folder / 'net.bin', sha256, pause=0.001, **{'timeout': 0.3, **more})


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != '.lock')


@pytest.mark.parametrize('faults, ranges', [
    ([], [None]),
    ([dict(cut=100_000), dict(cut=200_000)], [None, 'bytes=100000-', 'bytes=300000-']),
    ([dict(cut=100_000), dict(no_ranges=1)], [None, 'bytes=100000-']),
    ([dict(cut=100_000), dict(no_ranges=1, cut=50_000)], [None, 'bytes=100000-', 'bytes=50000-']),
    ([dict(cut=100_000), dict(other_range=1)], [None, 'bytes=100000-', None]),
    ([dict(stall=0.6)], [None, None]),
    ([dict(status=503), dict(status=429)], [None, None, None]),
    ([dict(length=len(BODY) + 1000)], [None, f'bytes={len(BODY)}-']),
    ([dict(length=500_000)], [None]),
    ([dict(cut=100_000), dict(no_length=1)], [None, 'bytes=100000-']),
    ([dict(redirect='/net.bin'), dict(redirect='/net.bin')], [None, None, None]),
], ids=str)
def test_the_file_arrives_whole(tmp_path, faults, ranges):
    faults = Faults(*faults)
    short = [fault for fault in faults.faults if fault.get('length', len(BODY)) < len(BODY)]
    with serve(FILES, faults) as address:
        if short:  # a server that states too little sends too little: what came is not the file
            with pytest.raises(InputError, match='is not the file that is wanted'):
                get(address, tmp_path)
            assert left(tmp_path) == []
            return
        assert get(address, tmp_path).read_bytes() == BODY
    assert [asked for _, asked, _ in faults.requests] == ranges and left(tmp_path) == ['net.bin']


@pytest.mark.parametrize('always, error, message', [
    (dict(body=b'x' + BODY[1:]), InputError, 'is not the file that is wanted: its SHA-256 is'),
    (dict(status=404), DownloadError, 'the server says 404'),
    (dict(redirect='file:///etc/passwd'), DownloadError, 'file:///etc/passwd.* is not allowed'),
    (dict(redirect='ftp://localhost/x'), InputError, 'which is not followed'),
    (dict(redirect='/net.bin'), DownloadError, 'infinite loop'),
    (dict(length=10**12), InputError, 'has 1,000,000,000,000 bytes, and 700,000 are wanted'),
    (dict(no_length=1, body=BODY + b'more'), InputError, 'sends more than 700,000 bytes'),
], ids=['content', 'missing', 'to a file', 'to ftp', 'in circles', 'too long', 'longer than stated'])
def test_what_is_wrong_is_said_in_one_line_and_nothing_has_the_final_name(tmp_path, always, error, message):
    with serve(FILES, Faults(always=always)) as address, pytest.raises(error, match=message) as caught:
        get(address, tmp_path, size=len(BODY))
    assert '\n' not in str(caught.value) and isinstance(caught.value, UserError)
    assert 'net.bin' not in left(tmp_path)


def test_a_server_that_never_answers_is_given_up_and_what_came_is_kept(tmp_path):
    faults = Faults(dict(cut=100_000, stall=0), always=dict(stall=1))
    with serve(FILES, faults) as address:
        with pytest.raises(DownloadError, match='no byte came for 0.05 seconds. 100,000 bytes are kept'):
            get(address, tmp_path, timeout=0.05)
        assert len(faults.requests) == 1 + ATTEMPTS and left(tmp_path) == ['net.bin.part']
        faults.always = {}
        assert get(address, tmp_path).read_bytes() == BODY
    assert faults.requests[-1][1] == 'bytes=100000-'


@pytest.mark.parametrize('there', [b'of another file', BODY + b'longer', BODY], ids=['other', 'longer', 'whole'])
def test_what_a_killed_process_left_is_checked(tmp_path, there):
    (tmp_path / 'net.bin.part').write_bytes(there)
    with serve(FILES) as address:
        assert get(address, tmp_path).read_bytes() == BODY


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(tmp_path):
    faults = Faults()
    with serve(FILES, faults) as address:
        get(address, tmp_path)
        get(address, tmp_path)
        assert len(faults.requests) == 1
        (tmp_path / 'net.bin').write_bytes(BODY[:-1])
        assert get(address, tmp_path, sha256=HASH[:8]).read_bytes() == BODY
    assert len(faults.requests) == 2


def _ask(address, folder, start, results):
    start.wait()
    results.put(hashlib.sha256(get(address, folder, timeout=20).read_bytes()).hexdigest())


def test_ten_processes_at_once_fetch_once(tmp_path):
    faults, context = Faults(dict(stall=0.3)), multiprocessing.get_context('fork')
    with serve(FILES, faults) as address:
        start, results = context.Event(), context.Queue()
        asking = [context.Process(target=_ask, args=(address, tmp_path, start, results)) for _ in range(10)]
        for process in asking:
            process.start()
        start.set()
        assert {results.get(timeout=60) for _ in asking} == {HASH}
        for process in asking:
            process.join()
    assert len(faults.requests) == 1


def test_a_full_disk_is_not_tried_again(tmp_path, monkeypatch):
    from mlaface.zoo import download as module
    calls = []

    def full(self, response, file, have, total):
        calls.append(have)
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(module._Transfer, '_copy', full)
    with serve(FILES) as address, pytest.raises(OSError, match='No space left'):
        get(address, tmp_path)
    assert calls == [0]


def test_progress_and_headers(tmp_path):
    seen, faults = [], Faults(dict(cut=300_000))
    with serve(FILES, faults) as address:
        get(address, tmp_path, headers={'Authorization': 'Bearer x'}, progress=lambda *bytes: seen.append(bytes))
    assert seen[-1] == (len(BODY), len(BODY)) and seen == sorted(seen)
    assert all(headers['Authorization'] == 'Bearer x' for *_, headers in faults.requests)


def test_a_key_stays_with_its_host(tmp_path):
    other = Faults()
    with serve(FILES, other) as second, serve(FILES, Faults(always=dict(redirect=f'{second}/net.bin'))) as first:
        get(first, tmp_path, headers={'Authorization': 'Bearer x'})
    assert 'Authorization' not in other.requests[0][2]


@pytest.mark.parametrize('url', ['file:///etc/passwd', 'ftp://host/x', 'net.bin', 'http:///x'])
def test_other_addresses_are_refused(tmp_path, url):
    with pytest.raises(InputError, match='no address to download from'):
        download(url, tmp_path / 'x', HASH)


def test_offline_only_the_cache_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv('MLAFACE_OFFLINE', '1')
    with serve(FILES, faults := Faults()) as address:
        with pytest.raises(DownloadError, match='MLAFACE_OFFLINE is set'):
            get(address, tmp_path)
        (tmp_path / 'net.bin').write_bytes(BODY)
        assert get(address, tmp_path) == tmp_path / 'net.bin' and not faults.requests


@pytest.mark.parametrize('kind', ['folder', 'file://', 'http', 'http without it', 'folder without it'])
def test_a_mirror_comes_first_and_is_not_believed(tmp_path, monkeypatch, kind):
    mirror, original, here = tmp_path / 'mirror', Faults(), tmp_path / 'here'
    mirror.mkdir()
    if 'without' not in kind:
        (mirror / 'net.bin').write_bytes(BODY)
    there = {f'/m/{path.name}': path.read_bytes() for path in mirror.iterdir()}
    with serve(FILES, original) as address, serve(there) as second:
        names = {'http': f'{second}/m/', 'file://': mirror.as_uri(), 'folder': str(mirror)}
        monkeypatch.setenv('MLAFACE_MIRROR', names[kind.partition(' ')[0]])
        assert fetch(f'{address}/net.bin', here / 'net.bin', HASH).read_bytes() == BODY
        assert len(original.requests) == ('without' in kind)
        with pytest.raises(InputError, match='is not the file'):
            fetch(f'{address}/net.bin', here / 'net2.bin', HASH[::-1]) if 'without' in kind else \
                fetch(f'{address}/net.bin', tmp_path / 'two' / 'net.bin', HASH[::-1])


def test_no_attempt_waits_long_for_its_turn(tmp_path):
    begun = time.monotonic()
    with serve(FILES, Faults(*[dict(cut=10_000)] * 20)) as address:
        get(address, tmp_path)
    assert time.monotonic() - begun < 60


# --- https ------------------------------------------------------------------------------------------------------------


def test_a_certificate_is_checked(tmp_path, monkeypatch):
    tls, authority = certified(tmp_path)
    with serve(FILES, faults := Faults(), tls=tls) as address:
        with pytest.raises(DownloadError, match='certificate is not trusted .*issuer.*SSL_CERT_FILE') as error:
            get(address, tmp_path / 'not')
        assert '\n' not in str(error.value) and not faults.requests
        monkeypatch.setenv('SSL_CERT_FILE', authority)
        assert get(address, tmp_path / 'trusted').read_bytes() == BODY
        faults.always = dict(redirect=address.replace('https', 'http') + '/net.bin')
        with pytest.raises(InputError, match='not from https to http'):
            get(address, tmp_path / 'moved')
