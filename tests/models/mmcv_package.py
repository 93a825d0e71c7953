"""MMCV for tests, where it is installed."""
import importlib.util
import os

import pytest


def import_mmcv():
    """The package; skips where it is not installed, unless everything is required."""
    if importlib.util.find_spec('mmcv') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'pip install --no-deps mmcv-lite'
        pytest.skip('mmcv is not installed: pip install --no-deps mmcv-lite')
    import mmcv.cnn
    return mmcv
