"""Exponential moving average of the trunk's weights."""
import torch
from mmengine.hooks import Hook

from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS
from mlaface.utils.sharding import row_shard


@HOOKS.register_module(force=True)
class EMAHook(Hook):
    """Keeps ``average += momentum * (weights - average)`` of floating parameters and buffers of the trunk's
    state dict.

    Validation uses the average; checkpoints hold both. Class centres, which no application needs, are left out.

    Args:
        momentum (float): Weight of the newest value. Default 0.0005.
    """

    priority = 'NORMAL'

    def __init__(self, momentum=0.0005):
        if not 0 < momentum <= 1:
            raise ValueError(f'momentum must lie in (0, 1], got {momentum}')
        self.momentum = momentum

    def before_run(self, runner):
        """Make room for the average; ``before_train`` or ``after_load_checkpoint`` fills it.

        Raises:
            ConfigError: If there is a second average: for a validation each would take the other for the weights.
        """
        if sum(isinstance(hook, EMAHook) for hook in runner.hooks) > 1:
            raise ConfigError('there are several EMAHooks; a run keeps one moving average')
        model = runner.bare_model
        sources, kept = (model.named_parameters(), model.named_buffers()), model.state_dict()
        self._live = {name: tensor for source in sources for name, tensor in source
                      if name in kept and tensor.is_floating_point() and row_shard(tensor) is None}
        self.average = {name: torch.empty_like(tensor, requires_grad=False) for name, tensor in self._live.items()}

    def before_train(self, runner):
        """Start the average of a fresh run at the weights that were loaded, if any."""
        if runner.train_loop.fresh:
            for name, tensor in self.average.items():
                tensor.copy_(self._live[name].detach())

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Move the average towards the weights."""
        torch._foreach_lerp_(list(self.average.values()), [t.detach() for t in self._live.values()], self.momentum)

    @torch.no_grad()
    def _swap(self):
        for name, live in self._live.items():
            kept = live.detach().clone()
            live.copy_(self.average[name])
            self.average[name].copy_(kept)

    def before_val_epoch(self, runner):
        """Validate the average."""
        if hasattr(self, 'average'):
            self._swap()

    def after_val_epoch(self, runner, metrics=None):
        """Train on with the weights."""
        if hasattr(self, 'average'):
            self._swap()

    def before_save_checkpoint(self, runner, checkpoint):
        """Put the average beside the weights."""
        checkpoint['ema'] = {name: tensor.cpu() for name, tensor in self.average.items()}

    def after_load_checkpoint(self, runner, checkpoint):
        """Continue the average; a checkpoint without one starts it at the weights."""
        saved = checkpoint.get('ema')
        if saved is None:
            runner.logger.warning('the checkpoint has no moving average: it starts at the weights')
        for name, tensor in self.average.items():
            tensor.copy_(saved[name] if saved else self._live[name].detach())
