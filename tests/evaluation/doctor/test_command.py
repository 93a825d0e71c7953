"""``mlaface doctor`` from the command line."""
import json

import pytest

from mlaface.cli.doctor import main
from mlaface.datasets.formats.bin_set import write_bin
from mlaface.datasets.formats.jpeg import encode

EYES = """
import numpy as np
def blue(images):                    # BGR, -1 to 1
    cells = images[:, 0].reshape(len(images), 7, 16, 7, 16).mean((2, 4))
    return np.concatenate([np.maximum(0, 1 - 4 * abs(cells - level)).reshape(len(images), -1)
                           for level in (-.75, -.25, .25, .75)], 1) - 0.1
"""


@pytest.fixture
def pairs(sample, tmp_path, monkeypatch):
    """A benchmark, and a module ``eyes`` that knows its people."""
    write_bin(tmp_path / 'pairs.bin', [encode(sample.images[row], 95) for row in sample.pairs.ravel()], sample.issame)
    (tmp_path / 'eyes.py').write_text(EYES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return 'pairs.bin'


def test_says_which_images_a_network_wants(pairs, capsys):
    assert main(['eyes:blue', pairs]) == 1
    out = capsys.readouterr().out
    assert 'verdict    it wants other images' in out and 'Give it its images by --color BGR --mean 127.5' in out
    assert 'now' in out and 'better' in out
    assert main(['eyes:blue', pairs, '--color', 'BGR']) == 0
    assert 'all is well' in capsys.readouterr().out


def test_as_json(pairs, capsys):
    assert main(['eyes:blue', pairs, '--json', '--pairs', '80']) == 1
    found = json.loads(capsys.readouterr().out)
    wanted = found['trials'][found['wanted']]
    assert found['verdict'] == 'other images'
    assert (wanted['color'], wanted['mean'], wanted['better']) == ('BGR', [127.5], True)
    assert found['pairs'] == 80 and found['dimensions'] == 196 and len(found['trials']) > 10
    assert found['trials'][0]['gain']['value'] == 0 and wanted['auc'] > found['trials'][0]['auc']


@pytest.mark.parametrize('arguments,words', [
    (['eyes:blue', 'nowhere.bin'], 'no set at nowhere.bin'),
    (['nothing.onnx', 'pairs.bin'], 'nothing.onnx'),
    (['eyes:blue', 'pairs.bin', '--color', 'BGR', '--std', '0'], 'std above zero'),
])
def test_what_is_refused(pairs, capsys, arguments, words):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    said = capsys.readouterr().err
    assert error.value.code == 2 and words in said and 'Traceback' not in said and len(said.strip().splitlines()) == 1
