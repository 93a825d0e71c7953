"""The arguments of a dict with a ``type``, checked against the class that it names."""
import re

from mlaface.engine.config_parts.kinds import find_part
from mlaface.engine.config_parts.options import DELETE
from mlaface.engine.config_parts.origins import dotted
from mlaface.engine.errors import ConfigError
from mlaface.registry import check_arguments, check_required, nearest, parameters_of

# what the engine hands to the parts of a registry that it builds itself
SUPPLIED = dict(OPTIMIZERS={'params'}, PARAM_SCHEDULERS={'optimizer', 'param_name'}, DATASETS=(), TRANSFORMS=(),
                LOSSES=(), METRICS=(), HOOKS=(), LOOPS={'runner', 'dataloader', 'evaluator'},
                DATA_SAMPLERS={'dataset', 'batch_size', 'seed'})
TRUTH = ('true', 'false', 'yes', 'no', 'on', 'off')


def check_typed(value, where, room, origins, beside):
    """Check type and arguments of one dict.

    Args:
        value (dict): The dict.
        where (str): Where it stands: ``train_dataloader.dataset.transforms[0]``.
        room (str): Name of the registry of its type.
        origins (Origins): Which file states what.
        beside (set[str]): Keys that it may have and that are no arguments.

    Raises:
        ConfigError: If the registry has no such type, or it cannot stand there, or it does not take, or lacks, an
            argument; says where the key is stated and, if it is that of an inherited type, how it is left out.
    """
    target = find_part(value['type'], where, room, origins, 'type')
    arguments = [key for key in value if key not in beside]
    known = parameters_of(target)
    unknown = [key for key in arguments if known is not None and key not in known]
    inherited = {key: origin for key in unknown if (origin := _inherited(origins, where, key)) is not None}
    try:
        for key in unknown:
            if key not in inherited:
                check_arguments(target, [key], f'{where}{origins.elsewhere(where, key)}: ', beside)
        if inherited:
            raise ConfigError(f'{origins}: {_leave_out(value, where, target, inherited, origins)} It takes: '
                              f'{", ".join(known)}.')
        if room in SUPPLIED:
            check_required(target, {*SUPPLIED[room], *arguments}, f'{where}: ')
    except TypeError as error:
        nothing = unknown and value[unknown[0]] is None
        removal = f' {dotted(where, unknown[0])}={DELETE} among --cfg-options leaves it out.' if nothing else ''
        raise ConfigError(f'{origins}: {error}{removal}') from error
    _check_slips(value, where, parameters_of(target) or {}, origins)


def _inherited(origins, where, key):
    """Where a key is stated, if that is further up the line of files than the type beside it; else None."""
    kind, stated = (origins.of(where, name) for name in ('type', key))
    return stated if kind is not None and stated is not None and stated.depth > kind.depth else None


def _leave_out(value, where, target, inherited, origins):
    """That an inherited key does not fit the type, and the words by which it is left out."""
    files = ' and '.join(dict.fromkeys(map(str, inherited.values())))
    options = ' '.join(f'{dotted(where, key)}={DELETE}' for key in inherited)
    kind = origins.of(where, 'type')
    kept = {DELETE: True, 'type': value['type'], **{key: entry for key, entry in value.items() if key not in inherited}}
    name, *inner = dotted(where).split('.')
    text = _text(kept)
    for key in reversed(inner):
        text = f'dict({key}={text})'
    file = kind.file if kind.depth else 'a file'
    written = f'write {name} = {text} in {file}' if '[' not in where else f'write the list anew in {file}'
    argument, them = ('argument', 'it') if len(inherited) == 1 else ('arguments', 'them')
    keys = ' and '.join(map(repr, inherited))
    return (f'{where}: {target.__name__} has no {argument} {keys}, inherited from {files}. '
            f'To leave {them} out, add {options} to --cfg-options, or {written}.')


def _text(value):
    """A value as a config file writes it."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={_text(entry)}" for key, entry in value.items())})'
    if isinstance(value, list):
        return f'[{", ".join(map(_text, value))}]'
    return repr(value)


def _check_slips(value, where, parameters, origins):
    """Refuse a text that reads like the truth value or number that the class has by default, and None for a list."""
    for key, entry in value.items():
        default = getattr(parameters.get(key), 'default', None)
        if entry is None and isinstance(default, (list, tuple)):
            raise ConfigError(f'{origins}: {where}.{key}{origins.elsewhere(where, key)} is None. Write [] for none, '
                              f'or leave it out for {default}')
        if not isinstance(entry, str) or not isinstance(default, (bool, int, float)):
            continue
        place = f'{origins}: {where}.{key}{origins.elsewhere(where, key)} is the text {entry!r}'
        if isinstance(default, bool) and nearest(entry, TRUTH, cutoff=0.6):
            raise ConfigError(f'{place}. Write True or False')
        if not isinstance(default, bool) and re.fullmatch(r'[-+]?[\d.]+(e[-+]?\d+)?', entry.strip()):
            raise ConfigError(f'{place}. Write the number without quotes: {entry.strip()}')
