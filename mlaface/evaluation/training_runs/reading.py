"""Training runs as their work folders tell them; seeds of one method together."""
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from mlaface.evaluation.results.result import read_result


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

    def interval_of(self, metric):
        """Iterations from one validation to the next, the usual number (float)."""
        steps = [0, *self.scalars[metric][0]]
        return median([after - before for before, after in zip(steps, steps[1:]) if after > before] or [0])


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
    points, last, lines = {}, -math.inf, path.read_text(errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            step = int(entry['iter'])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            if number == len(lines):  # the last line of a killed run
                break
            raise ValueError(f'{path}, line {number}: not a JSON object with "iter"') from error
        if step < last:  # a run that went on from an earlier checkpoint: what came after it was thrown away
            points = {name: {at: value for at, value in found.items() if at < step} for name, found in points.items()}
        last = step
        for name, value in entry.items():
            if name not in ('iter', 'kind') and type(value) in (int, float) and math.isfinite(value):
                points.setdefault(name, {})[step] = float(value)
    points = {name: found for name, found in points.items() if found}
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
        name, equals, listed = ('', '', '') if Path(text).is_dir() else text.partition('=')
        folders = [folder for folder in listed.split(',') if folder] if equals else [text]
        if len({Path(folder).resolve() for folder in folders}) < len(folders):
            raise ValueError(f'{text} names a run twice, which would pass for two seeds')
        methods.append(Method(name if equals else Path(text).resolve().name, [read_run(folder) for folder in folders]))
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
