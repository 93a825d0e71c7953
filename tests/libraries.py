"""Packages of others for tests, where they are installed."""
import importlib
import importlib.util
import os
import sys

import pytest
import torch

DECLARED = []  # a library of operators lasts as long as the object


def required(name, install):
    """A module; skips where it is not installed, unless everything is required.

    Args:
        name (str): Of the module.
        install (str): The command that installs it.
    """
    if importlib.util.find_spec(name.partition('.')[0]) is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), install
        pytest.skip(f'{name} is not installed: {install}', allow_module_level=True)
    return importlib.import_module(name)


def timm():
    """The package, importable beside any torch; skips where it is not installed, unless everything is required.

    PyPI's torchvision is built for CUDA. Beside a torch for processors alone its operators do not load, and its import
    asks for two of them by name: they are declared, and nothing here calls them.
    """
    try:
        required('torchvision', "pip install 'mlaface[timm]'")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        DECLARED.append(torch.library.Library('torchvision', 'FRAGMENT'))
        for name in ('nms', 'qnms'):
            DECLARED[-1].define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    return required('timm', "pip install 'mlaface[timm]'")


def mmcv():
    """MMCV; skips where it is not installed, unless everything is required."""
    required('mmcv.cnn', 'pip install --no-deps mmcv-lite')
    return required('mmcv', 'pip install --no-deps mmcv-lite')
