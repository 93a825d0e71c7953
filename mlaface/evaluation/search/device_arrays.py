"""Scores on a GPU: what ``functional.arrays`` needs, by torch."""
import numpy as np
import torch


class DeviceArrays:
    """torch on one device; see ``functional.arrays.HostArrays``.

    Args:
        device (str): ``'cuda'``, ``'cuda:1'``, or ``'cpu'``. It needs float64, which ``'mps'`` has not.
    """
    block = 16_384
    pairs = 65_536

    def __init__(self, device):
        self.device = torch.device(device)

    def load(self, array):
        """A numpy array as a tensor on the device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    @staticmethod
    def host(array):
        """The tensor as a numpy array."""
        return array.cpu().numpy()

    @staticmethod
    def multiply(first, second):
        """float32 products (N, M) of rows (N, D) and rows (M, D); never TF32, whatever the program chose."""
        chosen = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision('highest')
        try:
            return first @ second.T
        finally:
            torch.set_float32_matmul_precision(chosen)

    @staticmethod
    def largest(scores):
        """Largest value of each row, (N,)."""
        return scores.amax(1)

    @staticmethod
    def nonzero(mask):
        """Places of true values, a tensor an axis."""
        return torch.nonzero(mask, as_tuple=True)
