"""What is changed in a config from outside it: ``KEY=VALUE`` of the command line, with its removals."""
import re
from typing import NamedTuple

from mmengine.config import ConfigDict

from mlaface.engine.config_parts.values import read_value
from mlaface.engine.errors import ConfigError
from mlaface.registry import did_you_mean

DELETE = '_delete_'  # X._delete_=True: nothing of X is inherited; X.KEY=_delete_: KEY is not
EXAMPLE = 'Write KEY=VALUE, as optim_wrapper.optimizer.lr=0.02, and quotes around the whole if a value has blanks, ' \
          'brackets or quotes'


class Option(NamedTuple):
    """One change: the keys on the way to it, the value, and the text of the value as it was typed, if it was."""

    keys: tuple
    value: object
    text: str | None = None

    @property
    def name(self):
        """The keys as they are typed (str)."""
        return '.'.join(self.keys)


def apply_options(config, given, source):
    """Change a config: first what drops inherited parts, then what sets values, then what removes single ones.

    Args:
        config (Config): Changed in place.
        given (Sequence[str] | dict): ``['KEY=VALUE', ...]``, or dotted keys to Python values.
        source (str | Path): The config's file, for messages.

    Returns:
        list[tuple[str]]: The keys that were stated.

    Raises:
        ConfigError: If a change cannot be read, or does not fit the config; says how it is written.
    """
    tree = config._cfg_dict
    try:
        options = [part for option in _read(given) for part in _flattened(option)]
        for option in options:
            if option.keys[-1] == DELETE:
                _start_anew(tree, option)
        for option in options:
            if option.keys[-1] != DELETE and not _removes(option):
                _set(tree, option)
        _remove_all(tree, [option for option in options if _removes(option)])
    except ValueError as error:
        raise ConfigError(f'{source}: --cfg-options {error}') from error
    return [option.keys for option in options]


def _read(given):
    """Options of ``given``, in order."""
    if isinstance(given, dict):
        return [Option(_keys(key), value) for key, value in given.items()]
    return [_read_text(text) for text in given]


def _read_text(given):
    key, equals, text = given.partition('=')
    if not equals:
        raise ValueError(f"{given!r} has no '='. {EXAMPLE}")
    keys = _keys(key)
    if not text.strip():
        raise ValueError(f"{key}= has no value. Write {key}=None, or {key}={DELETE} to leave it out, or \"{key}=''\" "
                         'for an empty text')
    try:
        return Option(keys, read_value(text), text.strip())
    except ValueError as error:
        raise ValueError(f'{key}: {error}. {EXAMPLE}: "optim_wrapper.optimizer=dict(type=\'SGD\', lr=0.02)"') from error


def _keys(key):
    """The keys of ``a.b.0`` or ``a.b[0]``."""
    keys = tuple(re.sub(r'\[(-?\w+)\]', r'.\1', key.strip()).split('.'))
    if not all(keys):
        raise ValueError(f'{key}=: a key between two dots is empty. {EXAMPLE}')
    return keys


def _flattened(option):
    """An option for each value of a dict, which is merged into what is there, as in a file."""
    if not isinstance(option.value, dict) or not option.value or not all(isinstance(key, str) for key in option.value):
        return [option]
    parts = [Option((*option.keys, *_keys(key)), value) for key, value in option.value.items()]
    return [deeper for part in parts for deeper in _flattened(part)]


def _removes(option):
    return isinstance(option.value, str) and option.value == DELETE


def _start_anew(tree, option):
    """Drop all that is inherited at a place: ``X._delete_=True``."""
    if option.value is not True:
        raise ValueError(f'{option.name}: only {option.name}=True has a meaning: nothing of the dict is inherited. A '
                         f'single key is left out by {".".join(option.keys[:-1])}.KEY={DELETE}')
    if len(option.keys) == 1:
        raise ValueError(f'{DELETE}: a config cannot be left out as a whole. Write X.{DELETE}=True')
    node, key = _holder(tree, option.keys[:-1], option.name)
    node[key] = ConfigDict()


