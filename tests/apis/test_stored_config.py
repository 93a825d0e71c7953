"""The config inside a checkpoint: what MMEngine writes is read back, and nothing else is done on the word of a file."""
import math
from keyword import iskeyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from mlaface.apis import init_model
from mlaface.apis.stored_config import check_parts, imports_of
from mlaface.engine.checkpoint import store
from mlaface.utils.configs import config_from_text
from mlaface.utils.errors import InputError
from mlaface.utils.literals import read_literal
from tests.damage import damaged_copies
from tests.engine import toy
from tests.engine.test_finetuning import MODEL

# keys as configs have them: names, parts of networks, numbers; MMEngine writes quotes in a key as they are
KEYS = st.from_regex(r'[a-z_][a-z0-9_]{0,5}(\.[a-z0-9_]{1,4})?', fullmatch=True)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2**70, 2**70), st.floats(allow_nan=False),
              st.text(st.characters(exclude_categories=['Cc', 'Cs']), max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.tuples(inner), st.tuples(inner, inner), st.dictionaries(
        st.one_of(KEYS, st.integers(-3, 3)), inner, max_size=3)), max_leaves=6)
NAMES = KEYS.filter(lambda key: '.' not in key and not iskeyword(key))


@settings(max_examples=40)
@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_what_mmengine_writes_is_read(content):
    config = Config(content)
    assert config_from_text(config.pretty_text, 'a.pth') == config.to_dict()


@settings(max_examples=100)
@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_what_python_writes_is_read(content):
    assert read_literal(repr(content)) == content


def test_numbers_that_are_no_literals_are_read():
    found = config_from_text('a = inf\nb = [-inf, nan]\nc = dict(d=-1e400)\n', 'a.pth')
    assert found['a'] == math.inf and found['b'][0] == -math.inf and math.isnan(found['b'][1])
    assert found['c'] == dict(d=-math.inf)


@pytest.mark.parametrize('text', [
    'a = open("evil", "w")', 'import os', 'a = __import__("os")', 'a = [x for x in ()]', 'a = b', 'a.b = 1',
    'a[0] = 1',
    'a = dict(**{})', 'a = dict({**{}})', 'a = dict([])', 'a = dict({}, {})', 'a = (lambda: 1)()', 'a = 1 if 1 else 2',
    'a = {[1]: 2}', 'a = {1: {dict(): 3}}', 'a = f"{1}"', 'a: int = 3', 'a += 1', 'def f(): pass', '1', 'a = "',
    'a = \0', 'a = dict', 'a = -dict',
    'a = dict.fromkeys([])', 'a = ' + '[' * 5000, 'a = ' + '-' * 100000 + '1', 'a = infinity'])
def test_whatever_is_no_plain_value_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='the config inside a.pth is not of plain values .*give a config') as error:
        config_from_text(text, 'a.pth')
    assert len(str(error.value).splitlines()) == 1 and not list(tmp_path.iterdir())


def test_a_damaged_text_is_read_or_refused():
    text = Config(dict(model=dict(type='A', parts=[1, 2.5, None], more={'a.b': dict(c='ü')}), steps=(1, 2))).pretty_text
    for copy in damaged_copies(text.encode(), 300):
        try:
            assert isinstance(config_from_text(copy.decode(errors='replace'), 'a.pth'), dict)
        except ValueError as error:
            assert 'a.pth' in str(error)


def test_a_run_whose_rates_are_by_dotted_names_can_be_opened(tmp_path):
    """Such names are keys of a dict, which MMEngine writes as ``dict({'backbone.layer4': ...})``."""
    toy.run(tmp_path, model=dict(MODEL, frozen=[]), train_cfg__max_epochs=None, train_cfg__max_iters=1,
            val_dataloader=None, val_cfg=None, val_evaluator=None,
            optim_wrapper__paramwise_cfg=dict(custom_keys={'backbone.layer4': dict(lr_mult=0.1)}))
    model = init_model(store.checkpoints(tmp_path)[0], device='cpu')
    assert type(model.backbone).__name__ == 'IResNet'


@pytest.mark.parametrize('config, words', [
    (dict(type='os.system'), "names the part 'os.system', which is not registered"),
    (dict(type='IResNet', neck=[dict(deep=(dict(type=print),))]), 'which is not registered'),
    (dict(type=['IResNet']), 'which is not registered'), (dict(type=None), 'which is not registered'),
    (dict(type='IResNet', _scope_='mmengine'), "switches to the scope 'mmengine'"),
    (dict(type='IResNett'), "the nearest is 'IResNet'")])
def test_parts_that_are_not_ours_are_not_looked_up(config, words):
    with pytest.raises(InputError, match=words):
        check_parts(config, 'a.pth')


@settings(max_examples=40)
@given(st.one_of(VALUES, st.fixed_dictionaries(dict(imports=VALUES))))
def test_imports_are_told_and_never_done(asked):
    found = imports_of(dict(custom_imports=asked)) if not isinstance(asked, dict) or _listed(asked) else []
    assert all(isinstance(name, str) for name in found)


def _listed(asked):
    return isinstance(asked.get('imports'), (str, list, tuple, type(None)))
