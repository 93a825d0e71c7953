"""Embedding functions for tests: mean colours of a grid, of images that were normalised."""


def grid(images, cells=14):
    size = images.shape[2] // cells
    means = images.reshape(len(images), 3, cells, size, cells, size).mean(axis=(3, 5)).reshape(len(images), -1)
    return means - means.mean(axis=1, keepdims=True) + 1e-3


def coarse(images):
    return grid(images, 7)


def third_only(images):
    """Knows people by the third channel; the others do not matter to it."""
    return coarse(images[:, 2:].repeat(3, axis=1))
