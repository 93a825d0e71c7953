"""Configs that are checked before anything is built: a mistyped key is an error, not a default."""
import inspect
from pathlib import Path

from mlaface.engine.config_parts.arguments import check_typed
from mlaface.engine.config_parts.kinds import find_part
from mlaface.engine.config_parts.options import DELETE, apply_options
from mlaface.engine.config_parts.origins import Origins
from mlaface.engine.config_parts.read import import_plugins, read_config
from mlaface.engine.config_parts.shapes import check_counts, check_shape, check_together, is_registered
from mlaface.engine.data import check_evaluation_sets, fill_num_classes
from mlaface.engine.errors import ConfigError
from mlaface.engine.param_groups import OPTIONS
from mlaface.registry import MODELS, check_arguments, did_you_mean, nearest
from mlaface.utils.configs import find_config, shipped_configs

__all__ = ['load_config', 'check_config', 'check_together', 'fill_num_classes', 'check_evaluation_sets', 'known_keys']

OWN_KEYS = {'runner_type', 'custom_imports', 'model_wrapper_cfg', 'sync_bn', 'init_centers'}
UNUSED_KEYS = {'self', 'cfg', 'data_preprocessor', 'log_processor'}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
LOG_LEVELS = 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'NOTSET'
PRIORITIES = ('HIGHEST', 'VERY_HIGH', 'HIGH', 'ABOVE_NORMAL', 'NORMAL', 'BELOW_NORMAL', 'LOW', 'VERY_LOW', 'LOWEST')
TEXTS = 'runner_type', 'work_dir', 'load_from', 'experiment_name', 'launcher'
SWITCHES = ('sync_bn', 'auto_scale_lr.enable', 'randomness.deterministic', 'randomness.diff_rank_seed',
            'env_cfg.cudnn_benchmark')
# dicts without a type, by where they stand: the keys that they may have
PLAIN = {'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
         'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
         'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
         'auto_scale_lr': {'enable', 'base_batch_size'},
         'custom_imports': {'imports', 'allow_failed_imports'},
         'optim_wrapper.clip_grad': {'max_norm'},
         'optim_wrapper.paramwise_cfg': set(OPTIONS)}
SPECIAL = {'type', '_scope_', 'priority', 'convert_to_iter_based'}
# config key -> registry of the dicts below it; others inherit that of the dict around them
ROOMS = dict(model='MODELS', attention='ATTENTION', margin='MARGINS', losses='LOSSES', dataset='DATASETS',
             sampler='DATA_SAMPLERS', batch_sampler='DATA_SAMPLERS', transforms='TRANSFORMS', pipeline='TRANSFORMS',
             val_evaluator='METRICS', test_evaluator='METRICS', metrics='METRICS', default_hooks='HOOKS',
             custom_hooks='HOOKS', train_cfg='LOOPS', val_cfg='LOOPS', test_cfg='LOOPS',
             param_scheduler='PARAM_SCHEDULERS', optim_wrapper='OPTIM_WRAPPERS', optimizer='OPTIMIZERS',
             model_wrapper_cfg='MODEL_WRAPPERS', visualizer='VISUALIZERS', vis_backends='VISBACKENDS',
             collate_fn=None, worker_init_fn=None)


def known_keys():
    """The keys that the top level of a config may have (set of str)."""
    from mmengine.runner import Runner
    return (set(inspect.signature(Runner.__init__).parameters) | OWN_KEYS) - UNUSED_KEYS


def load_config(path, cfg_options=None):
    """Read a config file, override some values, and check it.

    Reading a config runs it: read only files that you would run.

    Args:
        path (str | Path): A Python config; see ``find_config``.
        cfg_options (Sequence[str] | dict, optional): Changes as the command line has them,
            ``['optim_wrapper.optimizer.lr=0.02']``, or dotted keys to values, ``{'optim_wrapper.optimizer.lr': 0.02}``.

    Returns:
        Config: The config, with plug-ins of ``custom_imports`` imported.

    Raises:
        ConfigError: If the file is not there, cannot be read, or holds a key, type or argument that nobody knows;
            names the file, the key and the nearest name.
    """
    path = find_config(path)
    if not path.is_file():
        folders = [path.parent, *([shipped_configs()] if path.parent == Path('configs') else [])]
        close = nearest(path.name, [file.name for folder in folders for file in folder.glob('*.py')])
        raise ConfigError(f'no config at {path}' + (f'; did you mean {path.with_name(close)}?' if close else ''))
    config = read_config(path)
    origins = Origins(path, apply_options(config, cfg_options or (), path))
    if any(keys[0] == 'custom_imports' for keys in origins.options):
        import_plugins(config, path)
    name_default_hooks(config, origins)
    write_out_model(config, path)
    check_config(config, origins)
    return config


