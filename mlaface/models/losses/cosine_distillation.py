"""Embeddings that point where the teacher's do."""
from torch.nn import functional

from mlaface.models.losses._teacher import TaughtLoss
from mlaface.registry import LOSSES
from mlaface.utils.errors import InputError


@LOSSES.register_module()
class CosineDistillation(TaughtLoss):
    """The mean of ``1 - cos(student, teacher)`` over the images; both have embeddings of one size.

    Args:
        teacher (str): See ``TaughtLoss``.

    Source: half the squared distance of the unit embeddings, as in ShrinkTeaNet (Duong et al., 2019) and most
        distillation of face embeddings.
    """

    def forward(self, embeddings, labels, targets):
        """The loss, a scalar; see ``FaceLoss``.

        Raises:
            InputError: If the two embeddings differ in size.
        """
        if targets.shape != embeddings.shape:
            raise InputError(f'CosineDistillation: the embeddings have {embeddings.shape[1]} numbers, those of '
                             f'{self.teacher} {targets.shape[1]}: set the model\'s embedding_size to that, or use '
                             'RelationalDistillation, which compares distances')
        return (1 - functional.cosine_similarity(embeddings, targets)).mean()
