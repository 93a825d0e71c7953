"""IJB 1:N: open-set search in two galleries, each by itself, and the mean of both (Whitelam et al. 2017).

``search``, ``entry``, ``metrics``, ``hits`` and ``curves`` are what the metric needs of a rule; ``joined`` is another.
"""
import numpy as np

from mlaface.evaluation.functional.identification import find, open_set_scores, rank_rates, tpir_at_fpir
from mlaface.evaluation.functional.search import scan_gallery

RANKS, FPIRS = (1, 5, 10), (1e-2, 1e-1)
RULES = dict(ties='against', far_rule='strict', rank_condition=True)


def evaluate_open_set(probes, probe_subjects, galleries, *, ranks=RANKS, fpirs=FPIRS, block=None, names=None,
                      scan=scan_gallery):
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
    founds = search(probes, probe_subjects, galleries, block=block, names=names, scan=scan)
    return entry(founds, {name: len(gallery) for name, (gallery, _) in galleries.items()}, ranks, fpirs)


def search(probes, probe_subjects, galleries, *, block=None, names=None, scan=scan_gallery):
    """Search each gallery; see ``evaluate_open_set``.

    Returns:
        dict[str, Found]: By gallery.
    """
    return {name: find(probes, probe_subjects, gallery, subjects, block, names, scan)
            for name, (gallery, subjects) in galleries.items()}


def entry(founds, sizes, ranks=RANKS, fpirs=FPIRS):
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
                **metrics(founds, ranks, fpirs))


def metrics(founds, ranks=RANKS, fpirs=FPIRS, weights=None):
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
    mean = {key: _mean([numbers[key] for numbers in each.values()]) for key in ('rank', 'tpir_at_fpir')}
    return dict(metrics=mean, galleries=each)


def _mean(tables):
    """Mean over galleries of the rates of each row."""
    return {row: {key: float(np.mean([table[row][key] for table in tables]))
                  for key in ('value', 'any_rank') if key in tables[0][row]} for row in tables[0]}


def hits(founds):
    """Which mated probes were found at rank 1, gallery by gallery, bool (H,): single decisions for McNemar's test."""
    return np.concatenate([found.ranks[found.mated] == 1 for found in founds.values()])


def curves(founds):
    """What DET is drawn of: scores and labels (``identification.open_set_scores``), by gallery."""
    return {name: open_set_scores(found) for name, found in founds.items()}
