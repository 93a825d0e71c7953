"""Configs that are checked before anything is built: a mistyped key is an error, not a default."""
import inspect
from pathlib import Path

from mlaface.engine.data import check_evaluation_sets, fill_num_classes
from mlaface.engine.errors import ConfigError
from mlaface.engine.param_groups import OPTIONS
from mlaface.registry import REGISTRIES, check_arguments, nearest
from mlaface.utils.configs import find_config, shipped_configs

__all__ = ['load_config', 'check_config', 'fill_num_classes', 'check_evaluation_sets', 'known_keys']

OWN_KEYS = {'runner_type', 'custom_imports', 'model_wrapper_cfg', 'sync_bn', 'init_centers'}
UNUSED_KEYS = {'self', 'cfg', 'data_preprocessor', 'log_processor'}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
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
ROOMS = dict(model='MODELS', attention='ATTENTION', margin='MARGINS', dataset='DATASETS', sampler='DATA_SAMPLERS',
             batch_sampler='DATA_SAMPLERS', transforms='TRANSFORMS', pipeline='TRANSFORMS', val_evaluator='METRICS',
             test_evaluator='METRICS', metrics='METRICS', default_hooks='HOOKS', custom_hooks='HOOKS',
             train_cfg='LOOPS', val_cfg='LOOPS', test_cfg='LOOPS', param_scheduler='PARAM_SCHEDULERS',
             optim_wrapper='OPTIM_WRAPPERS', optimizer='OPTIMIZERS', model_wrapper_cfg='MODEL_WRAPPERS',
             visualizer='VISUALIZERS', vis_backends='VISBACKENDS', collate_fn=None, worker_init_fn=None)


def known_keys():
    """The keys that the top level of a config may have (set of str)."""
    from mmengine.runner import Runner
    return (set(inspect.signature(Runner.__init__).parameters) | OWN_KEYS) - UNUSED_KEYS


def load_config(path, cfg_options=None):
    """Read a config file, override some values, and check it.

    Reading a config runs it: read only files that you would run.

    Args:
        path (str | Path): A Python config; see ``find_config``.
        cfg_options (dict, optional): Dotted keys to values, ``{'optim_wrapper.optimizer.lr': 0.02}``.

    Returns:
        Config: The config, with plug-ins of ``custom_imports`` imported.

    Raises:
        ConfigError: If the file is not there, cannot be read, or holds a key, type or argument that nobody knows;
            names the file, the key and the nearest name.
    """
    from mmengine.config import Config
    path = find_config(path)
    if not path.is_file():
        folders = [path.parent, *([shipped_configs()] if path.parent == Path('configs') else [])]
        close = nearest(path.name, [file.name for folder in folders for file in folder.glob('*.py')])
        raise ConfigError(f'no config at {path}' + (f'; did you mean {path.with_name(close)}?' if close else ''))
    try:
        config = Config.fromfile(path, lazy_import=False)
    except (SyntaxError, NameError, KeyError, TypeError, AttributeError, FileNotFoundError) as error:
        raise ConfigError(f'{path} cannot be read: {type(error).__name__}: {error}') from error
    try:
        config.merge_from_dict(cfg_options or {})
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f'--cfg-options does not fit {path}: {error}') from error
    name_default_hooks(config, path)
    check_config(config, path)
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
    for name, hook in (config.get('default_hooks') or {}).items():
        if hook is None or 'type' in hook:
            continue
        if name not in DEFAULT_HOOKS:
            raise ConfigError(f'{source}: default_hooks.{name} states no type'
                              + _hint(name, DEFAULT_HOOKS, 'The runner has'))
        hook['type'] = DEFAULT_HOOKS[name]['type']


def check_config(config, source='config'):
    """Check all keys of a config; see ``load_config``.

    Args:
        config (dict): The config.
        source (str | Path): Its file, for messages.
    """
    known = known_keys()
    for key in config:
        if key not in known and not key.startswith('_'):
            raise ConfigError(f'{source}: unknown key {key!r}'
                              + _hint(key, known, 'A variable of your own begins with an underscore. Keys:'))
    for key, value in config.items():
        if not key.startswith('_'):
            _check(value, key, ROOMS.get(key), source)


def _hint(word, known, introduction):
    """The nearest name, and all there are."""
    close = nearest(word, known)
    return (f'; did you mean {close!r}?' if close else '.') + f' {introduction} {", ".join(sorted(known))}'


def _plain_keys(where):
    """The keys that a dict without a type may have at ``where``; None where any goes."""
    if where in LOADERS:
        from torch.utils.data import DataLoader
        return set(inspect.signature(DataLoader).parameters) - {'generator'}
    return PLAIN.get(where)


def _check(value, where, room, source):
    """Check a value and all that is inside it; ``room`` is the name of the registry of dicts with a ``type``."""
    if isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            _check(entry, f'{where}[{number}]', room, source)
    elif isinstance(value, dict):
        if isinstance(value.get('type'), str) and room is not None:
            _check_typed(value, where, room, source)
        known = _plain_keys(where)
        for key, entry in value.items():
            if known is not None and key not in known:
                raise ConfigError(f'{source}: {where} has no {key!r}' + _hint(key, known, 'It takes:'))
            _check(entry, f'{where}.{key}', ROOMS.get(key, room), source)


def _check_typed(value, where, room, source):
    """Check type and argument names of one dict."""
    try:
        target = REGISTRIES[room].get(value['type'])
        check_arguments(target, [key for key in value if key not in _special(where)])
    except (KeyError, TypeError) as error:
        raise ConfigError(f'{source}: {where}: {error.args[0] if error.args else error}') from error


def _special(where):
    """Keys beside the arguments that a dict may have."""
    return SPECIAL | ({'optimizer', 'constructor', 'paramwise_cfg'} if where == 'optim_wrapper' else set())
