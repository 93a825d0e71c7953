"""SGD with momentum whose sparse gradients cost what their rows cost."""
import torch
from torch.optim.sgd import sgd

from mlaface.engine.optimizers.lazy import RowLazy
from mlaface.registry import OPTIMIZERS


def _momentum_map(setting):
    """The map of ``(w, v)`` in a step without gradient: ``v = mu v + lambda w``, ``w = w - eta v``."""
    eta, mu, decay, nesterov = setting
    if mu == 0:
        return [[1 - eta * decay, 0.], [0., 1.]]
    if nesterov:
        return [[1 - eta * decay * (1 + mu), -eta * mu * mu], [decay, mu]]
    return [[1 - eta * decay, -eta * mu], [decay, mu]]


@OPTIMIZERS.register_module()
class RowSGD(RowLazy, torch.optim.SGD):
    """``torch.optim.SGD`` for dense gradients; for sparse ones, the same SGD at the price of the sampled rows.

    A row that is not sampled has gradient zero, but in dense SGD it still decays and coasts on its momentum. Here it
    is left alone, and when it is next read the steps it missed are applied at once: without gradient the pair
    (weight, momentum) follows a linear 2x2 recurrence that depends on the step only, so k steps are one product of
    2x2 matrices. The result is that of dense SGD, to rounding; nothing is approximated.

    Args:
        params (Iterable): Parameters or groups; each group may have its own ``weight_decay``, ``lr``, ``momentum``.
        lr (float): Learning rate.
        momentum (float): Momentum mu.
        weight_decay (float): Decay lambda, added to the gradient (coupled), as in torch.
        nesterov (bool): Nesterov momentum.
        foreach (bool | None): As in torch, for parameters with dense gradients; None lets torch choose.

    Raises:
        ValueError: If an argument is negative, or ``nesterov`` is set without momentum.
    """

    _clock_size = 2
    _matrix = staticmethod(_momentum_map)

    def __init__(self, params, lr=1e-3, momentum=0., weight_decay=0., nesterov=False, foreach=None):
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov,
                         foreach=foreach)

    def _setting(self, group):
        return group['lr'], group['momentum'], group['weight_decay'], group['nesterov']

    def _row_state(self, parameter, group):
        state = self.state[parameter]
        if group['momentum'] == 0:
            return []
        if state.get('momentum_buffer') is None:
            state['momentum_buffer'] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return [state['momentum_buffer']]

    def _coasting(self, parameter):
        momentum = self.state[parameter].get('momentum_buffer')
        return [] if momentum is None else [momentum]

    @staticmethod
    def _make_up(product, tensors):
        """Apply each row's product (N, 2, 2) to its weight and momentum."""
        shape = (-1, *[1] * (tensors[0].dim() - 1))
        if len(tensors) == 1:
            tensors[0].mul_(product[:, 0, 0].reshape(shape))
            return
        weight, momentum = tensors
        (ww, wv), (vw, vv) = ([product[:, i, j].reshape(shape) for j in (0, 1)] for i in (0, 1))
        carried = (weight * vw).add_(momentum * vv)
        weight.copy_((weight * ww).add_(momentum * wv))
        momentum.copy_(carried)

    @staticmethod
    def _update(parameter, gradient, group, tensors):
        weight, *momentum = tensors
        sgd([weight], [gradient], momentum or [None], weight_decay=group['weight_decay'], momentum=group['momentum'],
            lr=group['lr'], dampening=0, nesterov=group['nesterov'], maximize=False, has_sparse_grad=False,
            foreach=False)
