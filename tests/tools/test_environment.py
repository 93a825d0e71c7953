"""The two commands from anywhere, and which environment they take, in a checkout whose path has a space."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'environment.sh'


def write_python(path, body='exit 0'):
    """A stand-in that answers whether it fits by its exit status."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\n{body}\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / 'a checkout'
    folder.mkdir()
    return folder


@pytest.fixture
def base_python(tmp_path):
    """A Python whose ``-m venv --clear FOLDER`` makes a folder with itself in it."""
    return write_python(tmp_path / 'base' / 'python', """
        case "$*" in
            --version) echo Python 3.11.9 ;;
            '-m venv --clear '*) rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
        esac""")


def find(checkout, **variables):
    environment = {**os.environ, 'VIRTUAL_ENV': '', 'CONDA_PREFIX': '', 'PYTHON': '', **variables}
    return subprocess.run(['bash', '-euc', '. "$0"; find_environment', str(SCRIPT)], cwd=checkout, text=True,
                          capture_output=True, env={name: str(value) for name, value in environment.items()})


@pytest.mark.parametrize('script', ['quickstart.sh', 'run_tests.sh'])
def test_help_from_another_folder(script):
    done = subprocess.run(['bash', f'{ROOT.name}/tools/{script}', '--help'], cwd=ROOT.parent, capture_output=True,
                          text=True)
    assert done.returncode == 0 and f'bash tools/{script} ' in done.stdout and not done.stderr


@pytest.mark.parametrize('variable', ['VIRTUAL_ENV', 'CONDA_PREFIX'])
def test_the_active_environment_is_used(checkout, variable):
    write_python(checkout / '.venv' / 'bin' / 'python')
    active = write_python(checkout.parent / 'active' / 'bin' / 'python').parents[1]
    done = find(checkout, **{variable: active})
    assert done.stdout.strip() == str(active) and not done.stderr


@pytest.mark.parametrize('body', ['exit 1', None])
def test_an_active_environment_that_does_not_fit_is_named_and_left_alone(checkout, body):
    write_python(checkout / '.venv' / 'bin' / 'python')
    active = checkout.parent / 'active'
    if body:
        write_python(active / 'bin' / 'python', body)
    done = find(checkout, VIRTUAL_ENV=active)
    assert done.stdout.strip() == str(checkout / '.venv')
    assert f'{active} has no Python 3.10 to 3.12' in done.stderr


@pytest.mark.parametrize('broken', ['missing', 'dangling', 'another version'])
def test_a_folder_that_does_not_work_is_made_anew(checkout, base_python, broken):
    python = checkout / '.venv' / 'bin' / 'python'
    if broken == 'dangling':
        python.parent.mkdir(parents=True)
        python.symlink_to(checkout / 'gone')
    elif broken == 'another version':
        write_python(python, 'exit 1')
    done = find(checkout, PYTHON=base_python)
    assert done.returncode == 0 and done.stdout.strip() == str(checkout / '.venv')
    assert 'Making .venv with Python 3.11.9' in done.stderr
    assert 'Making' not in find(checkout, PYTHON=base_python).stderr


def test_no_python_that_fits_is_an_error_with_the_remedy(checkout):
    tools = checkout.parent / 'bin'
    for name in ('python3.10', 'python3.11', 'python3.12', 'python3', 'python'):
        write_python(tools / name, 'exit 1')
    done = find(checkout, PATH=f'{tools}:{os.environ["PATH"]}')
    assert done.returncode == 1 and not done.stdout
    assert 'Set PYTHON=' in done.stderr and 'python3-venv' in done.stderr
