"""Non-local Neural Networks (Wang et al., CVPR 2018, eq. 1, 4 and 6)."""
from torch import nn

from mlaface.models.attention._sizes import hidden_channels
from mlaface.registry import ATTENTION


@ATTENTION.register_module()
class NonLocal(nn.Module):
    """Embedded Gaussian: every place is a mean of all places by softmax, embedded back, normed and added.

    The last norm's scale starts at zero, as published: the block begins as one without attention. Published energies
    are not scaled (``scale=None``); the default divides them as later attention does. Memory grows with ``H W`` on a
    processor, with ``(H W)^2`` where torch has no fused attention.

    Args:
        channels (int): C of the map.
        reduction (int): C over the channels of the embeddings (at least one). Default 2.
        scale (str, optional): ``'sqrt'`` divides energies by the root of the embeddings' channels; None does not.
            Default 'sqrt'.
        pool (int): Keys and values are the maxima of squares of this height and width; 2 is the paper's
            sub-sampling, 1 (the default) takes all places.

    Raises:
        ValueError: If ``scale`` is unknown, or ``pool`` below one.
    """

    own_init = True

    def __init__(self, channels, reduction=2, scale='sqrt', pool=1):
        super().__init__()
        if scale not in ('sqrt', None):
            raise ValueError(f"NonLocal: scale={scale!r} is unknown; choose 'sqrt' or None")
        if pool < 1:
            raise ValueError(f'NonLocal: pool={pool} must be at least 1')
        hidden = hidden_channels(channels, reduction)
        self.scale, self.pool = (hidden ** -0.5 if scale else 1.0), pool
        self.theta, self.phi, self.g = (nn.Conv2d(channels, hidden, 1) for _ in range(3))
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def pooled(self, x):
        """Maxima of squares; of the whole height or width where the map has less."""
        if self.pool == 1:
            return x
        return nn.functional.max_pool2d(x, [min(self.pool, length) for length in x.shape[2:]])

    def forward(self, x):
        """Attended map, shape as the input (N, C, H, W)."""
        query, key, value = (part.flatten(2).transpose(1, 2).unsqueeze(1) for part in (
            self.theta(x), self.pooled(self.phi(x)), self.pooled(self.g(x))))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return x + self.norm(self.project(mixed.squeeze(1).transpose(1, 2).unflatten(2, x.shape[2:])))
