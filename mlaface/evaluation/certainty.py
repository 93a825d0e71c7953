"""Intervals of a pairs benchmark, and two models on the same pairs."""
import numpy as np

from mlaface.evaluation.functional.folds import GRIDS, fold_accuracy, fold_numbers
from mlaface.evaluation.functional.intervals import bootstrap_rate, compare_models
from mlaface.evaluation.functional.resampling import bootstrap_strict


def fold_decisions(distance, issame, rules):
    """Which pairs are decided rightly by the threshold of the other folds.

    Args:
        distance (ndarray (P,)): By ``rules.distance``.
        issame (array (P,)): Labels.
        rules (PairRules): Distance and folds.

    Returns:
        ndarray (P,): bool.
    """
    issame = np.asarray(issame, bool)
    found = fold_accuracy(distance, issame, rules.folds, GRIDS[rules.distance])
    return (distance < found.thresholds[fold_numbers(len(distance), rules.folds)]) == issame


def subjects_of(benchmark):
    """The people of a benchmark's pairs, or the pairs themselves where people are not known.

    Args:
        benchmark (dict): May hold ``subjects`` (P,) or (P, 2).

    Returns:
        tuple: ``'people'`` or ``'pairs'``, and the array.
    """
    if benchmark.get('subjects') is not None:
        return 'people', np.asarray(benchmark['subjects'])
    return 'pairs', np.arange(len(benchmark['issame']))


def add_intervals(entry, scores, benchmark, rules, resamples, seed=0):
    """Put ``low``, ``high`` and ``confidence`` beside accuracy and TAR at FAR, in place.

    Args:
        entry (dict): From ``evaluate_pairs``.
        scores (PairScores): The same pairs' scores.
        benchmark (dict): ``issame`` and, if known, ``subjects``.
        rules (PairRules): The rules of the entry.
        resamples (int): Draws.
        seed (int): Of the generator.
    """
    unit, subjects = subjects_of(benchmark)
    drawn = dict(resamples=resamples, seed=seed)
    hits = fold_decisions(scores.distance, benchmark['issame'], rules)
    entry['metrics']['accuracy'].update(bootstrap_rate(hits, subjects, **drawn)._asdict())
    entry['bootstrap'] = dict(unit=unit, **drawn)
    if rules.far_rule == 'strict':
        table = entry['metrics']['tar_at_far']
        rates = bootstrap_strict(scores.cosine, benchmark['issame'], subjects, [float(far) for far in table], **drawn)
        for row, (interval, _) in zip(table.values(), rates):
            row.update(interval._asdict())


def compare_pairs(first, second, benchmark, rules, resamples=1000, seed=0):
    """Two models on the same pairs: difference of accuracies with an interval, and McNemar's test.

    Args:
        first (PairScores): The first model's.
        second (PairScores): The second model's.
        benchmark (dict): ``issame`` and, if known, ``subjects``.
        rules (PairRules): The rules of both.
        resamples (int): Draws.
        seed (int): Of the generator.

    Returns:
        dict: As ``intervals.compare_models``, with the unit of resampling.
    """
    unit, subjects = subjects_of(benchmark)
    hits = [fold_decisions(scores.distance, benchmark['issame'], rules) for scores in (first, second)]
    compared = compare_models(*hits, subjects, resamples=resamples, seed=seed)
    return dict(**compared, bootstrap=dict(unit=unit, resamples=resamples, seed=seed))