def name_default_hooks(config, source='config'):
    """Give each of ``default_hooks`` that states no type the type of the runner's own of that name.

    Args:
        config (Config): Changed in place.
        source (str | Path): Its file, for messages.

    Raises:
        ConfigError: If a hook without a type is none of the runner's; names the nearest.
    """
    from mlaface.engine.runner import DEFAULT_HOOKS
    hooks = config.get('default_hooks')
    for name, hook in hooks.items() if isinstance(hooks, dict) else ():
        if isinstance(hook, (str, int, float, list)):
            raise ConfigError(f'{source}: default_hooks.{name} is {hook!r}, but is written dict(KEY=VALUE), or None '
                              'to have no such hook')
        if not isinstance(hook, dict) or 'type' in hook:
            continue
        if name not in DEFAULT_HOOKS:
            raise ConfigError(f'{source}: default_hooks.{name} states no type'
                              + _hint(name, DEFAULT_HOOKS, 'The runner has'))
        hook['type'] = DEFAULT_HOOKS[name]['type']


def write_out_model(config, source='config'):
    """Replace a model whose class has ``written_out`` by what that says: the parts of a network that has one name.

    Args:
        config (Config): Changed in place.
        source (str | Path): Its file, for messages.

    Raises:
        ConfigError: If the class does not take an argument.
    """
    model = config.get('model')
    if not isinstance(model, dict) or not isinstance(model.get('type'), str) or model['type'] not in MODELS.names():
        return
    target, arguments = MODELS.get(model['type']), {key: model[key] for key in model if key not in SPECIAL}
    if hasattr(target, 'written_out'):
        try:
            check_arguments(target, arguments, 'model: ')
            config.model = target.written_out(**arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(f'{source}: {error}') from error


def check_config(config, source='config'):
    """Check all keys of a config; see ``load_config``.

    Args:
        config (dict): The config.
        source (str | Path | Origins): Its file, for messages.
    """
    origins = source if isinstance(source, Origins) else Origins(source)
    known = known_keys()
    for key in config:
        if key not in known and not key.startswith('_'):
            raise ConfigError(f'{origins}: unknown key {key!r}{origins.elsewhere(key)}'
                              + _hint_of_key(key, config, known))
    for key, value in config.items():
        if not key.startswith('_'):
            _check(value, key, ROOMS.get(key), origins)
    _check_hook_names(config.get('default_hooks'), origins)
    _check_words(config, origins)
    _check_plain_values(config, origins)
    _check_shuffle(config, origins)
    if 'runner_type' in config and isinstance(config['runner_type'], str):
        find_part(config['runner_type'], 'runner_type', 'RUNNERS', origins)
    check_counts(config, origins)


def _check_words(config, origins):
    """Refuse a word where there are a few that are known."""
    hooks = [*(config.get('custom_hooks') or ()), *(config.get('default_hooks') or {}).values()]
    hooks = [hook for hook in hooks if isinstance(hook, dict)]
    for where, value, known in (('log_level', config.get('log_level'), LOG_LEVELS),
                                ('default_scope', config.get('default_scope'), ('mlaface',)),
                                *((f'{hook["type"]}: priority', hook.get('priority'), PRIORITIES) for hook in hooks)):
        if isinstance(value, str) and value not in known:
            raise ConfigError(f'{origins}: {where} is {value!r}{did_you_mean(value, known)} There are '
                              f'{", ".join(known)}.')


def _check_plain_values(config, origins):
    """Refuse what is no text, or neither True nor False: 'no' would be taken for True."""
    for where in (*TEXTS, *SWITCHES):
        around, _, key = where.rpartition('.')
        value = (config.get(around) or {}).get(key) if around else config.get(key)
        kind, form = (bool, 'True or False') if where in SWITCHES else ((str, Path), 'a text')
        if value is not None and not isinstance(value, kind):
            raise ConfigError(f'{origins}: {where}{origins.elsewhere(where)} is {value!r}. Write {form}')


def _check_shuffle(config, origins):
    """Refuse torch's way to ask for an order: a loader of ours has a sampler, whose order is part of a checkpoint."""
    for key in LOADERS:
        if isinstance(config.get(key), dict) and 'shuffle' in config[key]:
            remedy = ("sampler=dict(type='EpochSampler', shuffle=False) there trains in the order of the files"
                      if key == 'train_dataloader' else 'evaluation does not depend on the order')
            raise ConfigError(f'{origins}: {key}{origins.elsewhere(key, "shuffle")} has shuffle, which is said by its '
                              f'sampler: leave it out; {remedy}')


def _check_hook_names(hooks, origins):
    """Refuse a hook whose name is nearly that of one of the runner's, which would then run beside it."""
    from mlaface.engine.runner import DEFAULT_HOOKS
    for name in hooks or ():
        if name not in DEFAULT_HOOKS and nearest(name, DEFAULT_HOOKS, cutoff=0.75):
            raise ConfigError(f'{origins}: default_hooks{origins.elsewhere("default_hooks", name)} has {name!r}'
                              + _hint(name, DEFAULT_HOOKS, 'A hook of your own goes into custom_hooks. The runner has'))


def _hint(word, known, introduction):
    """The nearest name, and all there are."""
    return f'{did_you_mean(word, known)} {introduction} {", ".join(sorted(known))}.'


def _hint_of_key(key, config, known):
    """The places where a key has a meaning, or the nearest name at the top, and all there are."""
    places = sorted(_places(config, key), key=lambda place: place.count('.'))
    places = [place for place in places if place.count('.') == places[0].count('.')]
    introduction = 'A variable of your own begins with an underscore. Keys:'
    if not places:
        return _hint(key, known, introduction)
    return f'; did you mean {" or ".join(map(repr, places))}? {introduction} {", ".join(sorted(known))}.'


def _places(value, key, where=''):
    """Dotted paths, below the top, that end with a key."""
    for name, entry in value.items():
        if where and name == key:
            yield f'{where}{name}'
        if isinstance(entry, dict) and (where or name != key):
            yield from _places(entry, key, f'{where}{name}.')


def _plain_keys(where):
    """The keys that a dict without a type may have at ``where``; None where any goes."""
    if where in LOADERS:
        from torch.utils.data import DataLoader
        return set(inspect.signature(DataLoader).parameters) - {'generator'}
    return PLAIN.get(where)


def _check(value, where, room, origins):
    """Check a value and all that is inside it; ``room`` is the name of the registry of dicts with a ``type``."""
    known, name = _plain_keys(where), where.rpartition('.')[2].partition('[')[0]
    if isinstance(value, dict) and room is not None and 'type' not in value:
        _check_type_is_spelled(value, where, room, origins)
    change = where.startswith('custom_hooks[') and '].' in where  # a hook may be told a part's arguments alone
    if (name in ROOMS and not change) or known is not None:
        check_shape(value, where, room, known, origins)
    if isinstance(value, str) and value == DELETE:
        raise ConfigError(f'{origins}: {where}{origins.elsewhere(where)}: {DELETE!r} is a word of the command line; in '
                          f'a file the dict around is written dict({DELETE}=True, ...) with all that it is to have')
    if isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            _check(entry, f'{where}[{number}]', room, origins)
    elif isinstance(value, dict):
        _check_dict(value, where, room, known, origins)


def _check_dict(value, where, room, known, origins):
    """Check the keys of a dict, and all that is inside it."""
    if DELETE in value:
        raise ConfigError(f'{origins}: {where}.{DELETE}: nothing is inherited there that it could leave out. Remove it')
    if isinstance(value.get('type'), str) and room is not None:
        check_typed(value, where, room, origins, _special(where))
    for key, entry in value.items():
        if known is not None and key not in known:
            raise ConfigError(f'{origins}: {where}{origins.elsewhere(where, key)} has no {key!r}'
                              + _hint(key, known, 'It takes:'))
        _check(entry, f'{where}.{key}', ROOMS.get(key, room), origins)


def _check_type_is_spelled(value, where, room, origins):
    """Refuse a dict without a type that has, under a name that is nearly ``type``, the name of a part."""
    for key, entry in value.items():
        if isinstance(entry, str) and nearest(str(key), ['type'], cutoff=0.7) and is_registered(room, entry):
            raise ConfigError(f"{origins}: {where}{origins.elsewhere(where, key)} has no 'type', but {key!r}; did you "
                              "mean 'type'?")


def _special(where):
    """Keys beside the arguments that a dict may have."""
    beside = {'losses': {'weight', 'name'}, 'vis_backends': {'name'}}
    if where.endswith(']') and (key := where.rpartition('[')[0].rpartition('.')[2]) in beside:
        return SPECIAL | beside[key]
    return SPECIAL | ({'optimizer', 'constructor', 'paramwise_cfg'} if where == 'optim_wrapper' else set())
