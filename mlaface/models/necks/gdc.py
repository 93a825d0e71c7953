"""Global depthwise convolution of MobileFaceNets (Chen et al., CCBR 2018, section 3.1)."""
import torch
from torch import nn

from mlaface.models.precision import full_precision
from mlaface.registry import MODELS


@MODELS.register_module()
class GDCNeck(nn.Module):
    """Depthwise convolution over the whole map, BatchNorm, Linear without bias, BatchNorm.

    Args:
        in_channels (int): C of the map. Default 512.
        in_size (int): Height and width of the map. Default 7.
        embedding_size (int): D. Default 512.
        dropout (float): Share of the pooled channels that is zeroed in training. Default 0.0.
    """

    def __init__(self, in_channels=512, in_size=7, embedding_size=512, dropout=0.0):
        super().__init__()
        self.in_channels, self.in_size, self.embedding_size = in_channels, in_size, embedding_size
        self.conv = nn.Conv2d(in_channels, in_channels, in_size, groups=in_channels, bias=False)
        self.bn = nn.BatchNorm2d(in_channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_channels, embedding_size, bias=False)
        self.features = nn.BatchNorm1d(embedding_size)

    def forward(self, x):
        """Map (N, C, H, W) to embeddings (N, D), as the network makes them; float32 under mixed precision."""
        x = torch.flatten(self.dropout(self.bn(self.conv(x))), 1)
        with full_precision(x.device.type):
            return self.features(self.fc(x.to(self.fc.weight.dtype)))
