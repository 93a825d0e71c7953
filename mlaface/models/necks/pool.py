"""Mean over the map, norm, linear: the output layer of EdgeFace (George et al., IEEE T-BIOM 2024), for any backbone."""
from torch import nn

from mlaface.models.low_rank import build_linear
from mlaface.models.precision import full_precision
from mlaface.registry import MODELS


@MODELS.register_module()
class PoolNeck(nn.Module):
    """Mean over places, LayerNorm, dropout, linear with bias.

    Args:
        in_channels (int): C of the map. Default 512.
        in_size (int): Height and width of the map. Default 7.
        embedding_size (int): D. Default 512.
        dropout (float): Share of the channels that is zeroed in training. Default 0.0.
        rank_ratio (float, optional): Gamma of EdgeFace: makes the linear layer one of low rank. Default None, whole.
    """

    def __init__(self, in_channels=512, in_size=7, embedding_size=512, dropout=0.0, rank_ratio=None):
        super().__init__()
        self.in_channels, self.in_size, self.embedding_size = in_channels, in_size, embedding_size
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)
        self.dropout = nn.Dropout(dropout)
        self.fc = build_linear(in_channels, embedding_size, rank_ratio)

    def forward(self, x):
        """Map (N, C, H, W) to embeddings (N, D), as the network makes them; float32 under mixed precision."""
        with full_precision(x.device.type):
            x = x.to(self.norm.weight.dtype).mean((2, 3))
            return self.fc(self.dropout(self.norm(x)))
