"""timm and torchvision for tests, where they are installed."""
import importlib.util
import os
import sys

import pytest
import torch

DECLARED = []  # a library of operators lasts as long as the object


def timm():
    """The package, importable beside any torch; skips where it is not installed, unless everything is required.

    PyPI's torchvision is built for CUDA. Beside a torch for processors alone its operators do not load, and its import
    asks for two of them by name: they are declared, and nothing here calls them.
    """
    if importlib.util.find_spec('timm') is None or importlib.util.find_spec('torchvision') is None:
        assert not os.environ.get('MLAFACE_REQUIRE_ALL'), "pip install 'mlaface[timm]'"
        pytest.skip("timm is not installed: pip install 'mlaface[timm]'")
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        DECLARED.append(torch.library.Library('torchvision', 'FRAGMENT'))
        for name in ('nms', 'qnms'):
            DECLARED[-1].define(f'{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
    import timm
    return timm
