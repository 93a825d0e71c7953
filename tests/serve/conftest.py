"""A client of an application, and one in a real server."""
import pytest
from starlette.testclient import TestClient

from mlaface.serve.app import make_app  # noqa: F401, so that a missing package is told once
from tests.gallery.conftest import server  # noqa: F401, a database
from tests.serve.served import Running, served


@pytest.fixture
def client(tmp_path):
    """Of an application without keys, whose galleries lie in ``tmp_path / 'galleries'``."""
    with TestClient(served(tmp_path / 'galleries'), base_url='http://localhost') as opened:
        yield opened

@pytest.fixture
def running():
    """Starts servers; all are ended."""
    started = []

    def start(app):
        started.append(Running(app))
        return started[-1]
    yield start
    for each in started:
        each.stop()
