"""Photographs packed in one command: the detector cuts out the faces on the way, and a kill changes no byte."""
import pytest

from mlaface.cli.data_commands import pack
from mlaface.cli.parts import aligning
from mlaface.datasets.archives import transfer
from mlaface.datasets.prepare.inspect import open_set
from mlaface.inference import preparation
from mlaface.utils.image_files import image_files
from tests.datasets.archive_sets import content
from tests.inference.test_preparation import photographs  # noqa: F401, a fixture


@pytest.fixture
def command(tiles, monkeypatch):
    monkeypatch.setattr(aligning, 'open_detector', lambda args: tiles)
    return lambda *arguments: pack.main([*map(str, arguments), '--align', '--workers', '1'])


def test_photographs_become_a_set(command, photographs, tmp_path, capsys):  # noqa: F811
    assert command(photographs, tmp_path / 'set', '--to', 'tar') == 1
    assert 'cannot be read' in (tmp_path / 'set' / 'left_out.txt').read_text()
    dataset = open_set(tmp_path / 'set')
    assert [dataset.key(index) for index in range(3)] == ['ann/one', 'ann/two%2Ejpg', 'ann/two%2Epng']
    assert '3 images of 1 classes as tar' in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != 'raw') == ['set']


@pytest.mark.parametrize('owner, name', [(preparation, '_settle'), (transfer, 'examine')])
def test_a_run_that_was_cut_goes_on(
        command, photographs, tmp_path, monkeypatch, capsys, owner, name):  # noqa: F811
    command(photographs, tmp_path / 'whole')
    assert 'goes on' not in capsys.readouterr().err
    real, calls = getattr(owner, name), []

    def stopping(*arguments):
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, name, stopping)
        command(photographs, tmp_path / 'set')
    assert not (tmp_path / 'set').exists()
    command(photographs, tmp_path / 'set')
    said = f'{tmp_path / "set"}: goes on at 1 of {len(image_files(photographs))} images'
    assert owner is not preparation or said in capsys.readouterr().err
    assert content(tmp_path / 'set') == content(tmp_path / 'whole')
