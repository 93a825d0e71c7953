"""Sets over https from a server on loopback, whose certificate is trusted, or is not."""
import os
import subprocess
import sys

import pytest

from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.utils.errors import StoreError
from tests.datasets.store_sets import files_of, made
from tests.zoo.server import Faults, certified, serve

pytest.importorskip('aiohttp')
CLIENT = '''
import sys
from mlaface.datasets.sets.record_faces import RecordFaces
from mlaface.utils.errors import StoreError
from tests.datasets.store_sets import same
address, moved, local = sys.argv[1:]
print(same(RecordFaces(dict(address=f'{address}/records', attempts=1)), RecordFaces(f'{local}/records')))
try:
    RecordFaces(dict(address=f'{moved}/records', attempts=1))
except StoreError as error:
    print(error)
'''


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    return made(tmp_path_factory.mktemp('sets'))


def test_a_set_over_https_is_the_local_one(sets, tmp_path):
    """The environment names the authority before Python starts, as for a company's own server."""
    tls, authority = certified(tmp_path)
    with serve(files_of(sets), tls=tls) as address, serve({}, faults := Faults(), tls=tls) as moved:
        faults.always = dict(redirect='http://127.0.0.1/elsewhere')
        done = subprocess.run([sys.executable, '-c', CLIENT, address, moved, str(sets)], capture_output=True, text=True,
                              env={**os.environ, 'SSL_CERT_FILE': authority, 'MLAFACE_CACHE': str(tmp_path / 'cache')})
    same, refused = done.stdout.splitlines()
    assert same == 'True' and 'a redirect leads to http, which is not followed' in refused, done.stderr


@pytest.mark.parametrize('scheme', ['https', 's3'])
def test_a_server_that_is_not_trusted_ends_in_a_line(scheme, tmp_path, monkeypatch):
    if scheme == 's3':
        pytest.importorskip('s3fs')
    monkeypatch.setenv('MLAFACE_CACHE', str(tmp_path / 'cache'))
    tls, _ = certified(tmp_path)
    with serve({}, faults := Faults(), tls=tls) as address:
        stated = dict(https=dict(address=f'{address}/records'),
                      s3=dict(address='s3://bucket/records', options=dict(endpoint_url=address, anon=True)))
        with pytest.raises(StoreError, match='certificate is not trusted .*issuer.*SSL_CERT_FILE') as error:
            RecordFaces(dict(stated[scheme], pause=0.01))
    assert '\n' not in str(error.value) and 'attempts' not in str(error.value) and not faults.requests
