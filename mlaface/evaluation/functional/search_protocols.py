"""The protocols of identification: IJB 1:N, TinyFace and MegaFace, as entries of result JSON.

The metrics of each are one function of what was found and of weights, so that intervals come from the same lines.
"""
import math

import numpy as np

from mlaface.evaluation.functional.checks import check_gallery, check_matrix, image_name
from mlaface.evaluation.functional.identification import (
    Found,
    find,
    mean_average_precision,
    rank_rates,
    tpir_at_fpir,
)
from mlaface.evaluation.functional.rows import unit_rows
from mlaface.evaluation.functional.search import DISTRACTOR, encode, mate_scores, mate_table, scan_gallery

RULES = dict(ties='against', far_rule='strict', rank_condition=True)


def evaluate_open_set(probes, probe_subjects, galleries, *, ranks=(1, 5, 10), fpirs=(1e-2, 1e-1), block=None,
                      names=None, scan=scan_gallery):
    """IJB 1:N: ranks on mated probes and TPIR at FPIR, per gallery and mean.

    Args:
        probes (array (P, D)): Embeddings of probe templates.
        probe_subjects (array (P,)): Their subjects; those not in a gallery are its non-mated probes.
        galleries (dict[str, tuple]): Name -> (embeddings (N, D), subjects (N,)).
        ranks (sequence of int): For the CMC.
        fpirs (sequence of float): Targets.
        block (int or None): Rows in one matrix product; None is what suits the search.
        names (sequence of str (P,) or None): Names of probes, for messages.
        scan (callable): The search; see ``identification.find``.

    Returns:
        dict: A benchmark's entry of result JSON; ``galleries`` holds each gallery's metrics, ``metrics`` their means.
    """
    founds = {name: find(probes, probe_subjects, gallery, subjects, block, names, scan)
              for name, (gallery, subjects) in galleries.items()}
    return open_set_entry(founds, {name: len(gallery) for name, (gallery, _) in galleries.items()}, ranks, fpirs)


def open_set_entry(founds, sizes, ranks=(1, 5, 10), fpirs=(1e-2, 1e-1)):
    """``evaluate_open_set`` from what was found.

    Args:
        founds (dict[str, Found]): By gallery.
        sizes (dict[str, int]): Templates of each gallery.
        ranks (sequence of int): For the CMC.
        fpirs (sequence of float): Targets.

    Returns:
        dict: A benchmark's entry of result JSON.
    """
    counts = {name: dict(templates=sizes[name], mated=int(found.mated.sum()), other=int((~found.mated).sum()))
              for name, found in founds.items()}
    probes = len(next(iter(founds.values())).mated)
    return dict(protocol='identification', rules=dict(RULES), counts=dict(probes=probes, galleries=counts),
                **open_set_metrics(founds, ranks, fpirs))


def open_set_metrics(founds, ranks=(1, 5, 10), fpirs=(1e-2, 1e-1), weights=None):
    """Metrics of each gallery and their means.

    Args:
        founds (dict[str, Found]): By gallery.
        ranks (sequence of int): For the CMC.
        fpirs (sequence of float): Targets.
        weights (ndarray (P,) or None): How often each probe counts; None is once.

    Returns:
        dict: ``metrics`` and ``galleries``, as in the entry.
    """
    each = {name: dict(tpir_at_fpir=tpir_at_fpir(found, fpirs, weights), rank=rank_rates(found, ranks, weights))
            for name, found in founds.items()}
    mean = {key: _mean([metrics[key] for metrics in each.values()]) for key in ('rank', 'tpir_at_fpir')}
    return dict(metrics=mean, galleries=each)


def _mean(tables):
    """Mean over galleries of the rates of each row."""
    return {row: {key: float(np.mean([table[row][key] for table in tables]))
                  for key in ('value', 'any_rank') if key in tables[0][row]} for row in tables[0]}


def evaluate_retrieval(probes, probe_subjects, gallery, gallery_subjects, *, ranks=(1, 5, 20), block=None,
                       names=None, scan=scan_gallery):
    """TinyFace: every probe has mates in a gallery that holds distractors too; rank-k and mAP.

    Args:
        probes (array (P, D)): Embeddings.
        probe_subjects (array (P,)): Subjects, all of them in the gallery.
        gallery (array (N, D)): Embeddings of mates and distractors.
        gallery_subjects (array (N,)): Subjects; -1 marks distractors.
        ranks (sequence of int): For the CMC.
        block (int or None): Rows in one matrix product; None is what suits the search.
        names (sequence of str (P,) or None): Names of probes, for messages.
        scan (callable): The search; see ``identification.find``.

    Returns:
        dict: A benchmark's entry of result JSON.

    Raises:
        ValueError: If a probe's subject is not in the gallery; names the probe.
    """
    found = find_all(probes, probe_subjects, gallery, gallery_subjects, block, names, scan)
    return retrieval_entry(found, gallery_subjects, ranks)


def find_all(probes, probe_subjects, gallery, gallery_subjects, block=None, names=None, scan=scan_gallery,
             gallery_names=None):
    """``identification.find`` for a closed set, in which every probe has a mate.

    Raises:
        ValueError: If a probe's subject is not in the gallery; names the probe.
    """
    found = find(probes, probe_subjects, gallery, gallery_subjects, block, names, scan, gallery_names)
    lost = np.flatnonzero(~found.mated)
    if len(lost):
        raise ValueError(f'subject {np.asarray(probe_subjects)[lost[0]]} of probe {image_name(int(lost[0]), names)} is '
                         f'not in the gallery ({len(lost)} such probes): a closed-set protocol needs all of them')
    return found


def retrieval_entry(found, gallery_subjects, ranks=(1, 5, 20), precision='step'):
    """``evaluate_retrieval`` from what was found; ``precision`` as ``mean_average_precision``'s rule."""
    counts = dict(probes=len(found.mated), gallery=len(gallery_subjects),
                  distractors=int((np.asarray(gallery_subjects) == DISTRACTOR).sum()))
    return dict(protocol='retrieval', rules=dict(ties='against', average_precision=precision), counts=counts,
                metrics=retrieval_metrics(found, ranks, precision=precision))


def retrieval_metrics(found, ranks=(1, 5, 20), weights=None, precision='step'):
    """``rank`` and ``map`` of what was found, each probe counted as often as its weight says."""
    return dict(rank=rank_rates(found, ranks, weights),
                map=dict(value=mean_average_precision(found, weights, precision)))


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
