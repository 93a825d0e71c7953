"""TinyFace: closed-set search among distractors, as an entry of result JSON."""
import numpy as np

from mlaface.evaluation.functional.checks import image_name
from mlaface.evaluation.functional.identification import find, mean_average_precision, rank_rates
from mlaface.evaluation.functional.search import DISTRACTOR, scan_gallery


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
