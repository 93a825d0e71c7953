"""When checkpoints are written, and which are kept."""
import contextlib
import os
from pathlib import Path

from mmengine.hooks import Hook

from mlaface.engine.checkpoint import store
from mlaface.engine.distributed import barrier, gather_objects
from mlaface.engine.errors import ConfigError
from mlaface.registry import HOOKS, did_you_mean


@HOOKS.register_module()
class FaceCheckpointHook(Hook):
    """Writes ``iter_N.pth`` at an interval, keeps the last ones, and ``best_iter_N.pth`` with the link ``best.pth``.

    Args:
        interval (int, optional): Updates between checkpoints; None: one at the end of each epoch.
        max_keep (int): How many of the latest are kept. Default 3.
        save_best (str, optional): Metric of the validation that decides, larger is better; ``'auto'``: the first that
            it gives. Default 'mean_accuracy'.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval=None, max_keep=3, save_best='mean_accuracy'):
        if max_keep < 1 or (interval is not None and interval < 1):
            raise ConfigError(f'checkpoint hook: max_keep and interval are at least 1, got {max_keep} and {interval}')
        self.interval, self.max_keep, self.save_best = interval, max_keep, save_best
        self.best, self._best_is_new, self._saved_at = None, False, None
        self._told = False

    def after_val_epoch(self, runner, metrics=None):
        """Take note of a new best score."""
        if self.save_best == 'auto' and metrics:
            self.save_best = next(iter(metrics))
        score = (metrics or {}).get(self.save_best)
        if metrics and self.save_best and score is None and not self._told:
            self._told = True
            runner.logger.warning(f'default_hooks.checkpoint.save_best={self.save_best!r} is nothing that the '
                                  f'validation gives{did_you_mean(self.save_best, metrics)} No best.pth is kept. '
                                  f'It gives {", ".join(metrics)}')
        if score is not None and (self.best is None or score > self.best['value']):
            self.best = dict(metric=self.save_best, value=float(score), iter=runner.iter)
            self._best_is_new = True

    def save_point(self, runner, last):
        """Write what is due; between two iterations, after validation.

        Args:
            runner (FaceRunner): The runner.
            last (bool): Whether the run ends here.
        """
        if self.interval:
            due = last or runner.iter % self.interval == 0
        else:
            due = last or runner.train_loop.position == 0
        twin = None
        if self._best_is_new:  # before the numbered one, which says what the best is: a kill in between loses nothing
            twin = self._save_best(runner)
        if due and self._saved_at != runner.iter:
            name = store.NAME.format(runner.iter)
            runner.save_checkpoint(runner.work_dir, name, twin)
            self._saved_at = runner.iter
            self._on_first_rank(runner, lambda: store.prune(runner.work_dir, self.max_keep))
            runner.logger.info(f'wrote {name}')

    def _save_best(self, runner):
        self._best_is_new = False
        name = f'best_{store.NAME.format(runner.iter)}'
        saved = runner.save_checkpoint(runner.work_dir, name)
        self._on_first_rank(runner, lambda: self._link_best(Path(runner.work_dir), name))
        runner.logger.info(f'wrote {name}: best {self.save_best} so far, {self.best["value"]:.4f}')
        return saved

    @staticmethod
    def _link_best(folder, name):
        link = folder / '.best.pth.part'
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(name)
        os.replace(link, folder / 'best.pth')
        for old in folder.glob('best_iter_*.pth'):
            if old.name != name:
                store.remove(old)

    @staticmethod
    def _on_first_rank(runner, action):
        if runner.rank == 0:
            action()
        barrier()

    def before_save_checkpoint(self, runner, checkpoint):
        """Put the best score into the checkpoint."""
        checkpoint['best'] = self.best

    def after_load_checkpoint(self, runner, checkpoint):
        """Continue with the best score so far."""
        self.best = checkpoint.get('best')

    def after_resume(self, runner, iteration):
        """Leave no checkpoint behind the place from which the run goes on: it would be kept in place of new ones.

        Where an update is made of more images than before, or fewer, the place has another number: it is written anew
        under that.

        Args:
            runner (FaceRunner): With its loop at that place.
            iteration (int): Its number in the checkpoint that was read.
        """
        if runner.iter != iteration:
            if runner.train_loop.random_state is not None:
                runner.restore_random_state(runner.train_loop.random_state)
            runner.save_checkpoint(runner.work_dir, store.NAME.format(runner.iter))
        self._saved_at = runner.iter
        found = (store.set_later_aside(runner.work_dir, runner.iter, iteration),
                 self._has_best(runner)) if runner.rank == 0 else None
        moved, has_best = gather_objects(found)[0]
        if moved:
            runner.logger.warning(f'checkpoints of higher numbers than {runner.iter} are moved to {moved}')
            self.best = self.best if has_best else None

    def _has_best(self, runner):
        """Whether the checkpoint of the best score so far is there (bool)."""
        return self.best is not None and Path(runner.work_dir, f'best_{store.NAME.format(self.best["iter"])}').exists()
