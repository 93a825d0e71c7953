"""What a run says while it trains."""
import logging
import sys
import time
from datetime import timedelta

import torch
from mmengine.hooks import Hook

from mlaface.registry import HOOKS


def _host_scalars(outputs):
    """The 0-dimensional tensors and numbers of a dict as floats, in one transfer."""
    tensors = {name: value.detach() for name, value in outputs.items()
               if isinstance(value, torch.Tensor) and value.numel() == 1}
    numbers = {name: float(value) for name, value in outputs.items() if isinstance(value, (int, float))}
    if tensors:
        values = torch.stack([value.reshape(()).float() for value in tensors.values()]).tolist()
        numbers.update(zip(tensors, values))
    return numbers


def base_rate(optimizer):
    """The learning rate of a group that no multiplier changes, or of the first where there is none (float)."""
    groups = optimizer.param_groups
    return next((group for group in groups if group.get('lr_mult', 1) == 1), groups[0])['lr']


@HOOKS.register_module()
class FaceLogHook(Hook):
    """Logs speed, learning rate, loss, gates and what the head reports, and moves nothing to the host in between.

    On a terminal a progress line takes the place of the log lines, which go to ``log.txt`` all the same.

    Args:
        interval (int): Updates between two lines. Default 50.
        progress (bool, optional): Whether to draw the progress line; None: if the output is a terminal.
    """

    priority = 'BELOW_NORMAL'

    def __init__(self, interval=50, progress=None):
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        self.interval, self.progress, self._bar = interval, progress, None

    def before_train_epoch(self, runner):
        """Start the clock; validation between epochs does not count as training time."""
        self._start_clock(runner)
        if self.progress is None:
            self.progress = sys.stdout.isatty()
        if self.progress and runner.rank == 0 and self._bar is None:
            self._open_bar(runner)

    def after_val_epoch(self, runner, metrics=None):
        """Restart the clock after a validation."""
        if runner._train_loop is not None:
            self._start_clock(runner)

    def _start_clock(self, runner):
        loop = runner.train_loop
        self._since = (time.perf_counter(), loop.data_seconds, loop.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """Every ``interval`` updates: collect, log, note."""
        iteration = batch_idx + 1
        if iteration % self.interval and iteration != runner.max_iters:
            return
        numbers = self._numbers(runner, outputs, iteration)
        self._start_clock(runner)
        self._since = (*self._since[:2], iteration)
        runner.history.add(iteration, numbers)
        if runner.rank == 0:
            runner.visualizer.add_scalars({f'train/{k}': v for k, v in numbers.items()}, step=iteration)
            self._say(runner, numbers, iteration)

    def _numbers(self, runner, outputs, iteration):
        grad_norm = getattr(runner.optim_wrapper, 'grad_norm', None)
        values = outputs or {}
        numbers = _host_scalars(values if grad_norm is None else {**values, 'grad_norm': grad_norm})
        start, data_start, first = self._since
        loop, steps = runner.train_loop, max(1, iteration - self._since[2])
        seconds = (time.perf_counter() - start) / steps
        data = (loop.data_seconds - data_start) / steps
        numbers.update(lr=base_rate(runner.optim_wrapper.optimizer), epoch=loop.epoch,
                       images_per_second=loop.micro_batch * loop.accumulate / seconds,
                       data_seconds=data, compute_seconds=max(0.0, seconds - data))
        if torch.cuda.is_available():
            numbers['memory_mb'] = torch.cuda.max_memory_allocated() / 2 ** 20
        return numbers

    def _say(self, runner, numbers, iteration):
        rest = (runner.max_iters - iteration) * (numbers['data_seconds'] + numbers['compute_seconds'])
        own = ('lr', 'epoch', 'images_per_second', 'data_seconds', 'compute_seconds', 'loss')
        others = ', '.join(f'{name} {value:.4g}' for name, value in numbers.items() if name not in own)
        text = (f'epoch {numbers["epoch"]} iter {iteration}/{runner.max_iters}  loss {numbers.get("loss", 0.0):.4f}  '
                f'lr {numbers["lr"]:.3g}  {numbers["images_per_second"]:.1f} images/s '
                f'(data {numbers["data_seconds"]:.3f} s, compute {numbers["compute_seconds"]:.3f} s)  '
                f'eta {timedelta(seconds=round(rest))}  {others}')
        if self._bar is None:
            runner.logger.info(text)
            return
        self._bar.update(self._task, completed=iteration, description=text.partition('  eta')[0])
        record = runner.logger.makeRecord('mlaface', logging.INFO, '', 0, text, (), None)
        for handler in runner.logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.handle(record)

    def _open_bar(self, runner):
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        self._bar = Progress(TextColumn('{task.description}'), BarColumn(), TimeRemainingColumn(), transient=True)
        self._bar.start()
        self._task = self._bar.add_task('training', total=runner.max_iters, completed=runner.iter)

    def close(self, runner):
        """Give the terminal back, however training ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
