"""Training runs side by side: curves, iterations to an accuracy, final numbers; seeds of one method together."""
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from mlaface.evaluation.functional.intervals import mean_of_shares, wilson
from mlaface.evaluation.result import read_result


@dataclass
class Run:
    """One work folder.

    Args:
        folder (Path): Where it lies.
        scalars (dict): Name -> (iterations, values), rising; names as in ``scalars.jsonl``.
        result (dict or None): Its ``metrics.json``, result JSON.
    """
    folder: Path
    scalars: dict
    result: dict | None = None

    def iterations_to(self, metric, target):
        """The first validated iteration with at least a target, or None (int)."""
        iterations, values = self.scalars[metric]
        return next((step for step, value in zip(iterations, values) if value >= target), None)


@dataclass
class Method:
    """Runs that differ by their seed only."""
    name: str
    runs: list = field(default_factory=list)


def read_run(folder):
    """Read a work folder.

    Args:
        folder (str | Path): Has ``scalars.jsonl`` and, after a validation, ``metrics.json``.

    Raises:
        FileNotFoundError: If there is no ``scalars.jsonl``.
        ValueError: If a line is no JSON (a torn last line is passed over), or there are no numbers.
    """
    folder = Path(folder)
    path = folder / 'scalars.jsonl'
    if not path.is_file():
        raise FileNotFoundError(f'no scalars.jsonl in {folder.absolute()}: name the work folder of a training run')
    points, lines = {}, path.read_text().splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = int(entry['iter'])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # the last line of a killed run
                break
            raise ValueError(f'{path}, line {number}: not a JSON object with "iter"') from error
        for name, value in entry.items():
            if name not in ('iter', 'kind') and isinstance(value, (int, float)):
                points.setdefault(name, {})[step] = float(value)  # a resumed run writes an iteration again
    if not points:
        raise ValueError(f'{path} holds no numbers')
    scalars = {name: (sorted(found), [found[step] for step in sorted(found)]) for name, found in points.items()}
    metrics = folder / 'metrics.json'
    return Run(folder, scalars, read_result(metrics) if metrics.is_file() else None)


def read_methods(texts):
    """Methods as a user names them: ``FOLDER``, or ``NAME=FOLDER,FOLDER`` for several seeds.

    Args:
        texts (sequence of str): The first is what the others are compared with.

    Returns:
        list[Method]: In this order.

    Raises:
        ValueError: If two have one name.
    """
    methods = []
    for text in texts:
        name, equals, folders = text.partition('=')
        folders = folders.split(',') if equals else [text]
        methods.append(Method(name if equals else Path(text).name, [read_run(folder) for folder in folders if folder]))
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise ValueError(f'two methods have one name: {", ".join(names)}; write NAME=FOLDER')
    if not all(method.runs for method in methods):
        raise ValueError('a method has no run: write NAME=FOLDER,FOLDER')
    return methods


def check_metric(methods, metric):
    """Refuse a metric that a run never validated.

    Raises:
        ValueError: If so; names the run and what it has.
    """
    for method in methods:
        for run in method.runs:
            if metric not in run.scalars:
                raise ValueError(f'{run.folder} has no {metric!r}; it has {", ".join(sorted(run.scalars))}')


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
        list[dict]: A dict a target: ``target`` and ``methods``, name -> ``iterations`` (one a run, None if never
        reached), ``mean`` and ``ratio`` (``value`` of the means, ``low`` and ``high`` over all pairs of seeds); both
        None unless all runs reached the target.
    """
    rows = []
    for target in targets:
        reached = {method.name: [run.iterations_to(metric, target) for run in method.runs] for method in methods}
        baseline = reached[methods[0].name]
        rows.append(dict(target=target, metric=metric, methods={
            name: dict(iterations=steps, mean=None if None in steps else mean(steps), ratio=_ratio(steps, baseline))
            for name, steps in reached.items()}))
    return rows


def _ratio(steps, baseline):
    """Iterations over the baseline's, with the spread over seeds."""
    if None in steps or None in baseline or 0 in baseline:
        return None
    pairs = [one / other for one, other in itertools.product(steps, baseline)]
    return dict(value=mean(steps) / mean(baseline), low=min(pairs), high=max(pairs))


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
            row.update(_interval(name, rows, method.runs[0].result))
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
