"""Parts of a network that stay in the parameters' own precision under autocast."""
import contextlib

import torch


def full_precision(device_type):
    """Context in which autocast is off; does nothing on devices that have no autocast (such as ``meta``).

    Args:
        device_type (str): ``tensor.device.type``.
    """
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return contextlib.nullcontext()
