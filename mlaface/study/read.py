"""The runs of a plan as numbers to compare: at the end, along the way, and under draws of the test pairs."""
from dataclasses import dataclass

import numpy as np

from mlaface.study import runs
from mlaface.study.plan import PlanError
from mlaface.study.recipes import changes
from mlaface.study.resampled import CHANCE, MEAN, Weights, curve_accuracies, last_numbers, read_scores

AXES = dict(iterations='iterations', processor='processor seconds', wall='wall seconds', macs='multiply-accumulates')


@dataclass
class RunNumbers:
    """One run that is compared.

    Args:
        run (Run): Which.
        result (dict): Its JSON.
        final (dict): Metric to set (and ``MEAN``) to value at the last validation of all pairs; empty if it was cut
            short. A run that diverged counts by chance: it is not left out.
        drawn (dict): The same under draws of the pairs, arrays (R,); empty without scores.
        steps (ndarray (V,)): Iterations of its validations.
        curve (ndarray (V,)): The plan's metric there, mean over sets, on the pairs that all validations looked at.
        drawn_curve (ndarray (V, R) or None): The same under draws.
        metric (str): The plan's.
    """
    run: runs.Run
    result: dict
    final: dict
    drawn: dict
    steps: np.ndarray
    curve: np.ndarray
    drawn_curve: np.ndarray | None
    metric: str = 'accuracy'

    @property
    def per_step(self):
        """Processor seconds, wall seconds and multiply-accumulates of an iteration, dict."""
        last = self.result['validations'][-1] if self.result['validations'] else None
        if last is None:
            return dict(iterations=1.0, processor=np.nan, wall=np.nan, macs=np.nan)
        macs = (self.result.get('macs') or np.nan) * last['images'] / last['iter']
        return dict(iterations=1.0, processor=last['processor'] / last['iter'], wall=last['wall'] / last['iter'],
                    macs=macs)


def read_numbers(plan, out):
    """All finished runs of a plan that are compared.

    Args:
        plan (Plan): The plan.
        out (Path): Where results are.

    Returns:
        dict[str, dict[int, RunNumbers]]: Variant to seed to numbers.
    """
    weights, found = Weights(), {variant: {} for variant in plan.compared}
    for run, result in runs.results(plan, out).items():
        if run.trial is None:
            path = runs.result_file(out, run).with_suffix('.npz')
            found[run.variant][run.seed] = _numbers(plan, run, result, read_scores(path), weights)
    return found


def _numbers(plan, run, result, scores, weights):
    validations = result['validations']
    final, drawn = {}, {}
    if result['status'] == 'finished':
        sets = validations[-1]['sets']
        if not all(plan.metric in entry for entry in sets.values()):
            raise PlanError(f'{plan.path}: metric is {plan.metric!r}, and the runs have '
                            f'{", ".join(sorted(next(iter(sets.values()))))}')
        final = {metric: {**{name: entry[metric] for name, entry in sets.items()},
                          MEAN: float(np.mean([entry[metric] for entry in sets.values()]))}
                 for metric in CHANCE if all(metric in entry for entry in sets.values())}
        drawn = last_numbers(scores, weights)
    elif result['status'] == 'diverged':
        final = dict(chance=True)
    steps, curve = _curve(plan, result)
    every = result.get('every') or ((changes(plan, run.variant).get('val_cfg') or {}).get('between') or {}).get(
        'every', 1)
    labels = {name: issame[::every] for name, issame in scores['issame'].items()}
    drawn_curve = curve_accuracies(scores, [entry['iter'] for entry in validations], weights, labels) \
        if plan.metric == 'accuracy' and labels else None
    return RunNumbers(run, result, final, drawn, steps, curve, drawn_curve, plan.metric)


def _curve(plan, result):
    """Iterations and values of a run's validations; of one that diverged chance comes after the last."""
    steps, values = [], []
    for entry in result['validations']:
        sets = entry.get('between') or entry['sets']
        steps.append(entry['iter'])
        values.append(float(np.mean([numbers[plan.metric] for numbers in sets.values()])))
    if result['status'] == 'diverged':
        steps.append(max(result.get('max_iters', 1), (steps or [0])[-1] + 1))
        values.append(CHANCE[plan.metric])
    return np.array(steps, float), np.array(values)


def gap(first, second, metric, place):
    """Difference of two runs in a metric of a set: a number, and its draws (R,) or None."""
    values = [CHANCE[metric] if run.final.get('chance') else run.final[metric][place] for run in (first, second)]
    draws = [np.full(1, CHANCE[metric]) if run.final.get('chance') else run.drawn.get(metric, {}).get(place)
             for run in (first, second)]
    drawn = None if any(draw is None for draw in draws) else draws[0] - draws[1]
    return values[0] - values[1], drawn


def at(run, step):
    """A run's curve at an iteration, between validations by straight lines: a number, and its draws (R,) or None."""
    value = float(np.interp(step, run.steps, run.curve))
    if run.drawn_curve is None or len(run.drawn_curve) != len(run.steps):
        return value, None
    after = int(np.clip(np.searchsorted(run.steps, step), 1, len(run.steps) - 1)) if len(run.steps) > 1 else 0
    if after == 0:
        return value, run.drawn_curve[0]
    share = np.clip((step - run.steps[after - 1]) / (run.steps[after] - run.steps[after - 1]), 0, 1)
    return value, (1 - share) * run.drawn_curve[after - 1] + share * run.drawn_curve[after]


def first_step(run, target):
    """The iteration at which a run first reaches a target, between validations by straight lines; NaN: never.

    At iteration 0 the curve is at chance.
    """
    steps, curve = np.append(0, run.steps), np.append(CHANCE[run.metric], run.curve)
    reached = np.flatnonzero(curve >= target)
    if not len(reached):
        return float('nan')
    place = reached[0]
    if place == 0:
        return 0.0
    (before, after), (start, end) = curve[place - 1:place + 1], steps[place - 1:place + 1]
    return float(start + (target - before) / (after - before) * (end - start))
