"""Real mxnet 1.9.1, for tests that compare with it."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

CACHE = Path(__file__).resolve().parents[1] / '.cache' / 'mxnet'


def old_python():
    """The first Python 3.8 to 3.10 that runs, or None."""
    pyenv = Path(os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')) / 'versions'
    found = [*sorted(pyenv.glob('3.8.*/bin/python')), *sorted(pyenv.glob('3.9.*/bin/python')),
             *sorted(pyenv.glob('3.10.*/bin/python')), *map(shutil.which, ('python3.8', 'python3.9', 'python3.10'))]
    for python in filter(None, found):
        check = 'import sys, venv, ensurepip; sys.exit(not (3, 8) <= sys.version_info < (3, 11))'
        if subprocess.run([str(python), '-c', check], capture_output=True).returncode == 0:
            return str(python)
    return None


def mxnet_environment():
    """Python of an environment with mxnet, built once and kept; skips where it cannot be."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE.with_suffix('.lock')):
        return _built()


def _built():
    python = CACHE / 'bin' / 'python'
    if not (CACHE / 'complete').exists():
        base = old_python()
        if base is None:
            pytest.skip('mxnet 1.9.1 needs a Python 3.8 to 3.10, and none was found')
        shutil.rmtree(CACHE, ignore_errors=True)
        subprocess.run([base, '-m', 'venv', str(CACHE)], check=True)
        installed = subprocess.run([str(python), '-m', 'pip', 'install', '-q', 'mxnet==1.9.1', 'numpy<1.24'])
        if installed.returncode:
            assert not os.environ.get('MLAFACE_REQUIRE_ALL'), 'mxnet 1.9.1 cannot be installed'
            pytest.skip('mxnet 1.9.1 cannot be installed')
        (CACHE / 'complete').touch()
    return str(python)
