"""Memory that images are decoded into."""
import math

import torch

# Bytes by which it lies beside the multiples of 16. At those libjpeg-turbo writes past the cache (movntdq), which costs
# an image of 112 x 112 a fifth of the time of its decoding.
BESIDE = 8


def image_memory(shape, share=False):
    """Memory for images.

    Args:
        shape (tuple[int]): Of all of them.
        share (bool): With other processes. Default False.

    Returns:
        Tensor: uint8 of that shape, contiguous, at an address that is no multiple of 16.
    """
    room = torch.empty(math.prod(shape) + BESIDE, dtype=torch.uint8)
    return (room.share_memory_() if share else room)[BESIDE:].view(shape)
