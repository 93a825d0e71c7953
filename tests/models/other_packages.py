"""timm and mmcv for tests, with a stand-in for torchvision where that cannot be had.

timm takes names of torchvision when it is imported, for its data and for classes to compare with; its attention and its
networks use none of them. PyPI's torchvision is built for torch with CUDA and cannot be imported beside torch for
processors alone.
"""
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types

import pytest


class Names(type):
    """A class of which every attribute is another."""

    def __getattr__(cls, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return Names(name, (), {})


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``torchvision`` and all below it, modules of ``Names``."""

    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torchvision':
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__version__ = '0.0'
        module.__getattr__ = lambda name: getattr(Names('module', (), {}), name)
        return module

    def exec_module(self, module):
        pass


@contextlib.contextmanager
def stand_in():
    """The stand-in inside the block, and no trace of it in ``sys.modules`` after it."""
    finder = StandIn()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]


def import_timm():
    """timm; skips where it is not installed, unless everything is required."""
    if importlib.util.find_spec('timm') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), "pip install 'mlaface[timm]'"
        pytest.skip("timm is not installed: pip install 'mlaface[timm]'")
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        with stand_in():
            return importlib.import_module('timm')
    return importlib.import_module('timm')


def import_mmcv():
    """mmcv; skips where it is not installed, unless everything is required."""
    if importlib.util.find_spec('mmcv') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'pip install --no-deps mmcv-lite'
        pytest.skip('mmcv is not installed: pip install --no-deps mmcv-lite')
    return importlib.import_module('mmcv')
