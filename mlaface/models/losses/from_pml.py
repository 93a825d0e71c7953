"""Losses of pytorch-metric-learning (Musgrave et al., 2020) by name: ``pml.TripletMarginLoss``."""
from mlaface.models.losses.base import FaceLoss
from mlaface.registry import LOSSES
from mlaface.utils.foreign import Library

PLACES = ('losses', 'miners', 'distances', 'reducers', 'regularizers')


class MetricLoss(FaceLoss):
    """A loss of pytorch-metric-learning on the embeddings and labels of the global batch.

    Args:
        loss (nn.Module): Of the library; distances, reducers and regularizers are among its arguments.
        miner (nn.Module, optional): Of the library; chooses the pairs or triplets.
    """

    def __init__(self, loss, miner=None):
        super().__init__()
        self.loss, self.miner = loss, miner
        self.needs_pairs = not any(p.requires_grad for p in loss.parameters())  # others have proxies of the classes

    def forward(self, embeddings, labels):
        """The loss, a scalar; see ``FaceLoss``."""
        chosen = None if self.miner is None else self.miner(embeddings, labels)
        return self.loss(embeddings, labels, chosen)


def _wrap(part, miner=None):
    """A loss as ours are called; a miner, a distance or a reducer as it is."""
    from pytorch_metric_learning.losses import BaseMetricLossFunction
    return MetricLoss(part, miner) if isinstance(part, BaseMetricLossFunction) else part


@LOSSES.register_module(name='pml.*')
class OfPml:
    """Losses, miners, distances and reducers of pytorch-metric-learning by name, ``pml.NAME``."""
    named = Library('pml', [f'pytorch_metric_learning.{place}' for place in PLACES], _wrap).named
