"""Intervals of a benchmark's numbers, and two models on the same benchmark, for every protocol in one way.

People are drawn with replacement and all numbers computed again under the draw's weights: the spread of the draws is
the interval. Two models are read under the same draws, so that what is hard for both cancels in their difference.
"""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlaface.evaluation.functional.intervals import mcnemar, percentile_interval, resampled_weights


@dataclass(frozen=True)
class Sample:
    """How a benchmark's numbers follow from who is drawn.

    Args:
        unit (str): What is drawn: ``'people'``, or ``'pairs'`` where people are not known.
        subjects (ndarray (P,) or (P, 2)): See ``intervals.resampled_weights``.
        numbers (callable): Weights (P,) -> a part of the benchmark's entry, with the ``value`` of each number that
            depends on who is drawn; NaN where it is not defined.
        headline (tuple[str]): Where in the entry the number stands by which models are compared first.
        hits (ndarray (H,) or None): bool; the single decisions behind the headline, for McNemar's test.
    """
    unit: str
    subjects: np.ndarray
    numbers: Callable
    headline: tuple
    hits: np.ndarray | None = None

    def everyone(self):
        """The numbers with everybody once, path -> value."""
        return values_of(self.numbers(np.ones(len(self.subjects), np.int64)))


def values_of(tree, path=()):
    """Each ``value`` in nested dicts, by the path of the dict that holds it."""
    if 'value' in tree:
        return {path: tree['value']}
    found = {}
    for key, part in tree.items():
        if isinstance(part, dict):
            found.update(values_of(part, (*path, key)))
    return found


def people_or_pairs(benchmark):
    """What is drawn in a list of pairs: its people, or the pairs themselves where people are not known.

    Args:
        benchmark (dict): ``issame`` and, if known, ``subjects`` (P,) or (P, 2).

    Returns:
        tuple: ``'people'`` or ``'pairs'``, and the array.

    Raises:
        ValueError: If there are people of another number of pairs.
    """
    pairs = len(benchmark['issame'])
    if benchmark.get('subjects') is None:
        return 'pairs', np.arange(pairs)
    subjects = np.asarray(benchmark['subjects'])
    if subjects.shape not in ((pairs,), (pairs, 2)):
        raise ValueError(f'subjects must be one or two people for each of the {pairs} pairs; got shape '
                         f'{subjects.shape}')
    return 'people', subjects


def add_intervals(entry, sample, resamples, seed=0, confidence=0.95):
    """Put ``low``, ``high`` and ``confidence`` beside the numbers of an entry, in place, and say how they were made.

    Numbers that too few draws define (of a tiny set) stay without, and are listed.

    Args:
        entry (dict): A benchmark's entry of result JSON.
        sample (Sample): Of the same benchmark.
        resamples (int): Draws.
        seed (int): Of the generator.
        confidence (float): In (0, 1).
    """
    drawn = [values_of(sample.numbers(weights)) for weights in resampled_weights(sample.subjects, resamples, seed)]
    undefined = []
    for path in drawn[0]:
        interval = _interval([values[path] for values in drawn], confidence)
        if interval is None:
            undefined.append('/'.join(path))
        else:
            _at(entry, path).update(interval)
    entry['bootstrap'] = dict(unit=sample.unit, resamples=resamples, seed=seed,
                              **(dict(undefined=undefined) if undefined else {}))


def _at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def _interval(values, confidence):
    """``low``, ``high`` and ``confidence`` of drawn values, or None where more than one in ten is undefined."""
    if np.isnan(values).mean() > 0.1:
        return None
    return percentile_interval(values, confidence)._asdict()


def compare_samples(first, second, resamples=1000, seed=0, confidence=0.95):
    """Two models on the same benchmark: differences of all numbers with intervals, and McNemar's test.

    Args:
        first (Sample): The first model's.
        second (Sample): The second model's.
        resamples (int): Draws.
        seed (int): Of the generator.
        confidence (float): In (0, 1).

    Returns:
        dict: ``metric`` (the headline's name), ``values`` of both, ``difference`` (``value`` = first - second,
        ``low``, ``high``, ``confidence``), ``mcnemar`` (None where there are no single decisions), ``differences`` of
        all numbers and ``bootstrap``.
    """
    drawn = [_gaps(first.numbers(weights), second.numbers(weights))
             for weights in resampled_weights(first.subjects, resamples, seed)]
    ones, others = first.everyone(), second.everyone()
    intervals = {path: _interval([gaps[path] for gaps in drawn], confidence) or {} for path in ones}
    differences = {path: dict(value=ones[path] - others[path], **intervals[path]) for path in ones}
    test = mcnemar(first.hits, second.hits) if first.hits is not None else None
    return dict(metric=_name(first.headline), values=[ones[first.headline], others[first.headline]],
                difference=differences[first.headline], mcnemar=test,
                differences={_name(path): gap for path, gap in differences.items()},
                bootstrap=dict(unit=first.unit, resamples=resamples, seed=seed))


def _gaps(first, second):
    ones, others = values_of(first), values_of(second)
    return {path: ones[path] - others[path] for path in ones}


def _name(path):
    """A path as one reads it: ``tar_at_far 1e-3``."""
    return ' '.join(key for key in path if key != 'metrics')
