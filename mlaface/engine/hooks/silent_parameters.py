"""Parameters that are trained without a word, and learn nothing: no gradient reaches them."""
import torch
from mmengine.hooks import Hook

from mlaface.registry import ATTENTION, HOOKS, MODELS
from mlaface.utils.sharding import row_shard

FIRST = 10  # updates of a parameter without gradient; what lies behind a gate at 0 has one from the second on
SHOWN = 3


def _reached(parameters):
    """Whether a gradient that is not 0 everywhere reaches each parameter (list of bool), in one transfer."""
    gradients = [None if p.grad is None else p.grad._values() if p.grad.is_sparse else p.grad for p in parameters]
    full = [gradient for gradient in gradients if gradient is not None and gradient.numel()]
    largest = iter(torch.stack(
        [norm.float() for norm in torch._foreach_norm(full, float('inf'))]).tolist() if full else ())
    return [gradient is not None and (not gradient.numel() or next(largest) != 0) for gradient in gradients]


def _parts(model):
    """The name of the registered part that holds each parameter, the innermost (dict)."""
    kinds = {*ATTENTION.module_dict.values(), *MODELS.module_dict.values()}
    return {parameter: name for name, module in model.named_modules() if type(module) in kinds
            for parameter in module.parameters()}


def _weightless(model):
    """Parameters of losses that weigh nothing now: they learn when a stage of the head gives one a weight (set)."""
    terms = getattr(getattr(model, 'head', None), 'terms', None)
    return {parameter for name, weight in getattr(terms, 'weights', {}).items() if not weight
            for parameter in terms.terms[name].parameters()}


@HOOKS.register_module()
class SilentParameterHook(Hook):
    """Warns of parameters whose gradient is missing, or exactly 0, in all of their first updates.

    A gradient of 0 counts where a whole part has no other, as an attention plugin: of some of a part it may be that of
    a rectifier that no image opens, as in the maximum's path of a bottleneck of one channel. Only those are looked at
    that the optimizer holds and no gradient has reached yet: after the first update hardly any, and once all are
    settled none. What is frozen for a time (``HeadFirstHook``), or of a loss without weight (``HeadStagesHook``), is
    looked at when it learns; a float16 step that is skipped does not count. Class centres, which may be a sample of
    all, are left out.
    """

    def before_train(self, runner):
        """Look before each step of the optimizer at what is not settled."""
        optimizer = runner.optim_wrapper.optimizer
        held = {id(p) for group in optimizer.param_groups for p in group['params']}
        self._names = {p: name for name, p in runner.bare_model.named_parameters()
                       if id(p) in held and row_shard(p) is None}
        self._updates, self._parts, self._alive = dict.fromkeys(self._names, 0), _parts(runner.bare_model), set()
        self._model, self._logger = runner.bare_model, runner.logger
        self._look = optimizer.register_step_pre_hook(self._before_step)

    def close(self, runner):
        """Look no more, however training ended."""
        if hasattr(self, '_look'):
            self._look.remove()

    @torch.no_grad()
    def _before_step(self, optimizer, args, kwargs):
        if not self._updates:  # it stays until the end: torch walks through its hooks, of which none may go meanwhile
            return
        weightless = _weightless(self._model)
        learning = [p for p in self._updates if p.requires_grad and p not in weightless]
        for parameter, reached in zip(learning, _reached(learning)):
            self._updates[parameter] += 1
            if reached:
                self._alive.add(self._parts.get(parameter))
                del self._updates[parameter]
        settled = [p for p, updates in self._updates.items() if updates >= FIRST]
        silent = [self._names[p] for p in settled if p.grad is None or self._parts.get(p) not in self._alive]
        if silent:
            self._warn(silent)
        for parameter in settled:
            del self._updates[parameter]

    def _warn(self, names):
        more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
        self._logger.warning(
            f'{len(names)} of {len(self._names)} parameters got no gradient in {FIRST} updates and have learned '
            f'nothing yet: {", ".join(names[:SHOWN])}{more}. Look for .detach(), torch.no_grad() or an output that '
            'leaves them out; name those that are meant to stay in model.frozen')
