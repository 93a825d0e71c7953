"""The part that row-lazy optimizers share: which rows are behind, and how they are brought up to date."""
from functools import partial

import torch

from mlaface.engine.optimizers.clock import RowClock
from mlaface.engine.optimizers.sparse import coalesced, row_blocks
from mlaface.utils.sharding import row_shard

STEP_KEYS = ('last_step', 'row_step')


class _RowHook:
    """Brings rows of one parameter up to date; a copied or pickled model leaves it behind (None)."""

    def __init__(self, optimizer, parameter):
        self.optimizer, self.parameter = optimizer, parameter

    def __call__(self, rows=None):
        self.optimizer.catch_up(self.parameter, rows)

    def __reduce__(self):
        return type(None), ()


class RowLazy:
    """Mixin over a ``torch.optim.Optimizer``: parameters with sparse COO gradients are updated by rows.

    Parameters that are replicated and have dense gradients go through torch's own (foreach) kernels. A row-sharded
    parameter with a dense gradient is updated by the same kernels in blocks of rows, because a temporary the size of
    the head would be a third of its memory. With a sparse gradient, only its rows are read and written; the steps
    that a row misses are made up for when it is next read (``catch_up``).

    State of a lazy parameter, besides the moments: ``last_step`` ``(rows,)`` int64, the step up to which a row has
    been brought, and the settings of all steps (``history`` in the state dict). The state is saved as it stands:
    saving changes nothing, and a resumed run goes on bit for bit.

    A subclass gives ``_clock_size``, ``_matrix(setting)``, ``_setting(group)``, ``_row_state(parameter, group)``,
    ``_make_up(product, tensors)`` and ``_update(parameter, gradient, group, tensors)``, both in place on the
    parameter's and its moments' rows.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """Take one step.

        Args:
            closure (Callable | None): Evaluates the loss again.

        Returns:
            The closure's loss, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        by_rows = [(p, p.grad, group) for group in self.param_groups for p in group['params']
                   if p.grad is not None and (p.grad.is_sparse or self._is_by_rows(p))]
        for parameter, _, _ in by_rows:
            parameter.grad = None
        try:
            super().step()
        finally:
            for parameter, gradient, _ in by_rows:
                parameter.grad = gradient
        for parameter, gradient, group in by_rows:
            self._step_rows(parameter, gradient, group)
        return loss

    def _is_by_rows(self, parameter):
        return row_shard(parameter) is not None or 'clock' in self.state.get(parameter, ())

    def _step_rows(self, parameter, gradient, group):
        """Update the rows of the gradient, all of them if it is dense."""
        rows = None
        if gradient.is_sparse:
            parameter.grad = gradient = coalesced(gradient)
            rows, gradient = gradient._indices()[0], gradient._values()
            self._start_clock(parameter)
        self.catch_up(parameter, rows)
        tensors = [parameter, *self._row_state(parameter, group)]
        for place, index in row_blocks(rows, parameter.shape[0], parameter[:1].numel(), parameter.device):
            self._on_block(tensors, index, partial(self._update, parameter, gradient[place], group))
        self._finish_step(parameter, group, rows)

    def _finish_step(self, parameter, group, rows):
        """Count a step of a parameter, and note which of its rows have taken it."""
        state = self.state[parameter]
        if 'clock' in state:
            state['clock'].tick(self._setting(group))
            state['last_step'][slice(None) if rows is None else rows] = len(state['clock'])

    @staticmethod
    def _on_block(tensors, index, change):
        """Let ``change`` work in place on rows of ``tensors``: on views of a slice, on copies written back else."""
        if isinstance(index, slice):
            change([tensor[index] for tensor in tensors])
            return
        parts = [tensor.index_select(0, index) for tensor in tensors]
        change(parts)
        for tensor, part in zip(tensors, parts):
            tensor.index_copy_(0, index, part)

    def clock(self, device):
        """A new ``RowClock`` of this optimizer's recurrence, with tables on ``device``."""
        return RowClock(self._matrix, self._clock_size, device)

    def _start_clock(self, parameter):
        state = self.state[parameter]
        if 'clock' not in state:
            state['clock'] = self.clock(parameter.device)
            state['last_step'] = torch.zeros(parameter.shape[0], dtype=torch.int64, device=parameter.device)

    @torch.no_grad()
    def catch_up(self, parameter, rows=None):
        """Bring rows to where they would be had the steps since they were last sampled been taken.

        Args:
            parameter (Tensor): A parameter of this optimizer ``(R, ...)``.
            rows (Tensor | None): Local row numbers ``(N,)``, int64, without repeats; None for all rows.
        """
        state = self.state.get(parameter, {})
        if 'clock' not in state:
            return
        last = state['last_step'] if rows is None else state['last_step'][rows]
        if parameter.device.type == 'cpu':  # on an accelerator asking for the stale ones would synchronise
            stale = (last != len(state['clock'])).nonzero().squeeze(1)
            if len(stale) < len(last):
                last, rows = last[stale], stale if rows is None else rows[stale]
        if len(last):
            self._catch_up(parameter, rows, state['clock'].since(last))
            state['last_step'][slice(None) if rows is None else rows] = len(state['clock'])

    def _catch_up(self, parameter, rows, product):
        product = product.to(torch.promote_types(parameter.dtype, torch.float32))
        tensors = [parameter, *self._coasting(parameter)]
        for place, index in row_blocks(rows, parameter.shape[0], parameter[:1].numel(), parameter.device):
            self._on_block(tensors, index, partial(self._make_up, product[place]))

    def _coasting(self, parameter):
        """Moments that move in a step without gradient."""
        return []

    def flush(self):
        """Bring all rows of all parameters up to date, for an export; training goes on as if it had not happened,
        up to rounding."""
        for group in self.param_groups:
            for parameter in group['params']:
                self.catch_up(parameter)

    def attach(self, model):
        """Have a model's heads ask for rows before they read them: sets ``row_hook`` of modules that have one.

        Args:
            model (nn.Module): The model, wrapped or not; a head's rows are those of its parameter ``weight``.

        Returns:
            int: Heads attached.
        """
        own = {parameter for group in self.param_groups for parameter in group['params']}
        heads = [m for m in model.modules() if hasattr(m, 'row_hook') and getattr(m, 'weight', None) in own]
        for head in heads:
            head.row_hook = _RowHook(self, head.weight)
        return len(heads)

    def state_dict(self):
        """State as torch's, with each clock as its ``history`` (steps, settings), float64."""
        result = super().state_dict()
        for index, state in result['state'].items():
            if 'clock' in state:
                kept = {key: value for key, value in state.items() if key != 'clock'}
                result['state'][index] = {**kept, 'history': state['clock'].history()}
        return result

    def load_state_dict(self, state_dict):
        """Load what ``state_dict`` gave, or the state of torch's optimizer of the same name.

        Args:
            state_dict (dict): The state.
        """
        special = (*STEP_KEYS, 'history')
        plain = {index: {key: value for key, value in state.items() if key not in special}
                 for index, state in state_dict['state'].items()}
        super().load_state_dict({**state_dict, 'state': plain})
        parameters = [parameter for group in self.param_groups for parameter in group['params']]
        for index, state in state_dict['state'].items():
            self._load_rows(parameters[index], {key: state[key] for key in special if key in state})

    def _load_rows(self, parameter, special):
        """Put back what torch would have cast to the parameter's type."""
        state = self.state[parameter]
        if 'history' in special:
            state['clock'] = self.clock(parameter.device).restore(special.pop('history'))
        for key, value in special.items():
            state[key] = value.to(parameter.device)
