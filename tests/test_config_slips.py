"""Properties of config checking: a slip anywhere in any shipped config is refused, and what was meant is named."""
import copy
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mlaface.engine.config import check_config, load_config
from mlaface.engine.config_parts.options import DELETE
from mlaface.engine.errors import ConfigError

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
NAMES = sorted(path.stem for path in CONFIGS.glob('*.py'))


@cache
def loaded(name):
    return load_config(CONFIGS / f'{name}.py')


def places(value, above=()):
    """The keys on the way to every key of a config."""
    entries = value.items() if hasattr(value, 'items') else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, entry in entries:
        if isinstance(key, str):
            yield (*above, key)
        yield from places(entry, (*above, key))


def holder(config, keys):
    for key in keys[:-1]:
        config = config[key]
    return config


@st.composite
def slips(draw):
    """A config, the way to one of its keys, and the key with a letter doubled, dropped or exchanged, or two turned."""
    name = draw(st.sampled_from(NAMES))
    keys = draw(st.sampled_from(sorted(places(loaded(name)), key=str)))
    word, at = keys[-1], draw(st.integers(0, len(keys[-1]) - 1))
    kind = draw(st.sampled_from(('double', 'drop', 'exchange', 'turn')))
    wrong = dict(double=word[:at] + word[at:at + 1] + word[at:], drop=word[:at] + word[at + 1:],
                 exchange=word[:at] + draw(st.sampled_from('aeinrt')) + word[at + 1:],
                 turn=word[:at] + word[at:at + 2][::-1] + word[at + 2:])[kind]
    assume(wrong and wrong != word and not wrong.startswith('_') and wrong not in holder(loaded(name), keys))
    return name, keys, wrong


@settings(max_examples=120, deadline=None)
@given(slips())
@example(('mla_r18w025_faces_small', ('model', 'backbone', 'attention', 'type'), 'tpye'))
@example(('mla_r18w025_faces_small', ('train_dataloader', 'dataset', 'transforms', 2, 'prob'), 'pro'))
@example(('mla_r18w025_faces_small', ('env_cfg', 'mp_cfg', 'opencv_num_threads'), 'opencv_num_thread'))
def test_a_mistyped_key_at_any_depth_is_refused_with_the_right_one(slip):
    name, keys, wrong = slip
    config = copy.deepcopy(loaded(name))
    around = holder(config, keys)
    around[wrong] = around.pop(keys[-1])
    with pytest.raises(ConfigError) as error:
        check_config(config, name)
    message = str(error.value)
    assert repr(wrong) in message and '\n' not in message
    named = re.search(r'did you mean (.+?)\?', message)
    assert keys[-1] in (named[1] if len(keys[-1]) > 3 else message), message  # short ones are in the list of all


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_leaving_a_key_out_on_the_command_line_is_never_stating_none(data):
    name = data.draw(st.sampled_from([name for name in NAMES if 'synthetic' in name]))
    keys = data.draw(st.sampled_from([keys for keys in sorted(places(loaded(name)), key=str) if keys[-1] != 'type']))
    assume(len(keys) > 1)
    dotted = '.'.join(map(str, keys))
    try:
        found = holder(load_config(CONFIGS / f'{name}.py', [f'{dotted}={DELETE}']), keys)
    except ConfigError as error:  # a key that is needed
        assert '\n' not in str(error) and 'nothing to leave out' not in str(error)
        return
    assert keys[-1] not in found
    expected = {key: value for key, value in holder(loaded(name), keys).items() if key != keys[-1]}
    assert found == expected
