"""The output layer of InsightFace's vision transformers (An et al., CVPR 2022, and its trainer, arcface_torch)."""
from torch import nn

from mlaface.models.precision import full_precision
from mlaface.registry import MODELS


@MODELS.register_module()
class TokenNeck(nn.Module):
    """All tokens side by side, Linear, BatchNorm, Linear, BatchNorm; the linear layers without biases.

    Args:
        in_channels (int): C of the map, and of the layer between. Default 256.
        in_size (int): Height and width of the map. Default 12.
        embedding_size (int): D. Default 512.
        dropout (float): Share of the numbers of the tokens that is zeroed in training. Default 0.0.
    """

    def __init__(self, in_channels=256, in_size=12, embedding_size=512, dropout=0.0):
        super().__init__()
        self.in_channels, self.in_size, self.embedding_size = in_channels, in_size, embedding_size
        self.dropout = nn.Dropout(dropout)
        self.feature = nn.Sequential(
            nn.Linear(in_channels * in_size ** 2, in_channels, bias=False), nn.BatchNorm1d(in_channels, eps=2e-5),
            nn.Linear(in_channels, embedding_size, bias=False), nn.BatchNorm1d(embedding_size, eps=2e-5))
        for layer in self.feature[::2]:
            nn.init.trunc_normal_(layer.weight, std=0.02)

    def forward(self, x):
        """Map (N, C, H, W) to embeddings (N, D), as the network makes them; float32 under mixed precision."""
        x = self.dropout(x.flatten(2).transpose(1, 2).flatten(1))
        with full_precision(x.device.type):
            return self.feature(x.to(self.feature[0].weight.dtype))