def _remove_all(tree, options):
    """Remove single keys and entries of lists, which keep their numbers until all are found."""
    found = [_holder(tree, option.keys, option.name) for option in options]
    for node, key in sorted(found, key=lambda place: place[1] if isinstance(place[1], int) else -1, reverse=True):
        del node[key]


def _holder(tree, keys, name):
    """The dict or list that holds the last of ``keys``, which must be there, and that key."""
    node = tree
    for depth, key in enumerate(keys):
        key = _key_of(node, key, keys[:depth])
        if isinstance(node, dict) and key not in node:
            where = '.'.join(keys[:depth]) or 'the config'
            raise ValueError(f'{name}: there is nothing to leave out: {where} has no {key!r}' + did_you_mean(key, node)
                             + f' It has: {", ".join(node)}.')
        if depth == len(keys) - 1:
            return node, key
        node = node[key]


def _set(tree, option):
    """Set one value; dicts on the way to it that are not there are made."""
    node = tree
    for depth, key in enumerate(option.keys[:-1]):
        key = _key_of(node, key, option.keys[:depth])
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = ConfigDict()
        node = node[key]
    key = _key_of(node, option.keys[-1], option.keys[:-1])
    _check_form(option, node.get(key) if isinstance(node, dict) else node[key])
    node[key] = ConfigDict(value=option.value)['value']  # dicts in it become ConfigDicts


def _key_of(node, key, above):
    """The key as ``node`` takes it: a list takes numbers, a dict anything, a value nothing."""
    where = '.'.join(above)
    if isinstance(node, dict):
        return key
    if isinstance(node, list) and key.isdigit() and int(key) < len(node):
        return int(key)
    if isinstance(node, list):
        entries = f'whose entries are {where}.0 to {where}.{len(node) - 1}' if node else 'and empty'
        raise ValueError(f'{where}.{key}: {where} is a list, {entries}. The whole is written "{where}=[...]"')
    if isinstance(node, tuple):
        raise ValueError(f'{where}.{key}: {where} is the tuple {node}, which is written whole: "{where}=(...)"')
    raise ValueError(f'{where}.{key}: {where} is {node!r}, which has nothing below it. Write {where}=VALUE')


def _check_form(option, old):
    """Refuse a value that can only be a slip, seen from the one that it replaces; quotes make any text welcome."""
    name, value, text = option.name, option.value, option.text or repr(option.value)
    quoted, typed = text[:1] in ('"', "'"), option.text is not None
    if isinstance(old, dict) and not (value is None or isinstance(value, dict)) and \
            not (isinstance(value, bool) and 'type' not in old):
        by_type = f'{name}.type={value} for another type, ' if isinstance(value, str) and 'type' in old else ''
        raise ValueError(f'{name} is a dict of {", ".join(old) or "nothing"}, and {text} is none. Write {by_type}'
                         f'{name}.KEY=VALUE, or "{name}=dict(KEY=VALUE)" with quotes around')
    if isinstance(old, (list, tuple)) and (isinstance(value, (int, float)) or (
            isinstance(value, str) and any(isinstance(entry, dict) for entry in old))):
        entry = text if isinstance(value, (int, float)) else f"dict(type='{value}')"
        form = f'[{entry}]' if isinstance(old, list) else f'({entry},)'
        raise ValueError(f'{name} is a {type(old).__name__} of {len(old)}, and {text} is none. Write "{name}={form}"')
    if typed and isinstance(old, bool) and isinstance(value, (str, list)) and not quoted:
        raise ValueError(f'{name} is {old}, and {text} is no truth value. Write {name}=True or {name}=False')
    if typed and isinstance(old, (int, float)) and not quoted and (
            isinstance(value, str) or (isinstance(value, list) and text[:1] != '[')):
        raise ValueError(f'{name} is the number {old}, and {text} is none. Write {name}=NUMBER, or '
                         f'"{name}=\'{text}\'" if a text is meant')
