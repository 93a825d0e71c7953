"""What every backbone shares: stages that can be frozen, and norms that can be held."""
from itertools import chain

from torch import nn

from mlaface.models.freezing import freeze, hold_norms


class Backbone(nn.Module):
    """Base of the backbones. A subclass gives ``stages()`` and ends its ``__init__`` with ``freeze_stages``.

    What is frozen has no gradient and stays in evaluation mode whatever ``train()`` says, as in mmpretrain.

    Attributes:
        frozen_stages (int): -1: nothing is frozen; 0: the stem; n: the stem and stages 1 to n.
        norm_eval (bool): Whether all BatchNorms keep their running statistics in training.
    """

    frozen_stages, norm_eval = -1, False

    def stages(self):
        """The network from the image on: modules of the stem, of stage 1, and so on (list of lists of nn.Module)."""
        raise NotImplementedError

    def freeze_stages(self, frozen_stages=-1, norm_eval=False):
        """Freeze the first stages, and hold the norms of all.

        Args:
            frozen_stages (int): The last stage that is frozen. Default -1, none.
            norm_eval (bool): Default False.

        Raises:
            ValueError: If there is no such stage.
        """
        last = len(self.stages()) - 1
        if isinstance(frozen_stages, bool) or frozen_stages not in range(-1, last + 1):
            raise ValueError(f'frozen_stages={frozen_stages}: {type(self).__name__} has the stem, which is 0, and '
                             f'stages 1 to {last}; -1 freezes nothing')
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self.train(self.training)

    def train(self, mode=True):
        """As ``nn.Module.train``, but for what is frozen or held."""
        super().train(mode)
        if self.frozen_stages >= 0:
            freeze(chain.from_iterable(self.stages()[:self.frozen_stages + 1]))
        if self.norm_eval:
            hold_norms(self)
        return self
