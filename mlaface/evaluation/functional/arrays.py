"""Where scores are computed: the few things in which array libraries differ, under one set of names.

The mathematics of 1:1 and 1:N is written once, with operators that numpy and torch share; ``HOST`` runs it in numpy,
``evaluation.search.device`` on a GPU.
"""
import numpy as np


class HostArrays:
    """numpy on the host.

    Attributes:
        block (int): Rows of each side of a matrix product; sized for the cache.
        pairs (int): Pairs of rows that are multiplied at a time.
    """
    block = 4096
    pairs = 512

    @staticmethod
    def load(array):
        """A numpy array as one on which products are computed."""
        return array

    @staticmethod
    def host(array):
        """The array back as numpy's."""
        return array

    @staticmethod
    def multiply(first, second):
        """float32 products (N, M) of rows (N, D) and rows (M, D), without any lower precision inside."""
        return first @ second.T

    @staticmethod
    def largest(scores):
        """Largest value of each row, (N,)."""
        return scores.max(axis=1)

    @staticmethod
    def nonzero(mask):
        """Places of true values, an array an axis."""
        return np.nonzero(mask)


HOST = HostArrays()
