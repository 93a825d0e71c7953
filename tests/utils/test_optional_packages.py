"""Packages that need not be installed: one way to import them, one line where they are missing."""
import re
import runpy
import sys
from pathlib import Path

import pytest

from mlaface.utils import packages
from mlaface.utils.errors import MissingPackageError
from mlaface.utils.packages import EXTRAS, import_optional, is_installed, missing, remedy

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize('raised, line', [
    (ModuleNotFoundError("No module named 'timm'", name='timm'),
     "'timm.gc' needs timm, which is not installed: pip install 'mlaface[timm]'"),
    (ModuleNotFoundError("No module named 'timm.layers'", name='timm.layers'),
     "'timm.gc' needs timm, which cannot be imported (No module named 'timm.layers'): pip install 'mlaface[timm]'"),
    (ModuleNotFoundError("No module named 'torchvision'", name='torchvision'),
     "'timm.gc' needs timm, which cannot be imported (No module named 'torchvision'): pip install 'mlaface[timm]'"),
    (RuntimeError('no operator nms\nmore'), "'timm.gc' needs timm, which cannot be imported (no operator nms): install "
     "releases that fit together: pip install 'mlaface[timm]', or take ours"),
    (RuntimeError('operator torchvision::nms does not exist'),
     "'timm.gc' needs timm, which cannot be imported (operator "
     "torchvision::nms does not exist): install releases that fit together: pip install 'mlaface[torchvision]', of the "
     "release that goes with torch's"),
    (OSError(), "'timm.gc' needs timm, which cannot be imported (OSError): install releases that fit together: pip "
     "install 'mlaface[timm]', or take ours")])
def test_what_is_missing_or_fails_is_one_line(raised, line, monkeypatch):
    def refuse(name):
        raise raised
    monkeypatch.setattr(packages, 'import_module', refuse)
    with pytest.raises(MissingPackageError) as error:
        import_optional('timm.layers', "'timm.gc'", ', or take ours' if line.endswith('ours') else '')
    assert str(error.value) == line and error.value.__cause__ is raised


def test_what_is_there_is_imported():
    import xml.sax
    assert import_optional('xml.sax', 'a test') is xml.sax
    assert is_installed('xml') and not is_installed('no_such_package')


def test_a_package_that_is_blocked_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    assert not is_installed('lmdb')
    with pytest.raises(MissingPackageError, match=r"a file needs lmdb.*pip install 'mlaface\[lmdb\]'$"):
        import_optional('lmdb', 'a file')


@pytest.fixture
def extras(monkeypatch):
    """Names of the extras that setup.py declares beside the full mmengine, with which there is mmcv's too."""
    declared = {}
    monkeypatch.setattr('setuptools.setup', lambda **words: declared.update(words))
    monkeypatch.setenv('MLAFACE_ENGINE', 'mmengine')
    monkeypatch.chdir(ROOT)
    runpy.run_path('setup.py')
    return set(declared['extras_require'])


def test_each_remedy_is_an_extra_that_there_is(extras):
    assert set(EXTRAS.values()) <= extras
    assert remedy('pyarrow') == "pip install 'mlaface[parquet]'" and remedy('milvus_lite') == 'pip install milvus-lite'
    assert 'mmcv-lite' in str(missing('mmcv', 'a layer'))


def test_every_extra_that_a_message_or_a_page_names_is_there(extras):
    files = [*Path('mlaface').rglob('*.py'), *Path('docs').rglob('*.md'), Path('README.md')]
    named = {(extra, str(file)) for file in files for group in re.findall(r'mlaface\[([a-z,]+)\]', file.read_text())
             for extra in group.split(',')}
    assert not {(extra, file) for extra, file in named if extra not in extras} and len(named) > 10
