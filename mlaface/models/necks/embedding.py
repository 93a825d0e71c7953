"""The output layer of ArcFace's networks, option E (Deng et al., CVPR 2019, section 3.1)."""
import torch
from torch import nn

from mlaface.models.precision import full_precision
from mlaface.registry import MODELS


@MODELS.register_module()
class EmbeddingNeck(nn.Module):
    """BatchNorm2d, flatten, dropout, Linear, BatchNorm1d with weight fixed to 1.

    Args:
        in_channels (int): C of the map. Default 512.
        in_size (int): Height and width of the map. Default 7.
        embedding_size (int): D. Default 512.
        dropout (float): Share of the flattened map that is zeroed in training. Default 0.0.
    """

    def __init__(self, in_channels=512, in_size=7, embedding_size=512, dropout=0.0):
        super().__init__()
        self.in_channels, self.in_size, self.embedding_size = in_channels, in_size, embedding_size
        self.bn2 = nn.BatchNorm2d(in_channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_channels * in_size * in_size, embedding_size)
        self.features = nn.BatchNorm1d(embedding_size)
        self.features.weight.requires_grad_(False)

    def forward(self, x):
        """Map (N, C, H, W) to embeddings (N, D), as the network makes them; float32 under mixed precision."""
        x = torch.flatten(self.dropout(self.bn2(x)), 1)
        with full_precision(x.device.type):
            return self.features(self.fc(x.to(self.fc.weight.dtype)))
