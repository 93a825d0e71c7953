"""The width of a bottleneck, which half of the attention plugins have."""


def hidden_channels(channels, reduction, least=1):
    """C over ``reduction``, at least ``least``.

    Args:
        channels (int): C of the map.
        reduction (int): From 1 on.
        least (int): Channels that stay in any case. Default 1.

    Returns:
        int: Channels of the bottleneck.

    Raises:
        ValueError: If the reduction is no such number.
    """
    if isinstance(reduction, bool) or not isinstance(reduction, int) or reduction < 1:
        raise ValueError(f'reduction={reduction!r} must be a whole number of at least 1')
    return max(least, channels // reduction)
