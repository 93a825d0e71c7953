"""One update of the weights: accumulation, mixed precision, clipping, step."""
import contextlib

import torch
from mmengine.optim import OptimWrapper

from mlaface.engine.distributed import RankGradScaler, clip_grad_norm, gradient_norm
from mlaface.engine.environment import warn_of_emulation
from mlaface.engine.errors import ConfigError, DivergenceError
from mlaface.registry import OPTIM_WRAPPERS

SMALLEST_SCALE = 2.0 ** -6


@OPTIM_WRAPPERS.register_module()
class FaceOptimWrapper(OptimWrapper):
    """Steps an optimizer after ``accumulative_counts`` backward passes.

    The loop opens each update with ``begin_update(count)``; the loss is divided by that count, and DDP synchronises in
    its last pass only.

    Args:
        optimizer (Optimizer): The optimizer.
        accumulative_counts (int): Micro-batches of one update. Default 1.
        clip_grad (dict, optional): ``dict(max_norm=5)`` bounds the norm over all parameters of all ranks.
        amp (str, optional): 'bfloat16' or 'float16': the forward pass under autocast; float16 scales the loss.
        loss_scale (float | str): First loss scale, which then never grows, or 'dynamic' (65536). Default 'dynamic'.

    Attributes:
        grad_norm (Tensor): Norm of the last update's gradients before clipping, on the device.
        watch: Object with ``see_loss(loss)`` and ``see_gradients(norm)``, called before the weights change.
    """

    def __init__(self, optimizer, accumulative_counts=1, clip_grad=None, amp=None, loss_scale='dynamic'):
        super().__init__(optimizer, accumulative_counts=accumulative_counts)
        self.max_norm = self._read_clip(clip_grad)
        if amp not in (None, 'bfloat16', 'float16'):
            raise ValueError(f"amp must be None, 'bfloat16' or 'float16', got {amp!r}")
        self.amp = amp
        warn_of_emulation(amp, self._device, 'optim_wrapper.amp')
        self.scaler = self._make_scaler(loss_scale) if amp == 'float16' else None
        self.grad_norm, self.watch = None, None
        self._left = self._count = accumulative_counts

    @staticmethod
    def _read_clip(clip_grad):
        if clip_grad is None:
            return None
        if set(clip_grad) != {'max_norm'} or clip_grad['max_norm'] <= 0:
            raise ValueError(f'clip_grad must be dict(max_norm=POSITIVE NUMBER), got {clip_grad}')
        return float(clip_grad['max_norm'])

    @property
    def _device(self):
        return self.optimizer.param_groups[0]['params'][0].device.type

    def _make_scaler(self, loss_scale):
        if loss_scale == 'dynamic':
            return RankGradScaler(self._device)
        return RankGradScaler(self._device, init_scale=float(loss_scale), growth_interval=2 ** 31 - 1)

    @property
    def accumulative_counts(self):
        """Micro-batches of one update (int)."""
        return self._accumulative_counts

    def begin_update(self, count):
        """Say that the next ``count`` backward passes make one update."""
        self._left = self._count = count

    def initialize_count_status(self, model, init_counts, max_counts):
        """Nothing to prepare: the loop says where an update begins (``begin_update``)."""

    def should_sync(self):
        """Whether the coming backward pass is the last of its update."""
        return self._left == 1

    def should_update(self):
        """Whether the last backward pass was the last of its update."""
        return self._left == 0

    @contextlib.contextmanager
    def optim_context(self, model):
        """Autocast and, before the last micro-batch, DDP without synchronisation, around the forward pass."""
        device = next(model.parameters()).device.type
        with contextlib.ExitStack() as stack:
            if self.amp:
                stack.enter_context(torch.autocast(device, getattr(torch, self.amp)))
            if not self.should_sync() and hasattr(model, 'no_sync'):
                stack.enter_context(model.no_sync())
            yield

    def scale_loss(self, loss):
        """The loss divided by the micro-batches of the update and multiplied by the loss scale."""
        loss = loss if self._count == 1 else loss / self._count
        return self.scaler.scale(loss) if self.scaler else loss

    def backward(self, loss):
        """Backward pass of one micro-batch."""
        loss.backward()
        self._left -= 1

    def update_params(self, loss):
        """Backward pass; after the last micro-batch also the step.

        Args:
            loss (Tensor): Mean loss of the micro-batch, 0-dimensional.
        """
        if loss.dim():
            raise ConfigError(f'the loss has the shape {tuple(loss.shape)}, where a scalar is trained on: a MarginHead '
                              "gives one with reduction='mean' or 'sum'")
        if self.watch is not None:
            self.watch.see_loss(loss)
        self.backward(self.scale_loss(loss))
        if self.should_update():
            self.step()
            self.zero_grad()
            self.begin_update(self._accumulative_counts)

    def _parameters(self):
        return [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]

    def step(self):
        """Measure, clip and step; under float16 a step whose gradients overflow is skipped, on all ranks."""
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        parameters = self._parameters()
        self.grad_norm = clip_grad_norm(parameters, self.max_norm) if self.max_norm else gradient_norm(parameters)
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self._check_scale()
            return
        if self.watch is not None:
            self.watch.see_gradients(self.grad_norm)
        self.optimizer.step()

    def _check_scale(self):
        """Refuse to go on when gradients overflow under every scale: every step would be skipped, in silence."""
        if self.scaler.get_scale() < SMALLEST_SCALE:
            raise DivergenceError(f'gradients overflow under float16 even with a loss scale of '
                                  f"{self.scaler.get_scale():g}: try amp='bfloat16' or a lower learning rate")

    def state_dict(self):
        """State of the optimizer and, for float16, of the loss scale."""
        state = self.optimizer.state_dict()
        return {**state, 'loss_scale': self.scaler.state_dict()} if self.scaler else state

    def load_state_dict(self, state_dict):
        """Restore ``state_dict()``; a loss scale that is not there starts anew."""
        state = dict(state_dict)
        scale = state.pop('loss_scale', None)
        if scale and self.scaler:
            self.scaler.load_state_dict(scale)
        self.optimizer.load_state_dict(state)
