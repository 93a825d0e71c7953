"""What a checkpoint holds of model and optimizer, keyed by parameter names."""
import torch

from mlaface.engine.errors import CheckpointError
from mlaface.utils.sharding import row_shard

SHOWN = 6


def sharded_tensors(model):
    """The row-sharded parameters and buffers of a model.

    Args:
        model (nn.Module): Not wrapped.

    Returns:
        dict[str, Tensor]: By name; each carries ``row_shard``.
    """
    return {name: tensor for source in (model.named_parameters(), model.named_buffers())
            for name, tensor in source if row_shard(tensor) is not None}


def trunk_state(model):
    """The state dict without row-sharded tensors, detached and on the CPU; a module's extra state as it is."""
    split = sharded_tensors(model)
    return {name: value.detach().cpu() if isinstance(value, torch.Tensor) else value
            for name, value in model.state_dict().items() if name not in split}


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _listed(title, lines):
    more = f'\n    ... and {len(lines) - SHOWN} more' if len(lines) > SHOWN else ''
    return f'\n  {title}:\n    ' + '\n    '.join(lines[:SHOWN]) + more if lines else ''


def load_trunk(model, state, source, head=True):
    """Load a trunk's state dict, or say how the network differs from the checkpoint's.

    Args:
        model (nn.Module): Not wrapped.
        state (dict[str, Tensor]): What ``trunk_state`` gave.
        source (str | Path): The file, for the message.
        head (bool): Whether what the head holds besides its rows is loaded too. Default True.

    Raises:
        CheckpointError: If names or shapes differ; lists them.
    """
    own = trunk_state(model)
    if not head:
        own, state = ({name: value for name, value in part.items() if not name.startswith('head.')}
                      for part in (own, state))
    missing = sorted(set(own) - set(state))
    extra = sorted(set(state) - set(own))
    shapes = [f'{name}: {_shape(state[name])} in the file, {_shape(own[name])} in the model'
              for name in sorted(set(own) & set(state)) if _shape(own[name]) != _shape(state[name])]
    if missing or extra or shapes:
        raise CheckpointError(
            f'{source} holds another architecture than this config builds:'
            + _listed('only in the model', missing) + _listed('only in the file', extra)
            + _listed('of other shape', shapes)
            + '\nUse the config that it was trained with (it is stored in the file), or begin anew: without --resume, '
            'load_from=None')
    model.load_state_dict(state, strict=False)  # what it lacks are the rows, which are read on their own


def optimizer_state(wrapper):
    """State of the optimizer without that of row-sharded parameters, and of the loss scale.

    Args:
        wrapper (FaceOptimWrapper): Built by ``FaceOptimWrapperConstructor``, which names the parameters.

    Returns:
        dict: ``state``, ``param_groups``, ``kind`` (the optimizer's name), ``loss_scale`` (None where there is none).
    """
    state = wrapper.optimizer.state_dict()
    parameters = [parameter for group in wrapper.optimizer.param_groups for parameter in group['params']]
    whole = {index: entry for index, entry in state['state'].items() if row_shard(parameters[index]) is None}
    return dict(state, state=whole, kind=type(wrapper.optimizer).__name__,
                loss_scale=wrapper.state_dict().get('loss_scale'))


def load_optimizer(wrapper, saved, source):
    """Restore ``optimizer_state``; ``load_rows`` restores the rest after it.

    Args:
        wrapper (FaceOptimWrapper): As it was built for this run.
        saved (dict): What ``optimizer_state`` gave.
        source (str | Path): The file, for the message.

    Raises:
        CheckpointError: If the parameter groups differ.
    """
    kind, saved_kind = type(wrapper.optimizer).__name__, saved.get('kind')
    if saved_kind is not None and kind.removeprefix('Row') != saved_kind.removeprefix('Row'):
        raise CheckpointError(f'{source} was written by {saved_kind}, this run has {kind}: set '
                              f'optim_wrapper.optimizer.type={saved_kind!r}, or begin anew from the weights with '
                              'load_from')
    current = [group.get('names') for group in wrapper.optimizer.param_groups]
    if [group.get('names') for group in saved['param_groups']] != current:
        raise CheckpointError(f'{source} was written with other parameter groups than this config makes: optimizer, '
                              'paramwise_cfg or what is frozen changed. Train on from its weights alone with '
                              'load_from=...')
    wrapper.load_state_dict(saved)
