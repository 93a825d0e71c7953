"""Galleries on every engine that can be tested here, of small embeddings that are known."""
import itertools
import os

import pytest

from mlaface.gallery import Gallery
from tests.gallery.people import KEY, MODEL
from tests.gallery.server import find_server, running_server

_numbers = itertools.count()


@pytest.fixture(scope='session')
def server(tmp_path_factory):
    """URL of a PostgreSQL server that runs for the session."""
    pytest.importorskip('psycopg', reason="psycopg is not installed: pip install 'mlaface[postgresql]'")
    if find_server() is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'a PostgreSQL server is required: apt-get install postgresql'
        pytest.skip('no PostgreSQL server is installed: apt-get install postgresql')
    with running_server(tmp_path_factory.mktemp('postgresql')) as url:
        yield url


@pytest.fixture(params=['sqlite', 'encrypted', 'postgresql'])
def opened(request, tmp_path):
    """A function that opens one and the same gallery, on each engine in turn."""
    key = None
    if request.param == 'postgresql':
        location = f'{request.getfixturevalue("server")}#test_{next(_numbers)}'
    else:
        location = tmp_path / 'people.gallery'
    if request.param == 'encrypted':
        pytest.importorskip('cryptography', reason='cryptography is not installed')
        key = KEY
    galleries = []

    def open_again(model=MODEL, create=False):
        galleries.append(Gallery.open(location, model, create, key))
        return galleries[-1]
    yield open_again
    for gallery in galleries:
        gallery.close()


@pytest.fixture
def gallery(opened):
    """An empty gallery on each engine."""
    return opened(create=True)


@pytest.fixture
def local(tmp_path):
    """A gallery in an SQLite file ``people.gallery``."""
    with Gallery.open(tmp_path / 'people.gallery', MODEL, create=True) as gallery:
        yield gallery
