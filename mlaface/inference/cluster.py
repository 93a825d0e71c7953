"""Faces grouped by person: average linkage on cosines, cut at a threshold."""
import numpy as np

from mlaface.utils.errors import InputError

MOST = 20_000


def cluster_embeddings(embeddings, threshold):
    """Groups of embeddings whose mean cosine to each other reaches a threshold.

    Average linkage: one pair of strangers that look alike does not join two people, as single linkage and DBSCAN have
    it; docs/inference.md has the comparison.

    Args:
        embeddings (ndarray (N, D)): Of unit length; at most 20,000, whose distances take 1.6 GB.
        threshold (float): Cosine.

    Returns:
        ndarray int (N,): Group of each, 0 the largest; equally large ones in the order of their first member.

    Raises:
        InputError: If there are more.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist
    if len(embeddings) > MOST:
        raise InputError(f'{len(embeddings)} faces are more than {MOST:,}, which are clustered at most: take parts')
    if len(embeddings) < 2:
        return np.zeros(len(embeddings), int)
    rows = np.asarray(embeddings, np.float64)
    distances = pdist(rows, 'sqeuclidean')
    distances /= 2  # 1 - cosine
    found = fcluster(linkage(distances, 'average'), 1 - threshold, 'distance')
    _, first, group, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(first), int)
    rank[np.lexsort((first, -sizes))] = np.arange(len(first))
    return rank[group]
