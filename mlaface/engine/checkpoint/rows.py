"""The row-sharded part of a run as one folder: class centres and what the optimizer keeps for them."""
import torch

from mlaface.engine.checkpoint.row_planners import PIECE
from mlaface.engine.checkpoint.row_reader import SavedRows, load_row_tensors, read_extra
from mlaface.engine.checkpoint.row_writer import save_row_tensors
from mlaface.registry import OPTIMIZERS
from mlaface.utils.sharding import row_shard


def _sharded(model):
    return {name: tensor for name, tensor in [*model.named_parameters(), *model.named_buffers()]
            if row_shard(tensor) is not None}


def _indices(optimizer):
    """Places of the parameters in the optimizer's state dict, by parameter."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
    return {parameter: index for index, parameter in enumerate(parameters)}


def _split_state(state, rows):
    """A parameter's state as ``(tensors by row, the rest)``; the history has one entry a step, not a row."""
    by_row = {key: value for key, value in state.items() if key != 'history' and isinstance(value, torch.Tensor)
              and value.dim() and value.shape[0] == rows}
    return by_row, {key: value for key, value in state.items() if key not in by_row}


def _collect(model, optimizer):
    """``(tensors, extra)`` of ``save_rows``; the tensors are the live ones."""
    sharded = _sharded(model)
    tensors = {f'model.{name}': tensor for name, tensor in sharded.items()}
    if optimizer is None:
        return tensors, None
    states, indices = optimizer.state_dict()['state'], _indices(optimizer)
    extra = dict(optimizer=type(optimizer).__name__, state={})
    for name, parameter in sharded.items():
        state = states.get(indices.get(parameter))
        if state:
            by_row, rest = _split_state(state, parameter.shape[0])
            form = {key: dict(shape=list(value.shape[1:]), dtype=str(value.dtype).removeprefix('torch.'))
                    for key, value in by_row.items()}
            extra['state'][name] = dict(rows=form, rest=rest)
            for key, value in by_row.items():
                value.row_shard = parameter.row_shard
                tensors[f'optimizer.{name}.{key}'] = value
    return tensors, extra


def save_rows(folder, model, optimizer=None, classes=None, piece=PIECE):
    """Write the row-sharded tensors of a model and their optimizer state, as they stand. All ranks call it.

    Rows that a sampled head has left behind are saved as they are, with the numbers of their last steps, so that
    saving changes nothing. See ``row_writer.save_row_tensors`` for the files.

    Args:
        folder (str | Path): The folder to make; one that is there is replaced.
        model (nn.Module): The bare model (no DDP around it).
        optimizer (torch.optim.Optimizer | None): Its optimizer.
        classes (Sequence[str] | None): Identity names in label order, kept to explain a mismatch later.
        piece (int): Bytes of one stored piece.

    Returns:
        dict: As ``row_writer.save_row_tensors``.

    Raises:
        OSError: If a rank could not write; on all ranks.
    """
    tensors, extra = _collect(model, optimizer)
    return save_row_tensors(folder, tensors, classes, extra, piece)


def load_rows(folder, model, optimizer=None, classes=None):
    """Fill a model's row-sharded tensors, and its optimizer's state for them, on any number of ranks.

    Args:
        folder (str | Path): What ``save_rows`` wrote, on any number of ranks.
        model (nn.Module): The bare model.
        optimizer (torch.optim.Optimizer | None): Of the kind that was saved. None loads weights for use: rows that
            were left behind are brought up to date.
        classes (Sequence[str] | None): The model's identity names; if given, they must be those of the folder.

    Raises:
        FileNotFoundError: If a file is missing; names it.
        ValueError: If a shard is torn, or identities, shapes or optimizer differ; says which and what to do.
    """
    extra = read_extra(folder) or dict(optimizer=None, state={})
    if optimizer is None:
        optimizer = _optimizer_for_use(model, extra)
        _load(folder, model, optimizer, extra, classes)
        if optimizer is not None:
            optimizer.flush()
        return
    _check_kind(folder, optimizer, extra)
    _load(folder, model, optimizer, extra, classes)


def _optimizer_for_use(model, extra):
    """An optimizer that can bring the saved rows up to date; None if none is behind."""
    behind = [name for name, state in extra['state'].items() if 'history' in state['rest']]
    sharded = _sharded(model)
    return OPTIMIZERS.get(extra['optimizer'])([sharded[name] for name in behind]) if behind else None


def _check_kind(folder, optimizer, extra):
    """Refuse an optimizer that would read the saved state as something else."""
    kind, saved = type(optimizer).__name__, extra['optimizer']
    lazy = any('history' in state['rest'] for state in extra['state'].values())
    if saved is None or kind == saved:
        return
    if lazy or kind.removeprefix('Row') != saved.removeprefix('Row'):
        raise ValueError(f'{folder} was written by {saved}, this run has {kind}: set optim_wrapper.optimizer.type='
                         f'{saved!r}, or begin anew from the weights with load_from')


def _load(folder, model, optimizer, extra, classes):
    if optimizer is not None:
        _make_state(model, optimizer, extra['state'])
    tensors, _ = _collect(model, optimizer)
    load_row_tensors(folder, tensors, classes)


def _make_state(model, optimizer, saved):
    """Give the optimizer the saved state, with zeros where the rows are to be read."""
    sharded, indices, state_dict = _sharded(model), _indices(optimizer), optimizer.state_dict()
    for name, entry in saved.items():
        parameter = sharded.get(name)
        if parameter in indices:
            rows = {key: torch.zeros((parameter.shape[0], *form['shape']), dtype=getattr(torch, form['dtype']),
                                     device=parameter.device) for key, form in entry['rows'].items()}
            state_dict['state'][indices[parameter]] = {**entry['rest'], **rows}
    optimizer.load_state_dict(state_dict)


class CurrentRows(SavedRows):
    """Rows of a saved parameter, read by slices, brought up to date as they are read: for export.

    Args:
        folder (str | Path): What ``save_rows`` wrote.
        parameter (str): Name of the parameter, like ``head.weight``.
    """

    def __init__(self, folder, parameter):
        super().__init__(folder, f'model.{parameter}')
        extra = read_extra(folder) or dict(state={})
        state = extra['state'].get(parameter, dict(rest={}, rows={}))
        self._moments, self._rest = {}, state['rest']
        if 'history' in self._rest:
            kind = OPTIMIZERS.get(extra['optimizer'])
            self._optimizer = kind([torch.nn.Parameter(torch.zeros(1, 1))])
            self._clock = self._optimizer.clock('cpu').restore(self._rest['history'])
            self._moments = {key: SavedRows(folder, f'optimizer.{parameter}.{key}') for key in state['rows']}

    def __getitem__(self, rows):
        """Up-to-date rows of a slice without step, as a tensor."""
        weight = super().__getitem__(rows)
        if self._moments:
            state = {key: value[rows] for key, value in self._moments.items()}
            self._optimizer.state[weight] = dict(state, clock=self._clock)
            self._optimizer.catch_up(weight)
            del self._optimizer.state[weight]
        return weight
