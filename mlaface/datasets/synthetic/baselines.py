"""How far one gets without recognising anybody: raw pixels and mean colour."""
import numpy as np

from mlaface.datasets.formats.bin_set import read_bin
from mlaface.datasets.formats.jpeg import decode


def raw_pixels(image):
    """Pixels of an image without their mean, of length 1: their product is the correlation."""
    values = image.astype(np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def mean_colour(image):
    """Mean of red, green and blue, float32 (3,)."""
    return image.reshape(-1, 3).mean(0, dtype=np.float32)


def best_accuracy(distances, issame):
    """Accuracy with the threshold chosen on the same pairs: an upper bound that flatters the baseline.

    Args:
        distances (ndarray): (P,), small for the same person.
        issame (ndarray): Bool (P,).

    Returns:
        float: Fraction of pairs that the best threshold gets right.
    """
    order = np.argsort(distances, kind='stable')
    values, same = distances[order], issame[order]
    correct = np.concatenate([[0], np.cumsum(same)]) + np.concatenate([np.cumsum(~same[::-1])[::-1], [0]])
    cut = np.concatenate([[True], values[1:] != values[:-1], [True]])  # equal distances cannot be told apart
    return float(correct[cut].max() / len(same))


def pair_baselines(path):
    """Accuracy of both baselines on a benchmark.

    Args:
        path (str | Path): A ``.bin`` file.

    Returns:
        dict[str, float]: ``raw_pixels`` (Euclidean distance of the normalised pixels) and ``mean_colour``.
    """
    found = read_bin(path)
    result = {}
    for describe in (raw_pixels, mean_colour):
        pairs = zip(found.images[::2], found.images[1::2])
        distances = np.array([np.linalg.norm(describe(decode(a)) - describe(decode(b))) for a, b in pairs])
        result[describe.__name__] = best_accuracy(distances, found.issame)
    return result
