"""Embeddings that lie to each other as the teacher's do (Park et al., Relational Knowledge Distillation, CVPR 2019)."""
import torch
from torch.nn import functional

from mlaface.models.losses._teacher import TaughtLoss
from mlaface.registry import LOSSES


@LOSSES.register_module()
class RelationalDistillation(TaughtLoss):
    """Huber losses between distances, and angles, among the images of a batch for student and teacher.

    Distances (equations 6 to 8) are those of all pairs, over their mean; angles (equations 9 to 11) those at each image
    of all triplets, N^3 cosines. Embeddings are brought to unit length first, as faces are compared. Their sizes may
    differ.

    Args:
        teacher (str): See ``TaughtLoss``.
        distance (float): Weight of the distances. Default 1.
        angle (float): Weight of the angles. Default 2, as in the paper; 0 leaves them out.

    Raises:
        ValueError: If a weight is negative, or both are 0.
    """

    def __init__(self, teacher, distance=1.0, angle=2.0):
        super().__init__(teacher)
        if min(distance, angle) < 0 or distance == angle == 0:
            raise ValueError(f'RelationalDistillation: distance={distance}, angle={angle}; at least 0, and one above')
        self.distance, self.angle = distance, angle

    def _arguments(self):
        return dict(teacher=self.teacher, distance=self.distance, angle=self.angle)

    def forward(self, embeddings, labels, targets):
        """The loss, a scalar; see ``FaceLoss``."""
        student, teacher = functional.normalize(embeddings), functional.normalize(targets)
        loss = embeddings.sum() * 0
        if self.distance:
            loss = loss + self.distance * functional.smooth_l1_loss(relative_distances(student),
                                                                    relative_distances(teacher))
        if self.angle:
            loss = loss + self.angle * functional.smooth_l1_loss(angles(student), angles(teacher))
        return loss


def relative_distances(embeddings):
    """Distances of all pairs over their mean, (N, N), 0 of an image to itself; equations 6 and 7."""
    squared = (2 - 2 * embeddings @ embeddings.T).clamp(min=1e-12)
    apart = ~torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    distances = torch.where(apart, squared, 1.0).sqrt() * apart
    count = len(embeddings)
    pairs = distances.flatten()[1:].view(count - 1, count + 1)[:, :-1]  # a mask would wait for a GPU
    return distances / pairs.reshape(-1).mean().clamp(min=1e-12)


def angles(embeddings):
    """Cosines of the angles at image j between images i and k, (N, N, N) as [j, i, k]; equation 10."""
    apart = functional.normalize(embeddings[None] - embeddings[:, None], dim=2, eps=1e-12)
    return apart @ apart.transpose(1, 2)
