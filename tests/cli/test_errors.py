"""Commands end in one line on what a user can mend, and with a traceback on a mistake of ours."""
import importlib
import os
import pkgutil
import re
import warnings

import numpy as np
import pytest
import torch

import mlaface
from mlaface.cli.main import COMMANDS, main
from mlaface.cli.parts import errors
from mlaface.cli.parts.inference import Skipped
from mlaface.utils.errors import InputError, UserError

MODULES = [module.name for module in pkgutil.walk_packages(mlaface.__path__, 'mlaface.')]
# arguments that a user may give by mistake, with the message; {0} is an empty folder, whose `junk` holds no data
MISTAKES = {
    'train': (['{0}/none.py'], 'no config at'), 'print-config': (['{0}/none.py'], 'no config at'),
    'browse-dataset': (['{0}/none.py'], 'no config at'),
    'plan-memory': (['{0}/none.py'], 'no config at'), 'benchmark': (['data', '{0}/none.rec'], 'no training set'),
    'flops': (['{0}/none.py'], 'no config at'), 'attention': (['{0}/junk', '{0}/1.png'], 'cannot be read'),
    'test': (['{0}/junk.pth', '--sets', '{0}/none.bin'], 'no verification set'),
    'doctor': (['{0}/junk', '{0}/none.bin'], 'cannot be read'),
    'calibrate': (['{0}/text.npz', '--out', '{0}/out'], 'must be numbers'),
    'compare-runs': (['{0}'], 'no scalars.jsonl'), 'study': (['{0}/none.py'], 'no config at'),
    'list-plugins': (['margns'], "did you mean 'margins'"), 'inspect-set': (['{0}'], 'holds no image'),
    'make-synthetic': (['--contact-sheet', '{0}/junk/x.png'], 'Not a directory|File exists'),
    'data': (['inspect', '{0}'], 'holds no image'),
    'verify-records': (['{0}'], 'holds no image'), 'to-onnx': (['{0}/junk', '{0}/out'], 'cannot be read'),
    'export': (['{0}/junk', '{0}/out.onnx'], 'cannot be read'),
    'mxnet': (['{0}/none.params', '{0}/out.pth'], 'no symbol at'),
    'centers': (['export', '{0}', '--out', '{0}/out'], 'no .*manifest'),
    'published': (['{0}/junk', '{0}/out'], 'cannot be read'), 'publish': (['{0}/junk', '{0}/out'], 'cannot be read'),
    'download': (['{0}/junk'], 'no name of the index'), 'align': (['{0}', '{0}/out'], 'no images in'),
    'cluster': (['{0}/none'], 'no image'), 'compare': (['{0}/1.jpg', '{0}/2.jpg'], 'no image'),
    'gallery': (['list', '{0}/junk'], 'no gallery'), 'identify': (['{0}/none', '{0}/1.jpg'], 'no gallery at'),
    'enroll': (['{0}/g'], 'give NAME and IMAGE'), 'serve': (['--keys', '{0}/junk'], 'no NAME:sha256:HASH'),
    **dict.fromkeys(('detect', 'embed'), (['{0}/none.jpg'], 'no image, folder or video'))}



@pytest.mark.parametrize('command', [command for command in COMMANDS if command != 'models'])  # which reads nothing
def test_every_command_tells_a_mistake_in_one_line(command, tmp_path, capsys):
    (tmp_path / 'junk').write_bytes(b'junk')
    np.savez(tmp_path / 'text.npz', scores=np.array(['a', 'b']), issame=np.array([True, False]))
    assert command in MISTAKES, f'give {command} a mistake of its users in MISTAKES'
    arguments, message = MISTAKES[command]
    with pytest.raises(SystemExit) as end:
        main([command, *(argument.format(tmp_path) for argument in arguments)])
    said = end.value.code if isinstance(end.value.code, str) else capsys.readouterr().err.rstrip('\n')
    assert end.value.code and re.fullmatch(f'error: .*({message}).*', said)


def test_names_of_files_break_no_line_of_a_command(capsys):
    Skipped()('a\nb.jpg', InputError('a\nb.jpg is torn'))
    list(Skipped().faceless([('c\x1b[2J.jpg', [])]))
    assert capsys.readouterr().err == 'skipped: a\\nb.jpg is torn\nnote: no face in c\\x1b[2J.jpg\n'
    with errors.explained():
        assert warnings.formatwarning('no a\rb', UserWarning, mlaface.__file__, 1) == 'warning: no a\\rb\n'


