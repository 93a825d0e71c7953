"""MegaFace's first challenge: mates searched among distractors, as an entry of result JSON."""
import math

import numpy as np

from mlaface.evaluation.functional.checks import check_gallery, check_matrix, image_name
from mlaface.evaluation.functional.identification import Found
from mlaface.evaluation.functional.rows import unit_rows
from mlaface.evaluation.functional.search import encode, mate_scores, mate_table, scan_gallery


def evaluate_distractors(embeddings, subjects, distractors, *, ranks=(1, 10), block=None, names=None,
                         scan=scan_gallery):
    """MegaFace's first challenge: each image searches each other image of its subject among all distractors.

    Args:
        embeddings (array (P, D)): Images of the probe subjects.
        subjects (array (P,)): Their subjects; at least one has two images.
        distractors (array (N, D)): Embeddings of people outside the probe set.
        ranks (sequence of int): For the CMC.
        block (int or None): Rows in one matrix product; None is what suits the search.
        names (sequence of str (P,) or None): Names of images, for messages.
        scan (callable): The search; see ``identification.find``.

    Returns:
        dict: A benchmark's entry of result JSON; rates are over ordered pairs of images of one subject.

    Raises:
        ValueError: If no subject has two images.
    """
    found = find_among(embeddings, subjects, distractors, block, names, scan)
    return distractors_entry(found, len(embeddings), len(distractors), ranks)


def find_among(embeddings, subjects, distractors, block=None, names=None, scan=scan_gallery, distractor_names=None):
    """Compare each image's cosine with each mate's to its cosines with the distractors.

    Returns:
        Found: ``mated`` (images with mates), ``scores`` and ``above`` (P, M), one column a mate; see ``Found``.

    Raises:
        ValueError: If no subject has two images.
    """
    unit = unit_rows(check_matrix(embeddings, names=names), names)
    distractors = check_gallery(distractors, unit.shape[1])
    if len(subjects) != len(unit):
        raise ValueError(f'{len(unit)} embeddings, but {len(subjects)} subjects')
    mates = mate_table(*encode(subjects, subjects))
    mates[mates == np.arange(len(mates))[:, None]] = -1
    if not (mates >= 0).any():
        raise ValueError('no subject has two images: nothing can be searched for')
    thresholds = mate_scores(unit, unit, mates, names)
    scanned = scan(unit, thresholds, distractors, np.full((len(unit), 1), -1), block, distractor_names)
    return Found((mates >= 0).any(axis=1), np.where(mates >= 0, thresholds, -np.inf), scanned.above, scanned.best_other)


def distractors_entry(found, images, distractors, ranks=(1, 10)):
    """``evaluate_distractors`` from what was found."""
    searches = int(np.isfinite(found.scores).sum())
    return dict(protocol='distractors', rules=dict(ties='against'),
                counts=dict(images=images, searches=searches, distractors=distractors),
                metrics=distractors_metrics(found, ranks))


def distractors_metrics(found, ranks=(1, 10), weights=None):
    """``rank`` over all searches, those of an image counted as often as its weight says."""
    searched = np.isfinite(found.scores)
    searches = searched.sum(axis=1) if weights is None else searched.sum(axis=1) * weights
    total = int(searches.sum())
    rates = {}
    for rank in ranks:
        hits = (searched & (found.above < rank)).sum(axis=1)
        count = hits.sum() if weights is None else hits @ weights
        rates[str(rank)] = dict(value=float(count / total) if total else math.nan)
    return dict(rank=rates)


def replace_noise(images, subjects, noise, names=None):
    """Embeddings in which a noisy image's is the sum of its person's clean ones.

    Args:
        images (ndarray (P, D)): Embeddings.
        subjects (array (P,)): Their people.
        noise (ndarray (P,)): bool.
        names (sequence of str (P,) or None): Names of images, for messages.

    Returns:
        ndarray (P, D): A copy, unit rows where they were clean.

    Raises:
        ValueError: If a person has no clean image; names one that is noisy.
    """
    codes = np.unique(subjects, return_inverse=True)[1].ravel()
    lost = np.flatnonzero(~np.isin(codes, codes[~noise]))
    if len(lost):
        raise ValueError(f'{image_name(int(lost[0]), names)} and all other images of its person are on the list of '
                         'noise: is it the list of this set?')
    images = unit_rows(images, names)
    centres = np.zeros((codes.max() + 1, images.shape[1]))
    np.add.at(centres, codes[~noise], images[~noise])
    images[noise] = centres[codes[noise]]
    return images
