"""Which files of a folder are images: endings, links, circles and hidden files, for all who ask."""
import json
import os

import numpy as np
import pytest
from PIL import Image

from mlaface.cli.main import main
from mlaface.datasets.sets.folder_faces import FolderFaces
from mlaface.inference.preparation import Photographs
from mlaface.inference.sources import open_sources
from mlaface.utils.image_files import image_files


@pytest.fixture
def folder(tmp_path):
    """Two people, one of whom is a link to elsewhere, and links in circles."""
    for name in ('people/ann/1.JPG', 'people/ann/2.jfif', 'people/ann/.hidden.jpg', 'people/.git/3.jpg',
                 'people/ann/notes.txt', 'elsewhere/4.png', 'elsewhere/more.txt'):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((112, 112, 3), 90, np.uint8)).save(file, 'PNG')
    for name, target in {'people/bob': '../elsewhere', 'people/ann/up': '..', 'people/ann/top': tmp_path,
                         'elsewhere/ann': '../people/ann', 'people/self': 'self', 'people/here': '.'}.items():
        (tmp_path / name).symlink_to(target)
    return tmp_path / 'people'


TAKEN = ['ann/1.JPG', 'ann/2.jfif', 'bob/4.png', 'bob/ann/1.JPG', 'bob/ann/2.jfif']


def test_links_are_followed_once_and_hidden_files_are_passed_over(folder):
    assert [str(file.relative_to(folder)) for file in image_files(folder)] == TAKEN
    assert [source.name for source in open_sources(folder)] == [f'{folder}/{name}' for name in TAKEN]
    assert Photographs(folder).names == TAKEN


def test_a_training_set_and_photographs_are_listed_by_one_rule(folder):
    faces = FolderFaces(folder)
    assert [faces.key(index) for index in range(len(faces))] == ['ann/1.JPG', 'ann/2.jfif', 'bob/4.png']
    assert faces.metainfo['classes'] == ('ann', 'bob')


def test_two_folders_that_link_to_each_other_end(tmp_path):
    for name, other in ('ab', 'ba'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'x').symlink_to(tmp_path / other)
        (tmp_path / name / '1.jpg').write_bytes(b'')
    found = {str(file.relative_to(tmp_path)) for file in image_files(tmp_path)}
    assert found == {'a/1.jpg', 'b/1.jpg', 'a/x/1.jpg', 'b/x/1.jpg'}


def test_a_folder_that_cannot_be_read_is_told_of(folder, monkeypatch):
    listed = os.scandir

    def denied(place):
        if str(place).endswith('bob'):
            raise PermissionError(13, 'Permission denied', place)
        return listed(place)
    monkeypatch.setattr(os, 'scandir', denied)
    with pytest.warns(UserWarning, match='bob cannot be read .Permission denied.: its images are left out'):
        assert len(image_files(folder)) == 2
    with pytest.raises(PermissionError):
        image_files(folder / 'bob')


@pytest.mark.parametrize('command', ['detect', 'align'])
def test_commands_take_what_is_listed(folder, tmp_path, capsys, command):
    pytest.importorskip('onnxruntime')
    main([command, str(folder), *([str(tmp_path / 'out')] if command == 'align' else []), '--json'])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line['source'].removeprefix(f'{folder}/') for line in lines] == TAKEN
