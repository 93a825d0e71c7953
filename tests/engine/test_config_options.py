"""What is changed from the command line: values in every form, removals, and slips told with their remedy."""
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mlaface.engine.config import load_config
from mlaface.engine.config_parts.options import apply_options
from mlaface.engine.config_parts.values import read_value
from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS
from tests.engine.toy import config_file

TREE = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=False), head=None, sets=['lfw', 'cfp_fp'],
            flips=[dict(type='A', prob=0.5), dict(type='B'), dict(type='C')], scale=(0.9, 1.1), compile=dict(mode='x'))


def changed(*options):
    config = Config(TREE)
    apply_options(config, options, 'c.py')
    return config.to_dict()


@pytest.mark.parametrize('text, value', [
    ('1', 1), ('-0.1', -0.1), ('1e-3', 1e-3), ('true', True), ('False', False), ('None', None), ('08', 8),
    ('adam', 'adam'), ("'1'", '1'), ("'None'", 'None'), ("'_x y'", '_x y'), ('/a b/c(1).pth', '/a b/c(1).pth'),
    ("it's", "it's"),
    ('1,2', [1, 2]), ('1,', [1]), ('lfw,cfp_fp', ['lfw', 'cfp_fp']), ('[lfw, (1, 2), [a]]', ['lfw', (1, 2), ['a']]),
    ('(0.8, 1)', (0.8, 1)), ('[]', []), ("dict(type='SGD', betas=(1, 2))", dict(type='SGD', betas=(1, 2))),
    ("{'type': 'SGD'}", dict(type='SGD')), ("[dict(type='E')]", [dict(type='E')]), ('1+2j', '1+2j')])
def test_values_as_they_are_typed(text, value):
    found = read_value(text)
    assert found == value and type(found) is type(value)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.lists(inner).map(tuple)
                      | st.dictionaries(st.text(), inner), max_leaves=8)


@settings(deadline=None)
@given(NESTED)
@example('a\'b",c')
def test_what_python_shows_of_a_value_is_read_as_that_value(value):
    assert read_value(repr(value)) == value


@settings(deadline=None)
@given(st.text('abcdefgh_/-.() ', min_size=1).filter(lambda text: text == text.strip() and text[0] not in '('))
def test_words_are_themselves(text):
    assert read_value(text) == text


@pytest.mark.parametrize('text', ['[a', '(1, 2', "'a", '{type:SGD}', 'dict(type=SGD)', '[dict(type=SGD)]', "{'type':"])
def test_values_that_are_none(text):
    with pytest.raises(ValueError, match='not closed|no dict as Python'):
        read_value(text)


@pytest.mark.parametrize('options, key, value', [
    (['optimizer.lr=0.2'], 'optimizer', dict(type='SGD', lr=0.2, momentum=0.9, nesterov=False)),
    (['optimizer.momentum=None'], 'optimizer', dict(type='SGD', lr=0.1, momentum=None, nesterov=False)),
    (['optimizer.momentum=_delete_', 'optimizer.nesterov=_delete_'], 'optimizer', dict(type='SGD', lr=0.1)),
    (['optimizer.type=AdamW', 'optimizer._delete_=True'], 'optimizer', dict(type='AdamW')),  # in any order
    (["optimizer=dict(_delete_=True, type='AdamW')"], 'optimizer', dict(type='AdamW')),
    (["optimizer={'lr': 1}"], 'optimizer', dict(type='SGD', lr=1, momentum=0.9, nesterov=False)),  # merged
    (['optimizer=None'], 'optimizer', None), (['compile=False'], 'compile', False),
    (['head.margin.type=X'], 'head', dict(margin=dict(type='X'))), (['new.key=1'], 'new', dict(key=1)),
    (['sets=agedb_30'], 'sets', 'agedb_30'), (['sets.1=agedb_30'], 'sets', ['lfw', 'agedb_30']),
    (['sets=[a]', 'sets=[b]'], 'sets', ['b']), (['scale=(1,2)'], 'scale', (1, 2)),
    (['flips[0].prob=1'], 'flips', [dict(type='A', prob=1), dict(type='B'), dict(type='C')]),
    (['flips.0=_delete_', 'flips.2=_delete_'], 'flips', [dict(type='B')]),
    (['flips.0=_delete_', 'flips.2.prob=1'], 'flips', [dict(type='B'), dict(type='C', prob=1)]),
    (["optimizer.lr='auto'"], 'optimizer', dict(type='SGD', lr='auto', momentum=0.9, nesterov=False))])