@pytest.mark.parametrize('name, arguments, wanted', [
    *((name, ['x', '--out'], 'file') for name in ('calibrate', 'compare-runs', 'embed')),
    ('centers', ['export', 'x', '--out'], 'file'), ('data', ['verify', 'x', '--write-list'], 'file'),
    *((name, ['x', 'x', '--out'], 'folder') for name in ('attention', 'cluster')),
    ('compare-runs', ['x', '--report'], 'folder'), ('data', ['inspect', 'x', '--report'], 'folder'),
    ('data', ['leak', 'x', 'x', '--out'], 'folder'), ('data', ['dedupe', 'x', '--out'], 'folder')])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(name, arguments, wanted, tmp_path, capsys):
    (tmp_path / 'file').touch()
    (tmp_path / 'link').symlink_to(tmp_path / 'none')
    for place, why in ((tmp_path if wanted == 'file' else tmp_path / 'file', f'name a {wanted}'),
                       (tmp_path / 'file' / 'out', 'cannot be written (Not a directory): name another place'),
                       ('/dev/null', f'name a {wanted}'), ('', f'is empty: name a {wanted}'),
                       (tmp_path / 'link' / 'out', 'cannot be written (No such file or directory): name another')):
        with pytest.raises(SystemExit, match='2'):
            main([name, *arguments, str(place)])
        told = capsys.readouterr().err
        assert why in told and told.count('\n') == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / 'file', tmp_path / 'link']


def test_what_a_name_holds_does_not_reach_the_terminal():
    with pytest.raises(SystemExit, match=re.escape(r'error: torn\x1b[31m.jpg: no image')), errors.explained():
        raise UserError('torn\x1b[31m.jpg: no image')


def test_a_reader_that_has_enough_is_no_error(monkeypatch, capfd):
    put = []
    monkeypatch.setattr(os, 'dup2', lambda *files: put.append(files))
    with pytest.raises(SystemExit) as end, errors.explained():
        raise BrokenPipeError(32, 'Broken pipe')
    assert end.value.code == 141 and len(put) == 1 and capfd.readouterr().err == ''


@pytest.mark.parametrize('text, message', [('a = undefined', "NameError: name 'undefined' is not defined.*line 1"),
                                           ('a = = 1', 'SyntaxError'), ("_base_ = 'none.py'", 'none.py'),
                                           ('import nowhere_at_all', 'nowhere_at_all')])
@pytest.mark.parametrize('command', [['train'], ['print-config'], ['test']])
def test_a_config_that_fails_is_told_in_one_line(command, text, message, tmp_path):
    (tmp_path / 'c.py').write_text(text)
    (tmp_path / 'net.pth').write_bytes(b'')
    with pytest.raises(SystemExit) as end:
        main([*command, str(tmp_path / 'c.py'), *([str(tmp_path / 'net.pth')] if command == ['test'] else [])])
    assert re.fullmatch(f'error: .*c.py.*{message}.*', end.value.code)


def imported(name):
    """A module, or None where it is of a library that is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert not error.name.startswith('mlaface')
        return None


def test_every_error_of_the_package_can_be_mended():
    modules = [imported(name) for name in MODULES if name != 'mlaface.cli.parts.ranks']
    kinds = {value for module in filter(None, modules) for value in vars(module).values()
             if isinstance(value, type) and issubclass(value, Exception) and value.__module__.startswith('mlaface.')}
    assert len(kinds) > 8 and all(issubclass(kind, UserError) for kind in kinds)
    for kind in kinds:  # torch makes a data worker's error anew from its text alone
        assert str(kind('in words')) == 'in words'


@pytest.mark.parametrize('error, message', [
    (torch.OutOfMemoryError('CUDA out of memory. Tried\nto'), 'error: CUDA out of memory.*smaller batches'),
    (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you"), "allocate memory.*smaller batches"),
    (MemoryError(), 'error: out of memory'), (PermissionError(13, 'Permission denied', 'x'), "denied: 'x'"),
    (InputError('in words'), '^error: in words$')])
def test_what_can_be_mended_in_training_is_a_line(error, message, monkeypatch):
    with pytest.raises(SystemExit, match=message), errors.explained(refused=()):
        raise error
    monkeypatch.setenv('MLAFACE_TRACEBACK', '1')
    with pytest.raises(type(error)), errors.explained(refused=()):
        raise error


@pytest.mark.parametrize('kind', [ValueError, TypeError, RuntimeError, KeyError])
def test_a_mistake_of_ours_is_raised_in_training(kind):
    with pytest.raises(kind), errors.explained(refused=()):
        raise kind('operands could not be broadcast')


def test_a_device_that_is_not_there_is_refused():
    from mlaface.cli.parts.device import choose_device
    for name in ('foo', 'cuda:99'):
        with pytest.raises(InputError, match=f'--device {name} cannot be used'):
            choose_device(name)
