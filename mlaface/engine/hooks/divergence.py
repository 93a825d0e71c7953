"""Stops a run that diverges, and names the first tensor that is not finite."""
import torch
from mmengine.hooks import Hook

from mlaface.engine.errors import DivergenceError
from mlaface.registry import HOOKS

ADVICE = "Lower the learning rate, warm up, clip (clip_grad=dict(max_norm=5)), or use amp='bfloat16' for 'float16'"

NOTHING = 'no tensor of the trunk: the sum over many large finite values, or the head'


def _broken(value):
    """Whether a floating tensor holds a value that is not finite."""
    return isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(value.isfinite().all())


def _first_broken(kind, tensors):
    """Kind and name of the first of named tensors that is not finite, or None."""
    return next((f'{kind} {name}' for name, tensor in tensors if _broken(tensor.detach())), None)


def first_broken_gradient(model):
    """Name of the parameter nearest to the loss whose gradient is not finite, or None."""
    names = [name for name, p in model.named_parameters() if p.grad is not None and _broken(
        p.grad.coalesce().values() if p.grad.is_sparse else p.grad)]
    return f'gradient of {names[-1]} (and of {len(names) - 1} other parameters)' if names else None


def first_broken_activation(model, batch, context):
    """Run a batch again and name the first module whose output is not finite.

    Args:
        model (nn.Module): The recognizer; its head, which communicates and refuses such input, is left out.
        batch (dict): ``images`` and ``labels``.
        context (context manager): Autocast as in training.

    Returns:
        str or None: ``activation NAME (Class)``.
    """
    found = []

    def look(name, module, output):
        outputs = output.values() if isinstance(output, dict) else output if isinstance(output, tuple) else [output]
        if not found and any(_broken(value) for value in outputs):
            found.append(f'activation of {name or "the model"} ({type(module).__name__})')

    handles = [module.register_forward_hook(lambda m, _, out, name=name: look(name, m, out))
               for name, module in model.named_modules()]
    try:
        with torch.no_grad(), context:
            model(batch['images'], mode='tensor')
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _origin(model, batch, context):
    """What was not finite first: parameters, images, activations of the batch; None if all are.

    A norm's running statistics come last: in training nothing is made of them, and what spoilt them stands before it.
    """
    return (_first_broken('parameter', model.named_parameters())
            or ('input images' if _broken(batch.get('images')) else None)
            or first_broken_activation(model, batch, context)
            or _first_broken('buffer', model.named_buffers()))


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Watches loss and gradient norm before the weights change.

    On a CPU each value is looked at when it is made. On an accelerator it is copied to the host while the device
    works on and looked at once it has arrived, so that no step waits; the run stops a few steps later.
    """

    priority = 'VERY_HIGH'

    def __init__(self):
        self._waiting = []

    def before_train(self, runner):
        """Put this hook before the weights."""
        self.runner, self._waiting = runner, []
        if hasattr(runner.optim_wrapper, 'watch'):
            runner.optim_wrapper.watch = self

    def after_train(self, runner):
        """Look at what is still on its way."""
        if self._waiting:
            torch.cuda.synchronize()
            self._look()

    def before_save_checkpoint(self, runner, checkpoint):
        """Look at what is still on its way: weights that are not finite are not written."""
        self.after_train(runner)

    def see_loss(self, loss):
        """Take note of a loss, 0-dimensional, that is about to be differentiated."""
        self._see('loss', loss.detach())

    def see_gradients(self, norm):
        """Take note of a gradient norm, 0-dimensional, before the optimizer's step."""
        self._see('gradient norm', norm.detach())

    def on_step_error(self, runner, error):
        """A head may refuse embeddings that are not finite before there is a loss: say where they come from."""
        model, batch = runner.bare_model, runner.train_loop.batch
        culprit = _origin(model, batch, runner.optim_wrapper.optim_context(model))
        if culprit is not None:
            raise DivergenceError(f'iteration {runner.iter + 1} failed ({error}). First non-finite tensor: {culprit}. '
                                  f'{ADVICE}') from error

    def _see(self, what, value):
        if value.device.type == 'cpu':
            if not value.isfinite():
                self._stop(what, float(value), self.runner.iter + 1)
            return
        host = torch.empty((), dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        self._waiting.append((what, host, event, self.runner.iter + 1))
        self._look()

    def _look(self):
        while self._waiting and self._waiting[0][2].query():
            what, host, _, iteration = self._waiting.pop(0)
            if not host.isfinite():
                self._stop(what, float(host), iteration)

    def _culprit(self):
        runner = self.runner
        model = runner.bare_model
        return (_origin(model, runner.train_loop.batch, runner.optim_wrapper.optim_context(model))
                or first_broken_gradient(model))

    def _stop(self, what, value, iteration):
        self.runner.optim_wrapper.watch = None
        for part in self.runner.bare_model.modules():
            if hasattr(part, 'explain_loss'):  # a head makes the loss of a batch that it refuses NaN, on purpose
                part.explain_loss()
        culprit = self._culprit()
        error = DivergenceError(f'{what} is {value} in iteration {iteration}. First non-finite tensor: '
                                f'{culprit or NOTHING}. {ADVICE}')
        error.vague = culprit is None  # of several ranks another one has it
        raise error
