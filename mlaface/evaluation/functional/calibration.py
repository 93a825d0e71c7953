"""Thresholds on the cosine for false accept rates that a user asks for, with their uncertainty."""
import numpy as np

from mlaface.evaluation.functional.checks import check_scores
from mlaface.evaluation.functional.intervals import wilson
from mlaface.evaluation.functional.resampling import bootstrap_strict
from mlaface.evaluation.functional.roc import far_name, roc_curve, tar_at_far


def calibrate_thresholds(scores, issame, fars, *, subjects=None, resamples=1000, confidence=0.95, seed=0):
    """The lowest cosine thresholds that keep false accepts within targets.

    Args:
        scores (array (P,)): Cosines.
        issame (array (P,)): Labels.
        fars (sequence of float): Targets, fractions.
        subjects (array (P,) or (P, 2) or None): People, who are then resampled; None resamples pairs, which gives
            intervals that are too narrow where people occur in several pairs.
        resamples (int): Draws of the bootstrap.
        confidence (float): Of all intervals.
        seed (int): Of the bootstrap.

    Returns:
        dict: ``metric`` (``'cosine'``), ``counts``, ``bootstrap`` (unit, resamples, seed) and ``thresholds``: name of
        the target -> ``far``, ``threshold`` and ``tar`` (each with interval), ``false_accepts``, ``false_accept_rate``
        (with Wilson's interval) and ``resolved``: whether there are different pairs enough (1 / far) for the target.
        ``scores`` is ``score_shares``.

    Raises:
        ValueError: If there is no target, or scores and labels do not fit.
    """
    fars = list(fars)
    if not fars:
        raise ValueError('no target false accept rate was given')
    scores, issame = check_scores(scores, issame)
    unit = 'pairs' if subjects is None else 'people'
    subjects = np.arange(len(scores)) if subjects is None else subjects
    intervals = bootstrap_strict(scores, issame, subjects, fars, resamples=resamples, confidence=confidence, seed=seed)
    roc = roc_curve(scores, issame)
    table = {far_name(far): _row(roc, far, *pair, confidence) for far, pair in zip(fars, intervals)}
    return dict(metric='cosine', counts=dict(positives=roc.positives, negatives=roc.negatives),
                bootstrap=dict(unit=unit, resamples=resamples, seed=seed), thresholds=table,
                scores=score_shares(scores, issame))


def score_shares(scores, issame, bins=80):
    """How cosines are spread, as a curve can show it.

    Args:
        scores (ndarray (P,)): Cosines.
        issame (ndarray bool (P,)): Labels.
        bins (int): Of equal width, from -1 to 1.

    Returns:
        dict: ``edges`` (bins + 1), and for ``same`` and ``different`` pairs the share of them in each bin.
    """
    edges = np.linspace(-1, 1, bins + 1)
    shares = {name: np.histogram(np.clip(scores[chosen], -1, 1), edges)[0] / max(chosen.sum(), 1)
              for name, chosen in (('same', issame), ('different', ~issame))}
    return dict(edges=[round(float(edge), 6) for edge in edges],
                **{name: [round(float(share), 5) for share in each] for name, each in shares.items()})


def _row(roc, far, tar_interval, threshold_interval, confidence):
    """One target's threshold, TAR and attained FAR."""
    point = tar_at_far(roc, far)
    accepts = point['false_accepts']
    return dict(far=far, threshold=dict(value=point['threshold'], **threshold_interval._asdict()),
                tar=dict(value=point['value'], **tar_interval._asdict()), false_accepts=accepts,
                false_accept_rate=dict(value=accepts / roc.negatives,
                                       **wilson(accepts, roc.negatives, confidence)._asdict()),
                resolved=bool(far * roc.negatives >= 1))
