"""Sizes that attention plugins share: the width of a bottleneck, and the rim of a kernel."""


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


def rim(kernel_size):
    """Padding with which a convolution keeps the size of its map.

    Args:
        kernel_size (int): Odd.

    Returns:
        int: On each side.

    Raises:
        ValueError: If it is even, or no whole number above 0.
    """
    if isinstance(kernel_size, bool) or not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f'kernel_size={kernel_size!r} must be an odd number: 3, 5, 7, ...')
    return kernel_size // 2
