"""What the engine can use where a part stands: a registry may have what is of another kind."""
import inspect
from importlib import import_module

from mlaface.engine.errors import ConfigError
from mlaface.registry import REGISTRIES
from mlaface.utils.errors import MissingPackageError

# key of a config, or registry -> what the classes there are derived from
KINDS = dict(runner_type='mlaface.engine.runner.FaceRunner', train_cfg='mlaface.engine.train_loop.FaceTrainLoop',
             val_cfg='mlaface.engine.evaluation_loop.EvaluationLoop',
             test_cfg='mlaface.engine.evaluation_loop.EvaluationLoop', HOOKS='mmengine.hooks.Hook',
             VISUALIZERS='mmengine.visualization.Visualizer', VISBACKENDS='mmengine.visualization.BaseVisBackend')
INSTEAD = dict(CheckpointHook='FaceCheckpointHook')  # parts of MMEngine that know its own checkpoints


def find_part(name, where, room, origins, *key):
    """The class that a name stands for.

    Args:
        name (str): The name.
        where (str): Where it stands: ``custom_hooks[0]``.
        room (str): Name of the registry.
        origins (Origins): Which file states what.
        *key (str): The key below ``where`` that has the name.

    Returns:
        type: What is registered; a function for some.

    Raises:
        ConfigError: If the registry has no such name, its package is missing, or it is none of what can stand there.
    """
    place = f'{origins}: {where}{origins.elsewhere(where, *key)}'
    try:
        target = REGISTRIES[room].get(name)
    except (KeyError, MissingPackageError) as error:
        raise ConfigError(f'{place}: {error.args[0]}') from error
    path = KINDS.get(where) or KINDS.get(room)
    if path is not None and not _is_of(target, path):
        ours = [known for known, each in REGISTRIES[room].classes().items() if where in KINDS and _is_of(each, path)]
        raise ConfigError(f'{place}: {name!r} cannot stand there: what does is derived from {path}'
                          + (f', as {" and ".join(ours)}' if ours else ''))
    if name in INSTEAD and target.__module__.startswith('mmengine.'):
        raise ConfigError(f'{place}: {name!r} is of MMEngine, whose checkpoints are others: take {INSTEAD[name]!r}')
    return target


def _is_of(target, path):
    module, _, kind = path.rpartition('.')
    return inspect.isclass(target) and issubclass(target, getattr(import_module(module), kind))
