"""Who may import whom: the rules of the house, read from the code's own import statements."""
import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / 'mlaface').rglob('*.py'))
ANY = None
NO_TORCH = {'numpy', 'cv2', 'scipy', 'PIL', 'jinja2'}
NUMPY_ONLY = {'numpy', 'cv2', 'scipy', 'simplejpeg'}
ARCHIVES = {'lmdb', 'pyarrow'}

# room: (rooms of ours that it may import, third-party packages that it may import; ANY is no rule)
RULES = {
    'utils': ({'utils', 'registry', 'version'}, ANY),
    'utils.errors': (set(), set()),
    'registry': ({'version', 'utils.errors'}, {'mmengine'}),
    'datasets.formats': ({'datasets.formats', 'utils'}, NUMPY_ONLY | ARCHIVES),
    'evaluation.functional': ({'evaluation.functional', 'utils'}, NUMPY_ONLY),
    'models.margins': ({'models.margins', 'registry'}, {'torch'}),
    'models': ({'models', 'registry', 'utils', 'version'}, ANY),
    'datasets': ({'datasets', 'registry', 'utils', 'version'}, ANY),
    'evaluation': ({'evaluation', 'datasets.formats', 'registry', 'utils', 'version'}, ANY),
    'engine': ({'engine', 'zoo.locate', 'zoo.model_file', 'registry', 'utils', 'version'}, ANY),
    'export': ({'export', 'models', 'evaluation', 'registry', 'utils', 'version'}, ANY),
    'study': ({'study', 'engine', 'evaluation', 'registry', 'utils', 'version'}, ANY),
    'zoo': ({'zoo', 'evaluation', 'registry', 'utils', 'version'}, ANY),
    'inference': ({'inference', 'zoo', 'evaluation', 'datasets.formats', 'registry', 'utils', 'version'}, NO_TORCH),
    'gallery': ({'gallery', 'evaluation.functional', 'evaluation.embeddings.saved', 'registry', 'utils'},
                {'numpy', 'numkong', 'cryptography', 'psycopg'}),
    'serve': ({'serve', 'inference', 'gallery', 'datasets.formats', 'utils', 'version'},
              {'cv2', 'fastapi', 'jinja2', 'numpy', 'PIL', 'prometheus_client', 'pydantic', 'starlette', 'uvicorn'}),
    'visualization': ({'visualization', 'models', 'evaluation', 'registry', 'utils', 'version'}, ANY),
    'apis': ({'apis', 'visualization', 'inference', 'zoo', 'models', 'evaluation', 'export', 'registry', 'utils',
              'version'}, ANY),
}


def room_of(module):
    """The longest rule name that is a prefix of a module name without ``mlaface.``."""
    fits = [room for room in RULES if module == room or module.startswith(room + '.')]
    return max(fits, key=len, default=None)


@cache
def nodes(path):
    """Import statements and handlers of errors of a file."""
    kinds = ast.Import, ast.ImportFrom, ast.ExceptHandler
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds)]


def imports_of(path):
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}:{node.lineno}: relative import'
            if node.module == 'mlaface':
                yield from ((f'mlaface.{alias.name}', node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def faults(path):
    module = '.'.join(path.relative_to(ROOT / 'mlaface').with_suffix('').parts).removesuffix('.__init__')
    room = room_of(module)
    if room is None:
        return
    ours, theirs = RULES[room]
    import sys
    for name, line in imports_of(path):
        top = name.partition('.')[0]
        if top == 'mlaface':
            target = name.removeprefix('mlaface.')
            if not any(target == allowed or target.startswith(allowed + '.') for allowed in ours):
                yield f'{path.relative_to(ROOT)}:{line}: {room} may not import {name}'
        elif theirs is not ANY and top not in theirs and top not in sys.stdlib_module_names:
            yield f'{path.relative_to(ROOT)}:{line}: {room} may not import {top}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_house_rules(path):
    assert not list(faults(path))


def test_nothing_imports_cli_or_tools():
    for path in FILES:
        if 'cli' in path.relative_to(ROOT / 'mlaface').parts:
            continue
        for name, line in imports_of(path):
            assert not name.startswith(('mlaface.cli', 'tools')), f'{path}:{line} imports {name}'


# where an import that fails is caught: modules that the user names, and isal, which some processors lack
CATCHING = {'utils/packages.py', 'utils/imports.py', 'utils/configs.py', 'utils/checksums.py',
            'engine/config_parts/read.py', 'evaluation/networks/function.py'}


def test_a_package_that_may_be_missing_is_imported_in_one_way():
    for path in FILES:
        caught = {name.id for node in nodes(path) if isinstance(node, ast.ExceptHandler) and node.type is not None
                  for name in ast.walk(node.type) if isinstance(name, ast.Name)}
        where = path.relative_to(ROOT / 'mlaface').as_posix()
        assert where in CATCHING or not {'ImportError', 'ModuleNotFoundError'} & caught, where
