"""A line or a grid made twice as fine, compiled: what is new lies between the nearest two of the coarse, a quarter of
the way from the nearer one.

Kernels of other files have this in them, and what numba keeps of those is made anew with their own files only: whoever
changes this changes them too.
"""
import numpy as np
from numba import njit

NEAR, FAR = np.float32(0.75), np.float32(0.25)


@njit
def doubled(grid, i, line):
    """Row i of a grid (R, C) made twice as fine each way, into ``line`` (2C,)."""
    rows, columns = grid.shape
    near = i >> 1
    first, second = grid[near], grid[min(max(near - 1 + 2 * (i & 1), 0), rows - 1)]
    mixed = np.empty(columns + 2, np.float32)
    inner = mixed[1:-1]
    for j in range(columns):
        inner[j] = NEAR * first[j] + FAR * second[j]
    mixed[0], mixed[-1] = inner[0], inner[-1]
    spaced(mixed, line)


@njit
def spaced(mixed, line):
    """A line made twice as fine; ``mixed`` (C + 2,) goes on beyond its ends."""
    before, inner, after = mixed[:-2], mixed[1:-1], mixed[2:]
    for j in range(len(inner)):
        line[2 * j] = NEAR * inner[j] + FAR * before[j]
        line[2 * j + 1] = NEAR * inner[j] + FAR * after[j]
