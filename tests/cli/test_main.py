"""The ``mlaface`` command: each script of tools/ by its name, light to start, helpful about a mistyped one."""
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mlaface.cli.main import COMMANDS, main
from mlaface.cli.parts.arguments import command as make_command
from mlaface.version import __version__

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {script.stem.replace('_', '-'): script for script in ROOT.glob('tools/**/*.py')
           if script.parent.name != 'analysis' or script.stem != 'compare'}
SCRIPTS['compare-runs'] = ROOT / 'tools/analysis/compare.py'  # by the name that OpenMMLab's users look for


def ended(capsys, *argv):
    with pytest.raises(SystemExit) as end:
        main(list(argv))
    return end.value.code, capsys.readouterr()


def test_there_is_a_command_for_every_script():
    assert set(COMMANDS) == set(SCRIPTS)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_is_that_of_the_script(command, capsys, monkeypatch):
    status, printed = ended(capsys, command, '--help')
    monkeypatch.setattr(sys, 'argv', [str(SCRIPTS[command]), '--help'])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPTS[command]), run_name='__main__')
    (named, ours), (_, of_script) = (text.split('[', 1) for text in (printed.out, capsys.readouterr().out))
    assert status == end.value.code == 0 and ours.split() == of_script.split() != []
    assert named.startswith('usage: mlaface ')


@pytest.mark.parametrize('begun, said', [
    ('tools/train.py', 'python tools/train.py'), ('tools/datasets/data.py', 'python tools/datasets/data.py pack'),
    ('tools/datasets/verify_records.py', 'python tools/datasets/verify_records.py'), ('/usr/bin/mlaface', None)])
def test_a_command_is_called_as_it_was_begun(begun, said, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [begun])
    name = dict(train='train', data='data pack', verify_records='data verify', mlaface='data verify')[Path(begun).stem]
    assert make_command(name, '').prog == (said or f'mlaface {name}')


def test_help_lists_each_command_in_a_line(capsys):
    status, printed = ended(capsys, '--help')
    lines = printed.out.splitlines()
    assert status == 0 and 'mlaface train configs/' in printed.out and max(map(len, lines)) <= 100
    assert all(any(line.split() == [command, *what.split()] for line in lines) for command, what in COMMANDS.items())


def test_no_command_is_an_error_that_shows_them(capsys):
    status, printed = ended(capsys)
    assert status == 2 and 'usage: mlaface COMMAND' in printed.out


@pytest.mark.parametrize('typed, meant', [('tets', 'test'), ('plugins', 'list-plugins'), ('plan_memory', 'plan-memory'),
                                          ('inspect', 'inspect-set')])
def test_a_mistyped_command_is_told_the_nearest(typed, meant, capsys):
    status, printed = ended(capsys, typed, 'x.py')
    assert status == 2 and f'no command {typed!r}; did you mean {meant!r}?' in printed.err


def test_a_mistyped_subject_of_benchmark_too(capsys):
    status, printed = ended(capsys, 'benchmark', 'traim')
    assert status == 2 and "did you mean 'train'" in printed.err


def test_the_status_of_a_command_is_that_of_the_process(tmp_path, capsys):
    assert main(['--version']) == 0 and capsys.readouterr().out == f'mlaface {__version__}\n'
    assert main(['list-plugins', 'attention', '--plain']) == 0 and 'ATTENTION\tECA\t' in capsys.readouterr().out
    status, _ = ended(capsys, 'plan-memory', str(tmp_path / 'none.py'))
    assert status.startswith('error: no config at') and '\n' not in status


def test_help_imports_neither_torch_nor_mmengine():
    code = ("import sys; from mlaface.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
            "sys.exit(bool({'torch', 'mmengine', 'numpy'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, '-c', code], env={**os.environ, 'PYTHONPATH': str(ROOT)},
                          capture_output=True).returncode == 0


@pytest.mark.parametrize('argv, said', [
    (['align', 'a', 'b', '--quality', '0'], 'mlaface align: error: argument --quality: must be at least 1, got 0. See '
                                            'mlaface align --help\n'),
    (['test', '--import'], 'mlaface test: error: argument --import: expected one argument. See mlaface test --help\n'),
    (['align'], 'mlaface align: error: the following arguments are required: FOLDER, OUT. See mlaface align --help\n'),
    (['gallery', 'list', 'g', '--jsn'], 'mlaface gallery: error: unrecognized arguments: --jsn. See mlaface gallery '
                                        '--help\n'),
    (['gallery', 'rename', 'g'], 'mlaface gallery rename: error: the following arguments are required: NAME, NEW. See '
                                 'mlaface gallery rename --help\n')])
def test_arguments_that_are_none_are_told_in_one_line(argv, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2 and capsys.readouterr() == ('', said)
