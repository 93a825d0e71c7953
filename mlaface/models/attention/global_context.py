"""GCNet: Non-local Networks Meet Squeeze-Excitation Networks and Beyond (Cao et al., ICCV workshops 2019, eq. 7)."""
import torch
from torch import nn

from mlaface.models.attention._sizes import hidden_channels
from mlaface.registry import ATTENTION

FUSIONS = ('add', 'scale')


@ATTENTION.register_module()
class GlobalContext(nn.Module):
    """One context vector of the map, weighted by place, through a bottleneck with LayerNorm, added at every place.

    The last layer starts at zero, so that the block begins as one without attention. The published convolution that
    weighs the places has a bias, of which the softmax takes no notice; here it has none.

    Args:
        channels (int): C of the map.
        reduction (int): C over hidden units (at least two, since one has no LayerNorm). Default 16.
        fusion (str): ``'add'`` (published, the default), or ``'scale'`` by the sigmoid, which starts at one half.

    Raises:
        ValueError: If the fusion is unknown.
    """

    own_init = True

    def __init__(self, channels, reduction=16, fusion='add'):
        super().__init__()
        if fusion not in FUSIONS:
            raise ValueError(f'GlobalContext: fusion={fusion!r} is unknown; choose one of {FUSIONS}')
        hidden = hidden_channels(channels, reduction, 2)
        self.fusion = fusion
        self.mask = nn.Conv2d(channels, 1, 1, bias=False)
        self.transform = nn.Sequential(nn.Linear(channels, hidden), nn.LayerNorm(hidden), nn.ReLU(),
                                       nn.Linear(hidden, channels))
        nn.init.zeros_(self.transform[3].weight)
        nn.init.zeros_(self.transform[3].bias)

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        weights = self.mask(x).flatten(2).softmax(2).to(x.dtype)
        context = (x.flatten(2) @ weights.transpose(1, 2)).squeeze(2)
        change = self.transform(context)[:, :, None, None]
        return x + change if self.fusion == 'add' else x * torch.sigmoid(change)
