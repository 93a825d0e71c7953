"""``list-plugins``: one registry, or whatever name or description has a word."""
import pytest

from mlaface.cli.list_plugins import main, plugins
from mlaface.registry import ATTENTION


@pytest.mark.parametrize('word', ['MLAArcFace', 'MLA-ArcFace', 'mla_gated_arcface', 'MLA-gated ArcFace'])
def test_mla_gated_arcface_is_found_however_it_is_spelled(word):
    (name, signature, line), = plugins(word)['MODELS']
    assert name == 'MLAArcFace' and signature.startswith('(depth=100') and 'before ArcFace' in line


def test_a_word_is_looked_for_everywhere_and_a_registry_comes_first():
    found = plugins('sgd')
    assert [row[0] for row in found['OPTIMIZERS']] == ['RowSGD'] and all(found.values())
    assert plugins('margin').keys() == plugins('MARGINS').keys() == {'MARGINS'}


@pytest.mark.parametrize('word, meant', [('MLAGatedArcFaceHead', 'MLAArcFace'), ('margns', 'margins')])
def test_a_word_that_nothing_has_is_told_the_nearest(word, meant, capsys):
    with pytest.raises(SystemExit) as end:
        main([word])
    shown = f'{end.value.code}{capsys.readouterr().err}'
    assert f"error: no registry or plugin {word!r}; did you mean '{meant}'? Registries: models, " in shown


def test_plugins_of_ones_own_are_shown_and_one_in_this_folder_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / 'shown_plugin.py').write_text("""
from torch import nn
from mlaface.registry import ATTENTION
@ATTENTION.register_module(force=True)
class ShownAttention(nn.Module):
    \"\"\"For this test.\"\"\"
""")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(['attention', '--import', 'shown_plugin'])
    assert 'shown_plugin, which lies in this folder' in str(end.value.code) and 'PYTHONPATH=.' in str(end.value.code)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        main(['attention', '--plain', '--import', 'shown_plugin'])
        assert 'ShownAttention' in capsys.readouterr().out
    finally:
        ATTENTION.module_dict.pop('ShownAttention', None)
