"""What is installed from a wheel: every module, config and page, one command, and no test."""
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ('mlaface', 'configs', 'requirements', 'tests', 'tools')


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """Names in the source archive of a copy of this tree, and in the wheel built from what that archive holds."""
    folder = tmp_path_factory.mktemp('package')
    tree, out = folder / 'tree', folder / 'out'
    for part in PARTS:
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns('__pycache__', 'data'))
    for file in ROOT.iterdir():
        if file.is_file() and not file.name.startswith('.'):
            shutil.copy(file, tree)

    def build(kind, source):
        code = f'from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})'
        subprocess.run([sys.executable, '-c', code], cwd=source, check=True, capture_output=True)

    build('sdist', tree)
    with tarfile.open(next(out.glob('*.tar.gz'))) as archive:
        archive.extractall(folder, filter='data')
        source = folder / archive.getnames()[0]
    build('wheel', source)
    with zipfile.ZipFile(next(out.glob('*.whl'))) as wheel:
        texts = {name: wheel.read(name).decode(errors='replace') for name in wheel.namelist()}
    return {str(path.relative_to(source)) for path in source.rglob('*') if path.is_file()}, texts


def files(folder, *endings):
    return {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob('*') if path.suffix in endings}


def test_the_source_archive_has_what_the_build_needs_and_no_tests(built):
    source, _ = built
    needed = {'LICENSE', 'README.md', 'CHANGELOG.md', 'model-index.yml', 'requirements/constraints.txt', 'setup.py'}
    assert needed <= source and not [name for name in source if name.startswith('tests')]


def test_the_wheel_has_every_module_page_config_and_metafile(built):
    _, wheel = built
    wanted = files('mlaface', '.py', '.html', '.css', '.js', '.svg', '.json', '.jinja', '.safetensors')
    wanted |= {f'mlaface/.mim/{name}' for name in {'model-index.yml'} | files('configs', '.py', '.yml', '.md')}
    assert {name for name in wheel if '.dist-info/' not in name} == wanted


def test_the_wheel_installs_one_command(built):
    _, wheel = built
    entries = next(text for name, text in wheel.items() if name.endswith('entry_points.txt'))
    assert entries.split() == ['[console_scripts]', 'mlaface', '=', 'mlaface.cli.main:main']
