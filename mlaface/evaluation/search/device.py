"""Where scores are computed: numpy on a processor, torch on a GPU."""
from mlaface.evaluation.functional.arrays import HOST


def arrays_on(device):
    """Where scores are computed when a network runs on a device.

    Args:
        device (str): Of the network.

    Returns:
        HostArrays or DeviceArrays: numpy on a processor, where it is the faster; torch on CUDA.
    """
    if not str(device).startswith('cuda'):
        return HOST
    from mlaface.evaluation.search.device_arrays import DeviceArrays
    return DeviceArrays(device)


def threads(device):
    """Threads of Python that share the work on the processor; on a GPU one (int)."""
    import torch
    return torch.get_num_threads() if arrays_on(device) is HOST else 1
