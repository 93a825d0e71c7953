"""What a run cost and found at each validation, exactly, across interruptions too: what studies are made of."""
import contextlib
import json
import os
import resource
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook

from mlaface.engine.distributed import any_rank
from mlaface.engine.signals import CHECK_EVERY
from mlaface.registry import HOOKS
from mlaface.utils.files import atomic_path
from mlaface.utils.flops import count_macs

FILE, SCORES = 'record.json', 'record_{}.npz'


def plain_values(metrics):
    """The numbers of a benchmark's entry by dotted name: ``accuracy``, ``tar_at_far.1e-2`` (dict[str, float])."""
    found = {}
    for name, entry in metrics.items():
        if isinstance(entry, dict) and isinstance(entry.get('value'), (int, float)):
            found[name] = float(entry['value'])
        elif isinstance(entry, dict):
            found.update({f'{name}.{key}': value for key, value in plain_values(entry).items()})
    return found


def peak_memory():
    """Most memory held so far, in MiB: on the GPU where there is one, else of this process (float)."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2 ** 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Clock:
    """Wall and processor seconds of this process while it runs, together with those of earlier ones."""

    def __init__(self):
        self.total, self.since = np.zeros(2), None

    @staticmethod
    def now():
        """Both clocks, ndarray (2,)."""
        return np.array([time.perf_counter(), time.process_time()])

    def start(self):
        """Go on."""
        if self.since is None:
            self.since = self.now()

    def stop(self):
        """Pause."""
        self.total, self.since = self.read(), None

    def read(self):
        """Seconds so far: wall, processor; ndarray (2,)."""
        return self.total + (0 if self.since is None else self.now() - self.since)


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Notes at each validation what was found and what it took: ``record.json``, and scores in ``record_N.npz``.

    The clocks stand still while validating, and a continued run counts what it continues: what an interruption threw
    away is in no number.

    Args:
        max_seconds (float, optional): Of the processor in training, after which training ends. Default None, no limit.
    """

    priority = 'VERY_LOW'

    def __init__(self, max_seconds=None):
        self.max_seconds = max_seconds
        self.clock, self.testing, self.validations, self.memory, self.macs = Clock(), Clock(), [], 0.0, None

    def before_train(self, runner):
        """Count the network's products, and start the clock."""
        self.macs = count_macs(runner.bare_model) if hasattr(runner.bare_model, 'extract') else None
        for metric in runner.val_loop.evaluator.metrics if runner.val_loop is not None else ():
            metric.keep_scores = True
        self.clock.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        """End a training that has had its time."""
        if self.max_seconds is None or (runner.world_size > 1 and runner.iter % CHECK_EVERY):
            return  # ranks agree now and then, and stop in the same place
        if any_rank(self.clock.read()[1] > self.max_seconds, runner.communication_device):
            runner.train_loop.stop_training = True

    def before_val_epoch(self, runner):
        """Training's clock stands still."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.clock.stop()
        self.testing.start()

    def after_val_epoch(self, runner, metrics=None):
        """Note the numbers, and write both files."""
        self.testing.stop()
        wall, processor = self.clock.read().tolist()
        entries, scores = {}, {}
        for metric in runner.val_loop.evaluator.metrics:
            entries.update((getattr(metric, 'last_result', None) or {}).get('benchmarks', {}))
            scores.update(getattr(metric, 'last_scores', None) or {})
        load = os.getloadavg()[0] if hasattr(os, 'getloadavg') else None
        self.validations.append(dict(
            iter=runner.iter, whole=getattr(runner.val_loop, 'last', True), wall=wall, processor=processor, load=load,
            images=runner.iter * runner.train_loop.micro_batch * runner.train_loop.accumulate,
            sets={name: plain_values(entry['metrics']) for name, entry in entries.items()}))
        if runner.rank == 0:
            self._write(runner, scores)
        self.clock.start()

    def _write(self, runner, scores):
        cosines = {name: np.float32(found.cosine) for name, found in scores.items() if hasattr(found, 'cosine')}
        labels = {f'{name}/issame': entry['issame'] for name, entry in
                  (runner.val_loop.evaluator.dataset_meta or {}).get('benchmarks', {}).items() if name in cosines}
        folder = Path(runner.work_dir)
        with atomic_path(folder / SCORES.format(runner.iter)) as temporary, open(temporary, 'wb') as file:
            np.savez(file, **cosines, **labels)
        with atomic_path(folder / FILE) as temporary:
            temporary.write_text(json.dumps(self.record(runner), indent=1) + '\n')

    def record(self, runner):
        """All that is known so far, ready for JSON (dict)."""
        parameters = sum(p.numel() for name, p in runner.bare_model.named_parameters() if not name.startswith('head.'))
        return dict(macs=self.macs, parameters=parameters, memory_mib=max(self.memory, peak_memory()),
                    max_iters=runner.max_iters, commit=runner.commit, torch=torch.__version__,
                    device=torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu',
                    threads=torch.get_num_threads(), testing=self.testing.read().tolist(),
                    validations=self.validations)

    def before_save_checkpoint(self, runner, checkpoint):
        """Clocks and numbers go with the weights."""
        checkpoint['record'] = dict(clock=self.clock.read().tolist(), testing=self.testing.read().tolist(),
                                    memory=max(self.memory, peak_memory()), validations=list(self.validations))

    def after_load_checkpoint(self, runner, checkpoint):
        """Go on from the clocks and numbers of a checkpoint."""
        found = checkpoint.get('record')
        if found:
            self.clock.total, self.testing.total = np.array(found['clock']), np.array(found['testing'])
            self.memory, self.validations = found['memory'], list(found['validations'])
            for path in Path(runner.work_dir).glob(SCORES.format('*')):
                if path.stem.rpartition('_')[2] not in {str(entry['iter']) for entry in self.validations}:
                    with contextlib.suppress(FileNotFoundError):
                        path.unlink()
