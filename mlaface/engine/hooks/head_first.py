"""The head learns first, the trunk later."""
from mmengine.hooks import Hook

from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS


@HOOKS.register_module()
class HeadFirstHook(Hook):
    """Freezes all but the head in the first iterations: fresh centres find their places before they pull at the trunk.

    What waits is a function of the iteration alone, so that a run may be resumed before and after the thaw.

    Args:
        iters (int, optional): Updates that the trunk waits.
        epochs (float, optional): The same in passes over the data; give one of the two.
        learn (Sequence[str]): Parts of the model that learn from the start. Default: the head.
        norm_eval (bool): Whether the parts that wait are in evaluation mode. False lets the running statistics of their
            norms follow the new images. Default True.
    """

    def __init__(self, iters=None, epochs=None, learn=('head',), norm_eval=True):
        length = epochs if iters is None else iters
        if (iters is None) == (epochs is None) or length < 0:
            raise ConfigError(f'HeadFirstHook: give one of iters and epochs, at least 0; got iters={iters}, '
                              f'epochs={epochs}')
        self.iters, self.epochs, self.norm_eval = iters, epochs, norm_eval
        self.learn = (learn,) if isinstance(learn, str) else tuple(learn)
        self._waiting, self._parts = [], []

    def before_train(self, runner):
        """Freeze, unless the run is past that.

        Raises:
            ConfigError: If the model has no part of a name, or nothing would learn.
        """
        loop = runner.train_loop
        self.until = self.iters if self.epochs is None else round(self.epochs * loop.epoch_length)
        if self.until >= loop.max_iters:
            runner.logger.warning(f'HeadFirstHook: the run ends at iteration {loop.max_iters}; what waits until '
                                  f'{self.until} never learns')
        if loop.iter < self.until:
            self._freeze(runner)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Thaw when it is time; keep evaluation mode where an epoch or a validation has ended it."""
        if self._waiting and batch_idx >= self.until:
            self._thaw(runner)
        for part in self._parts:
            if part.training:
                part.eval()

    def _freeze(self, runner):
        model = runner.bare_model
        children = dict(model.named_children())
        unknown = [name for name in self.learn if name not in children]
        if unknown:
            raise ConfigError(f'HeadFirstHook: the model has no part {unknown[0]!r}; it has {", ".join(children)}')
        learning = [(name.partition('.')[0], p) for name, p in model.named_parameters() if p.requires_grad]
        self._waiting = [parameter for part, parameter in learning if part not in self.learn]
        if len(self._waiting) == len(learning):
            raise ConfigError(f'HeadFirstHook: nothing of {", ".join(self.learn)} learns')
        self._parts = [part for name, part in children.items() if name not in self.learn] if self.norm_eval else []
        self._switch(runner, False)
        runner.logger.info(f'only {", ".join(self.learn)} learns until iteration {self.until}')

    def _thaw(self, runner):
        self._switch(runner, True)
        self._waiting, self._parts = [], []
        runner.bare_model.train()
        runner.logger.info(f'all parts learn from iteration {self.until} on')

    def _switch(self, runner, learns):
        for parameter in self._waiting:
            parameter.requires_grad_(learns)
        runner.wrap_again()
