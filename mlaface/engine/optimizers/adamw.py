"""AdamW whose sparse gradients cost what their rows cost."""
import torch
from torch.optim.adam import adam

from mlaface.engine.optimizers.lazy import RowLazy
from mlaface.registry import OPTIMIZERS


@OPTIMIZERS.register_module()
class RowAdamW(RowLazy, torch.optim.AdamW):
    """``torch.optim.AdamW`` for dense gradients; for sparse ones, AdamW by rows.

    Weight decay of the steps that a row missed is caught up exactly, as a product of ``1 - eta lambda``. The moments
    depart from dense AdamW, whose coasting is not linear in one matrix: a row's moments and its bias correction
    count only the steps in which the row was sampled, and the row does not coast in between. So a row moves as if
    AdamW had seen only its own steps, with the decay of all steps; a row sampled in every step is dense AdamW.
    (Bias correction by the global step, as in ``torch.optim.SparseAdam``, would make a row's first update
    ``(1 - beta1) / sqrt(1 - beta2)`` times the learning rate, three times too long.)

    Args:
        params (Iterable): Parameters or groups; each group may have its own ``weight_decay``, ``lr``, ``betas``.
        lr (float): Learning rate.
        betas (tuple[float, float]): Decay of the two moments.
        eps (float): Added to the root of the second moment.
        weight_decay (float): Decoupled decay lambda.
        foreach (bool | None): As in torch, for parameters with dense gradients; None lets torch choose.

    Raises:
        ValueError: If an argument is out of its range.
    """

    _clock_size = 1

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, foreach=None):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, foreach=foreach)

    @staticmethod
    def _matrix(setting):
        eta, decay = setting
        return [[1 - eta * decay]]

    def _setting(self, group):
        return group['lr'], group['weight_decay']

    def _row_state(self, parameter, group):
        state = self.state[parameter]
        if 'exp_avg' not in state:
            state['step'] = torch.tensor(0.)
            for key in ('exp_avg', 'exp_avg_sq'):
                state[key] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        moments = [state['exp_avg'], state['exp_avg_sq']]
        return [*moments, state['row_step']] if 'row_step' in state else moments

    def _start_clock(self, parameter):
        super()._start_clock(parameter)
        state = self.state[parameter]
        if 'row_step' not in state:
            state['row_step'] = torch.full_like(state['last_step'], int(state.get('step', 0)))

    def _finish_step(self, parameter, group, rows):
        super()._finish_step(parameter, group, rows)
        self.state[parameter]['step'] += 1

    @staticmethod
    def _make_up(product, tensors):
        tensors[0].mul_(product.reshape(-1, *[1] * (tensors[0].dim() - 1)))

    def _update(self, parameter, gradient, group, tensors):
        if len(tensors) == 4:
            _update_rows(gradient, group, *tensors)
            return
        (beta1, beta2), (weight, *moments) = group['betas'], tensors
        step = self.state[parameter]['step'].clone()
        adam([weight], [gradient], *([moment] for moment in moments), [], [step], foreach=False, amsgrad=False,
             beta1=beta1, beta2=beta2, lr=group['lr'], weight_decay=group['weight_decay'], eps=group['eps'],
             maximize=False, decoupled_weight_decay=True)


def _update_rows(gradient, group, weight, first, second, row_step):
    """AdamW (Loshchilov and Hutter, ICLR 2019, algorithm 2) in place, each row corrected by its own step count."""
    beta1, beta2 = group['betas']
    row_step += 1
    count = row_step.double().reshape(-1, *[1] * (weight.dim() - 1))
    size = (group['lr'] / (1 - beta1 ** count)).to(gradient.dtype)
    root = (1 - beta2 ** count).sqrt_().to(gradient.dtype)
    weight.mul_(1 - group['lr'] * group['weight_decay'])
    first.lerp_(gradient, 1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    weight.addcdiv_(first * size, (second.sqrt() / root).add_(group['eps']), value=-1)