def test_changes(options, key, value):
    assert changed(*options)[key] == value


def test_removing_at_the_top():
    assert 'sets' not in changed('sets=_delete_')


@pytest.mark.parametrize('option, message', [
    ('optimizer.lr', "'optimizer.lr' has no '='. Write KEY=VALUE"), ('optimizer.lr=', 'lr=_delete_ to leave it out'),
    ('optimizer..lr=1', 'a key between two dots is empty'), ('=1', 'is empty'),
    ('optimizer=AdamW', 'is a dict of type, lr, momentum, nesterov, and AdamW is none. Write optimizer.type=AdamW'),
    ('optimizer=5', 'optimizer.KEY=VALUE'), ('optimizer=[1]', 'is a dict'), ('optimizer=False', 'is a dict'),
    ('optimizer={type:AdamW}', "no dict as Python writes it.*quotes.*\"optim_wrapper.optimizer=dict"),
    ('optimizer.lr.x=1', 'optimizer.lr is 0.1, which has nothing below it. Write optimizer.lr=VALUE'),
    ('optimizer.lr=fast', r"""is the number 0.1, and fast is none. Write .*"optimizer.lr='fast'" if a text"""),
    ('optimizer.lr=0,1', 'the number 0.1, and 0,1 is none'),
    ('optimizer.nesterov=no', 'is False, and no is no truth value. Write optimizer.nesterov=True or'),
    ('optimizer.momentun=_delete_', "no 'momentun'; did you mean 'momentum'\\? It has: type, lr"),
    ('optimiser._delete_=True', "the config has no 'optimiser'; did you mean 'optimizer'"),
    ('optimizer._delete_=1', 'only optimizer._delete_=True'), ('_delete_=True', 'Write X._delete_=True'),
    ('flips=RandomFlip', r'''is a list of 3, and RandomFlip is none. Write "flips=\[dict\(type='RandomFlip'\)\]"'''),
    ('flips=3', r'Write "flips=\[3\]"'), ('scale=1', r'Write "scale=\(1,\)"'),
    ('flips.3.prob=1', r'whose entries are flips.0 to flips.2. The whole is written "flips=\[...\]"'),
    ('flips.-1.prob=1', 'flips.0 to flips.2'), ('flips.A.prob=1', 'flips.0 to flips.2'),
    ("flips=dict(type='A')", 'flips is a list'), ('scale.0=1', r'the tuple \(0.9, 1.1\), which is written whole')])
def test_slips_name_key_and_remedy(option, message):
    with pytest.raises(ConfigError, match=message) as error:
        changed(option)
    assert str(error.value).startswith('c.py: --cfg-options ') and '\n' not in str(error.value)


def test_plugins_of_the_command_line_are_imported(tmp_path, monkeypatch):
    (tmp_path / 'plugin_of_an_option.py').write_text(
        'from mmengine.hooks import Hook\nfrom mlaface.registry import HOOKS\n'
        "HOOKS.register_module(name='HookOfAnOption')(type('HookOfAnOption', (Hook,), {}))\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    options = ['custom_imports.imports=[tests.engine.toy, plugin_of_an_option]',
               "custom_hooks=[dict(type='HookOfAnOption')]"]
    assert load_config(config_file(tmp_path), options).custom_hooks[0].type == 'HookOfAnOption'
    HOOKS.module_dict.pop('HookOfAnOption')
    with pytest.raises(ConfigError, match="cannot import: No module named 'nowhere'.*PYTHONPATH"):
        load_config(config_file(tmp_path), ['custom_imports.imports=[nowhere]'])
