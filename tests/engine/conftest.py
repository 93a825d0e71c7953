"""Fixtures of the tests of training."""
import pytest


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch):
    """Runs in a test's own process draw no curves, which takes twice as long as the toy's training.

    ``test_logging.py`` draws some, and ``tests/tools`` looks whether a run leaves them.
    """
    monkeypatch.setattr('mlaface.engine.hooks.results.draw_curves', lambda scalars, path, title='': None)
