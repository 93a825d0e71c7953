"""Training runs compared: iterations to an accuracy with the spread over seeds, final numbers with intervals."""
import itertools
from statistics import mean

from mlaface.evaluation.functional.intervals import mean_of_shares, wilson


def default_targets(methods, metric):
    """Accuracies on the way to what every run reached: 80, 90, 95 and 100% of the way from the worst first value."""
    best = min(max(run.scalars[metric][1]) for method in methods for run in method.runs)
    first = min(run.scalars[metric][1][0] for method in methods for run in method.runs)
    return sorted({round(first + share * (best - first), 4) - (1e-4 if share == 1 else 0)
                   for share in (0.8, 0.9, 0.95, 1)})


def convergence(methods, metric, targets):
    """Iterations to reach accuracies, and their ratio to the first method's.

    Args:
        methods (list[Method]): The first is the baseline.
        metric (str): A validated number, such as ``mean_accuracy``.
        targets (sequence of float): Accuracies.

    Returns:
        list[dict]: A dict a target: ``target``, ``metric`` and ``methods``, name -> ``iterations`` (one a run, None if
        never reached), ``validated`` (each run's last validation), ``mean`` (None unless all runs reached the target)
        and ``ratio``: ``value`` of the means, ``low`` and ``high`` over all pairs of seeds, and ``bound``. A run that
        never reached the target needs more iterations than it was validated for: if that is one of the method's own,
        the value is a lower bound (``bound='lower'``, no ``high``), if one of the baseline's, an upper one
        (``'upper'``, no ``low``); where both have such a run, there is no ratio.
    """
    rows = []
    for target in targets:
        cells = {method.name: _cell(method, metric, target) for method in methods}
        baseline = cells[methods[0].name]
        rows.append(dict(target=target, metric=metric, methods={
            name: dict(cell, ratio=_ratio(cell, baseline)) for name, cell in cells.items()}))
    return rows


def _cell(method, metric, target):
    steps = [run.iterations_to(metric, target) for run in method.runs]
    return dict(iterations=steps, validated=[run.scalars[metric][0][-1] for run in method.runs],
                mean=None if None in steps else mean(steps))


def _ratio(cell, baseline):
    """Iterations over the baseline's, with the spread over seeds."""
    open_end, open_start = None in cell['iterations'], None in baseline['iterations']
    steps, others = _at_least(cell), _at_least(baseline)
    if open_end and open_start or 0 in others:
        return None
    pairs = [one / other for one, other in itertools.product(steps, others)]
    return dict(value=mean(steps) / mean(others), low=None if open_start else min(pairs),
                high=None if open_end else max(pairs), bound='lower' if open_end else 'upper' if open_start else None)


def _at_least(cell):
    """Iterations of each run, at least: of one that never got there, those of its last validation."""
    return [last if step is None else step for step, last in zip(cell['iterations'], cell['validated'])]


def final_numbers(methods):
    """The last validation of each method, by metric of the ``val`` lines.

    Args:
        methods (list[Method]): With or without ``metrics.json``.

    Returns:
        dict: Method -> metric -> ``value`` (mean over seeds), ``values`` (one a run), ``best`` (of any iteration, mean
        over seeds) and, where the counts of pairs are known, ``low``, ``high`` and ``confidence``: of the pairs at the
        seeds' mean (Wilson's; for ``mean_accuracy`` the normal interval of independent benchmarks), which leaves the
        seeds' own spread to ``values``.
    """
    numbers = {}
    for method in methods:
        shared = set.intersection(*(set(run.scalars) for run in method.runs))
        rows = {}
        for name in sorted(name for name in shared if name.endswith('accuracy')):
            values = [run.scalars[name][1][-1] for run in method.runs]
            rows[name] = dict(value=mean(values), values=values,
                              best=mean(max(run.scalars[name][1]) for run in method.runs))
        for name, row in rows.items():
            row.update(_interval(name, rows, next((run.result for run in method.runs if run.result), None)))
        numbers[method.name] = rows
    return numbers


def _interval(name, rows, result):
    """``low``, ``high`` and ``confidence`` of a benchmark's accuracy or of their mean, as far as counts are known."""
    pairs = {f'{key}/accuracy': entry['counts']['pairs'] for key, entry in (result or {}).get('benchmarks', {}).items()
             if 'pairs' in entry.get('counts', {})}
    if name in pairs:
        return wilson(round(rows[name]['value'] * pairs[name]), pairs[name])._asdict()
    if name == 'mean_accuracy' and pairs and pairs.keys() == rows.keys() - {name}:
        return mean_of_shares([rows[key]['value'] for key in pairs], list(pairs.values()))._asdict()
    return {}


def unequal_intervals(methods, metric):
    """Iterations between validations, where methods differ in them: each then overstates its iterations by up to one.

    Args:
        methods (list[Method]): With the metric.
        metric (str): The validated number.

    Returns:
        dict[str, float]: Longest interval of each method, by name; empty where all are equal.
    """
    found = {method.name: max(run.interval_of(metric) for run in method.runs) for method in methods}
    return found if len(set(found.values())) > 1 else {}
