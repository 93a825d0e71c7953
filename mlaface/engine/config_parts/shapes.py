"""The form that the value of a key has: a dict with a type, a list of such, or a dict of known keys."""
from mlaface.engine.config_parts.options import DELETE
from mlaface.engine.config_parts.origins import dotted
from mlaface.engine.errors import ConfigError
from mlaface.registry import REGISTRIES, nearest

LISTS = ('custom_hooks', 'transforms', 'pipeline', 'vis_backends', 'losses')  # of dicts with a type
DICTS_OR_LISTS = ('param_scheduler', 'val_evaluator', 'test_evaluator', 'metrics')
UNTYPED = ('optim_wrapper', 'train_cfg', 'val_cfg', 'test_cfg', 'default_hooks', 'visualizer', 'model_wrapper_cfg',
           'collate_fn', 'worker_init_fn')  # the engine gives them a type of its own
# None has no meaning
NEEDED = ('model', 'optim_wrapper.optimizer', 'train_dataloader.dataset', 'train_dataloader.sampler')
# whole numbers, and the least that each may be
COUNTS = {'train_dataloader.batch_size': 1, 'val_dataloader.batch_size': 1, 'test_dataloader.batch_size': 1,
          'train_dataloader.num_workers': 0, 'val_dataloader.num_workers': 0, 'test_dataloader.num_workers': 0,
          'randomness.seed': 0, 'optim_wrapper.accumulative_counts': 1, 'auto_scale_lr.base_batch_size': 1}
OR_NONE = 'randomness.seed', 'auto_scale_lr.base_batch_size'
# what is there together or not at all
TOGETHER = (('train_dataloader', 'train_cfg', 'optim_wrapper'), ('val_dataloader', 'val_cfg', 'val_evaluator'))


def check_shape(value, where, room, keys, origins):
    """Check the form of a value whose key has a meaning to the engine.

    Args:
        value (object): Any value. Objects that are built already are left alone.
        where (str): Where it stands.
        room (str or None): Name of the registry of the parts that stand there.
        keys (set[str] or None): Those of a dict without a type, where there is one.
        origins (Origins): Which file states what.

    Raises:
        ConfigError: If it has another form; shows how it is written.
    """
    name, entry = where.rpartition('.')[2], where.endswith(']')
    known = _is_the_engines(where) or (room is not None and is_registered(room, value))
    fault = _fault(value, name.partition('[')[0], entry, keys, known)
    if value is None and (where in NEEDED or entry):
        fault = 'is None'
    if fault:
        removal = f'; {dotted(where)}={DELETE} among --cfg-options leaves it out' if entry and value is None else ''
        raise ConfigError(f'{origins}: {where}{origins.elsewhere(where)} {fault}, but is written '
                          f'{_form(value, name, entry, room, keys)}{removal}')


def _fault(value, name, entry, keys, known):
    """What is wrong with the form of a value, or None."""
    if isinstance(value, (str, int, float)):
        return f'is {value!r}' if known else None
    if isinstance(value, (list, tuple)):
        return 'is a list' if known and not entry and name not in (*LISTS, *DICTS_OR_LISTS) else None
    if not isinstance(value, dict):
        return None
    if name in LISTS and not entry:
        return 'is a dict' if known or 'type' in value else None
    typed = known and keys is None and name not in UNTYPED and 'type' not in value
    return f'is a dict of {", ".join(value) or "nothing"}, without a type' if typed else None


def _is_the_engines(where):
    """Whether the engine says what stands here, and no plugin: not so inside a model or a data set."""
    keys = where.partition('[')[0].split('.')
    return len(keys) == 1 or (keys[0] in ('optim_wrapper', 'visualizer') and len(keys) == 2) or (
        keys[0].endswith('_dataloader') and (len(keys) == 2 or keys[1:] == ['dataset', 'transforms']))


def is_registered(room, name):
    """Whether a text is the name of a part of a registry or of MMEngine's beside it.

    Args:
        room (str): Name of the registry.
        name (object): Anything.

    Returns:
        bool: False for all that is no text.
    """
    return isinstance(name, str) and name in _names(room)


def _names(room):
    parent = REGISTRIES[room].parent
    return [*REGISTRIES[room].names(), *(parent.module_dict if parent is not None else ())]


def _form(value, name, entry, room, keys):
    """How a value is written, with the nearest type that there is."""
    if keys is not None:
        return f'dict(KEY=VALUE) with keys of {", ".join(sorted(keys))}'
    word = value if isinstance(value, str) else ''
    names = _names(room) if room is not None else []
    form = f'dict(type={(nearest(word, names) if word else None) or "NAME"!r}, ...)'
    return f'[{form}]' if name in LISTS and not entry else form


def check_counts(config, origins):
    """Refuse numbers of images, processes and the like that are none, or too low.

    Args:
        config (dict): The config.
        origins (Origins): Its file, for messages.

    Raises:
        ConfigError: Names the key.
    """
    for where, least in COUNTS.items():
        around, key = where.split('.')
        given = config.get(around)
        if not isinstance(given, dict) or key not in given or (where in OR_NONE and given[key] is None):
            continue
        value = given[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f'{origins}: {where}{origins.elsewhere(where)} is {value!r}. Write a whole '
                              f'number of at least {least}')


def check_together(config, source='config'):
    """Refuse a training or validation of which only a part is there.

    Args:
        config (dict): The config.
        source (str | Path): Its file, for messages.

    Raises:
        ConfigError: If some of the keys that belong together are missing or None, and others are not.
    """
    for group in TOGETHER:
        given = [key for key in group if config.get(key) is not None]
        missing = [key for key in group if key not in given]
        if given and missing:
            without = ' '.join(f'{key}=None' for key in given)
            raise ConfigError(f'{source}: {" and ".join(missing)} missing or None: {", ".join(group)} go together. '
                              f'State all of them, or set {without} too')
