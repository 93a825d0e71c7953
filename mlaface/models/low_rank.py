"""LoRaLin (George et al., EdgeFace, IEEE T-BIOM 2024, eq. 2): a linear layer as the product of two of low rank."""
from torch import nn


class LowRankLinear(nn.Module):
    """Linear to ``rank`` numbers without bias, and linear from them.

    Args:
        in_features (int): Numbers that come in.
        out_features (int): Numbers that go out.
        rank (int): Between the two.
        bias (bool): Of the second layer. Default True.
    """

    def __init__(self, in_features, out_features, rank, bias=True):
        super().__init__()
        self.linear1 = nn.Linear(in_features, rank, bias=False)
        self.linear2 = nn.Linear(rank, out_features, bias=bias)

    def forward(self, x):
        """(..., in_features) to (..., out_features)."""
        return self.linear2(self.linear1(x))


def build_linear(in_features, out_features, rank_ratio=None):
    """A linear layer with bias, whole or of low rank.

    Args:
        in_features (int): Numbers that come in.
        out_features (int): Numbers that go out.
        rank_ratio (float, optional): Gamma: the rank over the smaller of the two numbers, rounded down, 2 at least.
            None for a whole layer.

    Returns:
        nn.Module: ``nn.Linear`` or ``LowRankLinear``.

    Raises:
        ValueError: If ``rank_ratio`` is not above 0 and at most 1.
    """
    if rank_ratio is None:
        return nn.Linear(in_features, out_features)
    if not 0 < rank_ratio <= 1:
        raise ValueError(f'rank_ratio={rank_ratio} must be above 0 and at most 1, or None for whole layers')
    return LowRankLinear(in_features, out_features, max(2, int(min(in_features, out_features) * rank_ratio)))
