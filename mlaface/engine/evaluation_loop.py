"""The validation and test loops: a model over a data set, its embeddings to the metrics."""
import copy

import numpy as np
import torch
from mmengine.runner import BaseLoop
from torch import distributed

from mlaface.engine.distributed import barrier
from mlaface.engine.environment import warn_of_emulation
from mlaface.engine.errors import ConfigError
from mlaface.registry import LOOPS

DTYPES = {None: None, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def _plain(value):
    """A metric as Python's number where it is one of numpy's or torch's, which JSON has not; else as it is."""
    one = (value.numel() == 1 if isinstance(value, torch.Tensor) else
           isinstance(value, (np.generic, np.ndarray)) and value.size == 1)
    return value.item() if one else value


class EvaluationLoop(BaseLoop):
    """Runs the model over a data set and hands its embeddings to the metrics.

    Args:
        runner (FaceRunner): The runner.
        dataloader (DataLoader or dict): Gives ``images`` and ``index``.
        evaluator (Evaluator or dict or list): The metrics.
        amp (str, optional): Mixed precision, 'bfloat16' or 'float16'; None: float32.
    """

    stage = 'val'

    def __init__(self, runner, dataloader, evaluator, amp=None):
        if amp not in DTYPES:
            raise ConfigError(f"{self.stage}_cfg.amp is {amp!r}: choose 'bfloat16', 'float16' or None")
        super().__init__(runner, dataloader)
        self.amp = amp
        self.evaluator = runner.build_evaluator(evaluator)

    def loader(self):
        """The images of this evaluation (DataLoader)."""
        return self.dataloader

    def run(self):
        """Evaluate once.

        Returns:
            dict[str, float]: What the metrics give.
        """
        runner = self.runner
        runner.call_hook(f'before_{self.stage}')
        runner.call_hook(f'before_{self.stage}_epoch')
        runner.model.eval()
        step = getattr(runner.model, f'{self.stage}_step')
        loader = self.loader()
        self.evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
        device = next(runner.model.parameters()).device.type
        warn_of_emulation(self.amp, device, f'{self.stage}_cfg.amp')
        with torch.inference_mode(), torch.autocast(device, DTYPES[self.amp], enabled=self.amp is not None):
            for data in loader:
                outputs = step(runner.to_device(data))
                for metric in self.evaluator.metrics:
                    metric.process(data, outputs)
        found = self.evaluator.evaluate(len(loader.dataset))
        metrics = {name: _plain(value) for name, value in found.items()}
        barrier()  # the first may have measured alone
        if distributed.is_available() and distributed.is_initialized():
            shared = [metrics]
            distributed.broadcast_object_list(shared, src=0)
            metrics = shared[0]
        runner.call_hook(f'after_{self.stage}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.stage}')
        barrier()
        return metrics


@LOOPS.register_module()
class FaceValLoop(EvaluationLoop):
    """Validation during training; see ``EvaluationLoop``.

    Args:
        runner, dataloader, evaluator, amp: See there.
        between (dict, optional): What is changed in the config of the data set for all validations but that at the
            training's end, as ``dict(every=5)``: a cheaper look in between. None: nothing.
    """

    def __init__(self, runner, dataloader, evaluator, amp=None, between=None):
        if between is not None and not isinstance(between, dict):
            raise ConfigError(f'{self.stage}_cfg.between is {between!r}: write dict(every=5), or what else the data '
                              'set takes')
        cheap = None
        if between and isinstance(dataloader, dict):
            cheap = copy.deepcopy(dict(dataloader))
            cheap['dataset'] = {**cheap['dataset'], **between}
        super().__init__(runner, dataloader, evaluator, amp)
        self.between = runner.build_dataloader(cheap) if cheap else None

    @property
    def last(self):
        """Whether this validation is that at the training's end, or all are alike (bool)."""
        return self.between is None or getattr(self.runner._train_loop, 'done', True)

    def loader(self):
        """The images of this validation (DataLoader)."""
        return self.dataloader if self.last else self.between


@LOOPS.register_module()
class FaceTestLoop(EvaluationLoop):
    """Evaluation of a trained model; see ``EvaluationLoop``."""

    stage = 'test'
