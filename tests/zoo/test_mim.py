"""OpenMMLab's own ``mim`` finds the models in an installed wheel and downloads them; MLAFACE_MIM names its program.

It wants an environment of its own: openmim pins old releases of setuptools, rich and others.
"""
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlaface.zoo.index import read_index
from tests.zoo.server import serve

ROOT = Path(__file__).resolve().parents[2]
MIM = os.environ.get('MLAFACE_MIM') or shutil.which('mim')
WEIGHTS = 'arcface_r50_ms1mv3-12345678.safetensors'

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MIM, reason='openmim is not installed')]


@pytest.fixture(scope='module')
def address():
    with serve({f'/{WEIGHTS}': b'weights'}) as address:
        yield address


@pytest.fixture(scope='module')
def installed(address, tmp_path_factory):
    """A folder with a wheel of this tree in it, in whose index one model has weights."""
    folder = tmp_path_factory.mktemp('mim')
    tree = folder / 'tree'
    for part in ('mlaface', 'configs'):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'model-index.yml', 'README.md'):
        shutil.copy(ROOT / name, tree)
    metafile = tree / 'configs' / 'metafiles' / 'arcface.yml'
    config = '    Config: configs/arcface_r50_ms1mv3.py\n'
    metafile.write_text(metafile.read_text().replace(config, f'{config}    Weights: {address}/{WEIGHTS}\n'))
    code = f'from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})'
    subprocess.run([sys.executable, '-c', code], cwd=tree, check=True, capture_output=True)
    shutil.unpack_archive(next(folder.glob('*.whl')), folder / 'site', 'zip')
    return folder / 'site'


def mim(installed, *arguments, folder):
    ran = subprocess.run([MIM, *arguments], cwd=folder, env={**os.environ, 'PYTHONPATH': str(installed)},
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_search_lists_every_model(installed, tmp_path):
    names = ast.literal_eval(mim(installed, 'search', 'mlaface', '--valid-config', folder=tmp_path).splitlines()[-1])
    assert set(names) == set(read_index()) >= {'sface', 'mla_r50_ms1mv3'}
    found = mim(installed, 'search', 'mlaface', '--config', 'arcface_r18w025_faces_small', folder=tmp_path)
    assert 'dev_lfw/accuracy' in found and '0.9067' in found


def test_download_brings_weights_and_config(installed, tmp_path):
    mim(installed, 'download', 'mlaface', '--config', 'arcface_r50_ms1mv3', '--dest', '.', folder=tmp_path)
    assert (tmp_path / WEIGHTS).read_bytes() == b'weights'
    from mmengine.config import Config
    assert Config.fromfile(tmp_path / 'arcface_r50_ms1mv3.py').model.backbone.depth == 50
