"""A penalty that holds class centres where the features of their classes are."""
import torch

from mlaface.models.losses.base import FaceLoss
from mlaface.registry import LOSSES


@LOSSES.register_module()
class CentroidPenalty(FaceLoss):
    """``1 - cos`` of an embedding to the centre of its class, over the classes of the batch.

    The mean is taken over the images of each class first, so that a class counts once however many images it has: it is
    the expectation of the class's unit features that is held at its centre. Sub-centres: the nearest.

    Source: the role of the feature expectation penalty in the second stage of LVFace (You et al., ICCV 2025); the
        formula is that of Wen et al. (ECCV 2016, equation 2) on the unit sphere, where half the squared distance is
        ``1 - cos``, with the head's centres.
    """

    needs_centers = True

    def forward(self, embeddings, labels, cosine):
        """The loss, a scalar; see ``FaceLoss``."""
        ordered = labels.sort().values  # torch.unique would wait for a GPU
        count = torch.searchsorted(ordered, labels, right=True) - torch.searchsorted(ordered, labels)
        classes = 1 + (ordered[1:] != ordered[:-1]).sum()
        return ((1 - cosine) / count).sum() / classes
