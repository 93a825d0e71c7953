"""Drawn benchmarks in official formats, made once a session; toy networks importable by name."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def official(tmp_path_factory):
    """Function: protocol -> folder with a tiny set of it."""
    from mlaface.datasets.synthetic.official import WRITERS
    root = tmp_path_factory.mktemp('official')

    def folder(name):
        if not (root / name).exists():
            WRITERS[name](root / name)
        return root / name
    return folder
