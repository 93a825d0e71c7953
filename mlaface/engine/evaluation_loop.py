"""The validation and test loops: a model over a data set, its embeddings to the metrics."""
import torch
from mmengine.runner import BaseLoop
from torch import distributed

from mlaface.registry import LOOPS


class EvaluationLoop(BaseLoop):
    """Runs the model over a data set and hands its embeddings to the metrics.

    Args:
        runner (FaceRunner): The runner.
        dataloader (DataLoader or dict): Gives ``images`` and ``index``.
        evaluator (Evaluator or dict or list): The metrics.
    """

    stage = 'val'

    def __init__(self, runner, dataloader, evaluator):
        super().__init__(runner, dataloader)
        self.evaluator = runner.build_evaluator(evaluator)
        self.evaluator.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)

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
        with torch.inference_mode():
            for data in self.dataloader:
                outputs = step(runner.to_device(data))
                for metric in self.evaluator.metrics:
                    metric.process(data, outputs)
        metrics = self.evaluator.evaluate(len(self.dataloader.dataset))
        if distributed.is_available() and distributed.is_initialized():
            shared = [metrics]
            distributed.broadcast_object_list(shared, src=0)
            metrics = shared[0]
        runner.call_hook(f'after_{self.stage}_epoch', metrics=metrics)
        runner.call_hook(f'after_{self.stage}')
        return metrics


@LOOPS.register_module()
class FaceValLoop(EvaluationLoop):
    """Validation during training; see ``EvaluationLoop``."""


@LOOPS.register_module()
class FaceTestLoop(EvaluationLoop):
    """Evaluation of a trained model; see ``EvaluationLoop``."""

    stage = 'test'
