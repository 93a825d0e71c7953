"""Registries: lazy, complete, and helpful about a name or argument that they do not know."""
import importlib
import subprocess
import sys
import textwrap

import pytest

from mlaface import registry
from mlaface.registry import ATTENTION, FaceRegistry, check_arguments, nearest
from mlaface.utils.errors import ArgumentError, UnknownNameError


@pytest.fixture
def plugins():
    own = FaceRegistry('test plugin', build_func=registry._build_checked, scope='mlaface')

    @own.register_module()
    class Attend:
        def __init__(self, channels, reduction=16):
            self.channels, self.reduction = channels, reduction
            self.hidden = channels // reduction
    return own


def test_build_passes_arguments(plugins):
    built = plugins.build(dict(type='Attend', channels=8))
    assert (built.channels, built.reduction) == (8, 16)


@pytest.mark.parametrize('channels, reduction, word', [
    (8, 0, 'ZeroDivisionError'), ('8', 2, "TypeError: unsupported operand"), (None, 2, 'TypeError')])
def test_arguments_that_cannot_be_meant_are_a_line_with_the_place(plugins, channels, reduction, word):
    with pytest.raises(ArgumentError) as told:
        plugins.build(dict(type='Attend', channels=channels, reduction=reduction))
    line = str(told.value)
    assert '\n' not in line and f'Attend(channels={channels!r}, reduction={reduction}) cannot be built: {word}' in line
    assert 'test_registry.py:' in line and told.value.__cause__.__traceback__ is not None


def test_a_type_that_is_given_beside_the_config_is_told(plugins):
    with pytest.raises(ArgumentError, match=r'Attend\(reduction=2\) cannot be built: TypeError'):
        plugins.build(dict(reduction=2), default_args=dict(type='Attend', channels=None))


@pytest.mark.parametrize('error', [OSError('gone'), ValueError('its own words'), NotImplementedError(), MemoryError()])
def test_other_errors_of_what_is_built_go_through(plugins, error):
    @plugins.register_module(force=True)
    class Failing:
        def __init__(self):
            raise error
    with pytest.raises(type(error)) as told:
        plugins.build(dict(type='Failing'))
    assert told.value is error


def test_unknown_name_suggests_the_nearest(plugins):
    with pytest.raises(KeyError, match="did you mean 'Attend'"):
        plugins.build(dict(type='Atend', channels=8))


def test_unknown_argument_suggests_the_nearest(plugins):
    with pytest.raises(TypeError, match="no argument 'reductoin'; did you mean 'reduction'"):
        plugins.build(dict(type='Attend', channels=8, reductoin=4))


def test_name_of_mmengine_is_found_through_the_child():
    from mmengine.hooks import IterTimerHook
    assert registry.HOOKS.get('IterTimerHook') is IterTimerHook


def test_every_registry_of_the_design_exists():
    wanted = {'MODELS', 'ATTENTION', 'MARGINS', 'DATASETS', 'DATA_SAMPLERS', 'TRANSFORMS', 'METRICS', 'EVALUATORS',
              'HOOKS', 'LOOPS', 'PARAM_SCHEDULERS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'VISUALIZERS', 'VISBACKENDS',
              'RUNNERS', 'DETECTORS', 'EXPORTERS'}
    assert wanted <= set(registry.REGISTRIES)
    assert {registry.REGISTRIES[name].scope for name in wanted} == {'mlaface'}


@pytest.mark.parametrize('word, known, found', [
    ('arcface', ['ArcFace', 'CosFace'], 'ArcFace'), ('CosFac', ['ArcFace', 'CosFace'], 'CosFace'),
    ('x', ['ArcFace'], None)])
def test_nearest(word, known, found):
    assert nearest(word, known) == found


def test_check_arguments_accepts_keyword_catch_alls():
    check_arguments(lambda **anything: None, ['whatever'])


def test_importing_the_package_imports_no_torch():
    code = 'import sys, mlaface, mlaface.registry; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_a_plugin_outside_the_tree_registers_by_custom_import(tmp_path, monkeypatch):
    (tmp_path / 'my_margin_plugin.py').write_text(textwrap.dedent("""
        from mlaface.registry import MARGINS

        @MARGINS.register_module()
        class MyMarginOutsideTheTree:
            pass
    """))
    monkeypatch.syspath_prepend(str(tmp_path))
    from mmengine.utils import import_modules_from_strings
    import_modules_from_strings(['my_margin_plugin'])
    assert registry.MARGINS.get('MyMarginOutsideTheTree').__name__ == 'MyMarginOutsideTheTree'
    registry.MARGINS.module_dict.pop('MyMarginOutsideTheTree')


def test_a_class_of_an_imported_plugin_that_is_not_registered_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'plugin_without_line.py').write_text('from pathlib import Path\n\n\nclass Forgotten:\n    pass\n')
    importlib.import_module('plugin_without_line')
    message = (r"'Forgotten' is not in the registry 'attention': plugin_without_line is imported and has a class of "
               r'this name, which is not registered. Write @ATTENTION.register_module\(\) above it')
    with pytest.raises(UnknownNameError, match=message):
        ATTENTION.get('Forgotten')
    with pytest.raises(UnknownNameError, match='A plugin of your own must be imported'):
        ATTENTION.get('Path')  # a library's
    monkeypatch.delitem(sys.modules, 'plugin_without_line')
