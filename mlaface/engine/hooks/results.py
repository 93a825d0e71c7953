"""What validation found, in the log, the history, ``metrics.json`` and ``curves.png``."""
import json
import time
from datetime import datetime, timezone
from pathlib import Path

import torch
from mmengine.hooks import Hook

from mlaface.engine.curves import draw_curves
from mlaface.registry import HOOKS
from mlaface.utils.files import atomic_path
from mlaface.version import __version__

REDRAW_SECONDS = 60


def result_json(runner, metrics):
    """The result JSON (schema 1) of the validation that has just ended.

    Args:
        runner (FaceRunner): Its metrics may keep their full tables as ``last_result`` (benchmark name to dict).
        metrics (dict[str, float]): What the evaluator gave.

    Returns:
        dict: Ready for ``json.dump``.
    """
    model = runner.bare_model
    benchmarks = {}
    for metric in runner.val_loop.evaluator.metrics:
        full = getattr(metric, 'last_result', None) or {}
        benchmarks.update(full.get('benchmarks', full))
    return dict(
        schema=1,
        model=dict(file=None, sha256=None, name=Path(runner.cfg.filename or runner.work_dir).stem,
                   iteration=runner.iter, embedding_size=getattr(model, 'embedding_size', None),
                   input=getattr(model, 'input_spec', None)),
        environment=dict(mlaface=__version__, torch=torch.__version__, device=str(next(model.parameters()).device),
                         cpu_threads=torch.get_num_threads(), seed=runner.seed, commit=runner.commit,
                         date=datetime.now(timezone.utc).isoformat(timespec='seconds')),
        benchmarks=benchmarks, mean_accuracy=metrics.get('mean_accuracy'))


@HOOKS.register_module()
class ResultHook(Hook):
    """Notes each validation, and draws the curves."""

    priority = 'LOW'
    _drawn_at = float('-inf')

    def after_val_epoch(self, runner, metrics=None):
        """Log the metrics and write ``metrics.json`` and ``curves.png`` anew."""
        if runner.rank != 0 or not metrics:
            return
        numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))}
        runner.logger.info(f'validation at iteration {runner.iter}: '
                           + ', '.join(f'{name} {value:.4f}' for name, value in numbers.items()))
        runner.history.add(runner.iter, numbers, kind='val')
        runner.visualizer.add_scalars({f'val/{k}': v for k, v in numbers.items()}, step=runner.iter)
        folder = Path(runner.work_dir)
        with atomic_path(folder / 'metrics.json') as temporary:
            temporary.write_text(json.dumps(result_json(runner, metrics), indent=2) + '\n')
        if time.monotonic() - self._drawn_at > REDRAW_SECONDS:
            self._draw(runner)

    def close(self, runner):
        """Draw the curves of the run, however it ended."""
        if runner.rank == 0 and runner.history.scalars:
            self._draw(runner)

    def _draw(self, runner):
        self._drawn_at = time.monotonic()
        try:
            with atomic_path(Path(runner.work_dir) / 'curves.png') as temporary:
                draw_curves(runner.history.scalars, temporary, title=Path(runner.work_dir).name)
        except OSError as error:  # a full disk must not hide what ended the run
            runner.logger.warning(f'curves.png could not be drawn: {error}')
