"""What the runs of a plan say together: differences, ratios, costs, and what the study could have seen."""
import math

import numpy as np

from mlaface.study import runs
from mlaface.study.plan import CHANCE
from mlaface.study.read import AXES, at, first_step, gap, read_numbers
from mlaface.study.resampled import MEAN
from mlaface.study.statistics import crossed_difference, holm, interval_at, paired_ratio, smallest_seen
from mlaface.utils.errors import InputError

LEVEL = 0.05


def find(plan, out, mixed=()):
    """Everything that a report shows.

    Args:
        plan (Plan): The plan.
        out (Path): Where results are.
        mixed (Sequence[str]): What tells some runs from others, if that was allowed.

    Returns:
        dict: Ready for JSON: ``runs``, ``final``, ``costs``, ``curves``, ``comparisons``, ``targets``, ``equal``.

    Raises:
        InputError: If no comparison has a seed with both of its runs.
    """
    numbers = read_numbers(plan, out)
    pairs = [(first, second, _shared(numbers, first, second)) for first, second in plan.comparisons]
    if not any(seeds for _, _, seeds in pairs):
        raise InputError(f'{plan.path}: no seed has both runs of a comparison in {out}: run mlaface study {plan.path}')
    pairs = [pair for pair in pairs if pair[2]]
    costs = {variant: _cost(found) for variant, found in numbers.items() if found}
    return dict(
        schema=1, study=plan.name, title=plan.title, question=plan.question, metric=plan.metric, mixed=list(mixed),
        level=LEVEL, count=len(plan.comparisons), baseline=next(iter(plan.variants)), runs=_counts(plan, out, numbers),
        final=_final(plan, numbers), costs=costs, curves=_curves(plan, numbers, costs),
        comparisons=_comparisons(plan, numbers, pairs), equal=_equal(plan, numbers, costs, pairs),
        targets=[_target(plan, numbers, costs, pairs, target) for target in plan.targets])


def _usable(run):
    return bool(run.final)


def _shared(numbers, first, second):
    """Seeds of which both variants have a run that went to its end, or diverged."""
    return sorted(seed for seed in numbers[first] if seed in numbers[second]
                  and _usable(numbers[first][seed]) and _usable(numbers[second][seed]))


def _counts(plan, out, numbers):
    everyone = [run for found in numbers.values() for run in found.values()]
    done = runs.results(plan, out)
    commits = sorted({str(run.result.get('commit')) for run in everyone})
    return dict(
        planned=len(runs.all_runs(plan)), done=len(done), seeds=list(plan.seeds),
        missing=[run.name for run in runs.all_runs(plan) if run not in done],
        diverged=[dict(run=run.run.name, message=run.result['message']) for run in everyone
                  if run.result['status'] == 'diverged'],
        unscored=[run.run.name for run in everyone if run.result['status'] == 'finished' and not run.drawn],
        cut=[run.run.name for run in everyone if run.result['status'] == 'out of time'],
        hours=sum(result['validations'][-1]['processor'] + result.get('testing', (0, 0))[1]
                  for result in done.values() if result['validations']) / 3600,
        commits=commits, torch=_stated(everyone, 'torch'),
        device=_stated(everyone, 'device'),
        threads=_stated(everyone, 'threads'),
        load=_median([entry['load'] for run in everyone for entry in run.result['validations'] if entry.get('load')]),
        tuned={variant: next(iter(found.values())).result['tuned'] for variant, found in numbers.items()
               if plan.tuning and found})


def _stated(everyone, key):
    """What runs say of themselves; one that diverged early says nothing."""
    return sorted({run.result[key] for run in everyone if run.result.get(key) is not None})


def _median(values):
    return float(np.median(values)) if len(values) else None


def _cost(found):
    """Medians over a variant's seeds of what an iteration takes, its parameters and memory."""
    each = [run.per_step for run in found.values() if run.result['validations']]
    cost = {axis: _median([entry[axis] for entry in each]) for axis in AXES}
    for key in ('parameters', 'memory_mib'):
        cost[key] = _median([run.result[key] for run in found.values() if run.result.get(key)])
    cost['image_macs'] = _median([run.result['macs'] for run in found.values() if run.result.get('macs')])
    return cost


def _final(plan, numbers):
    """Variant to metric to set to ``mean``, ``sd`` and ``values`` over seeds."""
    table = {}
    for variant, found in numbers.items():
        usable = [run for run in found.values() if _usable(run) and not run.final.get('chance')]
        for metric in CHANCE:
            for place in usable[0].final.get(metric, {}) if usable else ():
                values = [run.final[metric][place] for run in usable]
                table.setdefault(variant, {}).setdefault(metric, {})[place] = dict(
                    mean=float(np.mean(values)), sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
                    values=values)
    return table


def _curves(plan, numbers, costs):
    """Variant to ``steps``, ``mean``, ``low`` and ``high`` over seeds, and the cost of a step on each axis."""
    curves = {}
    for variant, found in numbers.items():
        whole = [run for run in found.values() if len(run.steps)]
        if not whole:
            continue
        steps = whole[0].steps
        rows = np.array([np.interp(steps, run.steps, run.curve) for run in whole])
        curves[variant] = dict(steps=steps.tolist(), mean=rows.mean(0).tolist(), low=rows.min(0).tolist(),
                               high=rows.max(0).tolist(), seeds=len(whole),
                               per_step={axis: costs[variant][axis] for axis in AXES})
    return curves


def _difference(numbers, first, second, seeds, metric, place):
    gaps = [gap(numbers[first][seed], numbers[second][seed], metric, place) for seed in seeds]
    return crossed_difference([value for value, _ in gaps], _stacked([drawn for _, drawn in gaps]), 1 - LEVEL)


def _stacked(draws):
    """Rows (S, R) of the seeds, or None where one has none; a run that diverged has one draw, which fits all."""
    if any(draw is None for draw in draws):
        return None
    longest = max(len(draw) for draw in draws)
    return np.array([np.broadcast_to(draw, longest) for draw in draws]) if longest > 1 else None


def _comparisons(plan, numbers, pairs):
    rows = []
    for first, second, seeds in pairs:
        known = [numbers[name][seed].final for name in (first, second) for seed in seeds]
        metrics = [metric for metric in CHANCE if all(entry.get('chance') or metric in entry for entry in known)]
        places = next((list(entry[plan.metric]) for entry in known if plan.metric in entry), [MEAN])
        table = {metric: {place: _difference(numbers, first, second, seeds, metric, place)._asdict()
                          for place in places} for metric in metrics}
        headline = _difference(numbers, first, second, seeds, plan.metric, MEAN)
        rows.append(dict(variant=first, reference=second, seeds=seeds, metrics=table, places=places,
                         diverged=sum(bool(numbers[name][seed].final.get('chance')) for name in (first, second)
                                      for seed in seeds), **_corrected(headline, len(plan.comparisons))))
        rows[-1]['all_sets'] = [place for place in places if place != MEAN and table[plan.metric][place]['low'] > 0]
    for row, p in zip(rows, _holm(rows, len(plan.comparisons))):
        row['holm'] = p
    return rows


def _holm(rows, count):
    """Corrected for all comparisons of the plan, also those that have no runs yet."""
    given = [row['p'] for row in rows]
    return holm([*given, *[math.nan] * (count - len(given))])[:len(given)]


def _corrected(difference, count):
    """A difference with its interval alone and for all of ``count`` comparisons together, and what would be seen."""
    low, high = interval_at(difference, 1 - LEVEL / count)
    return dict(value=difference.value, low=difference.low, high=difference.high, low_all=low, high_all=high,
                p=difference.p, seen=smallest_seen(difference, LEVEL),
                seen_all=smallest_seen(difference, LEVEL / count),
                seed_share=difference.seed_variance / difference.error ** 2 if difference.error else math.nan)


def _equal(plan, numbers, costs, pairs):
    """Differences of the curves where both variants have spent the same, on each axis."""
    rows = []
    for first, second, seeds in pairs:
        row = dict(variant=first, reference=second, seeds=len(seeds), axes={})
        seeds = [seed for seed in seeds if all(len(numbers[name][seed].curve) for name in (first, second))]
        for axis in AXES:
            steps = _equal_steps(numbers, costs, first, second, seeds, axis) if seeds else None
            if steps is None:
                continue
            sides = [[at(numbers[name][seed], step) for seed in seeds] for name, step in zip((first, second), steps)]
            gaps = [one[0] - other[0] for one, other in zip(*sides)]
            drawn = [None if one[1] is None or other[1] is None else one[1] - other[1] for one, other in zip(*sides)]
            difference = crossed_difference(gaps, _stacked(drawn), 1 - LEVEL)
            row['axes'][axis] = dict(spent=steps[0] * costs[first][axis], steps=list(steps),
                                     **_corrected(difference, len(plan.comparisons)))
        rows.append(row)
    for axis in AXES:
        cells = [row['axes'][axis] for row in rows if axis in row['axes']]
        for cell, p in zip(cells, _holm(cells, len(plan.comparisons))):
            cell['holm'] = p
    return rows


def _equal_steps(numbers, costs, first, second, seeds, axis):
    """Iterations of both variants at the largest cost that both have come to, or None where a cost is not known."""
    each = [costs[name][axis] for name in (first, second)]
    if any(cost is None or not cost > 0 for cost in each):
        return None
    ends = [min(numbers[name][seed].steps[-1] for seed in seeds) * cost for name, cost in zip((first, second), each)]
    return tuple(min(ends) / cost for cost in each)


def _target(plan, numbers, costs, pairs, target):
    """When a target is reached: iterations of each run, and the ratio of each comparison on each axis."""
    reached = {variant: {seed: first_step(run, target) for seed, run in found.items() if len(run.curve)}
               for variant, found in numbers.items() if found}
    rows = []
    for first, second, seeds in pairs:
        seeds = [seed for seed in seeds if seed in reached[first] and seed in reached[second]]
        if not seeds:
            continue
        row = dict(variant=first, reference=second, axes={})
        for axis in AXES:
            each = [costs[name][axis] for name in (first, second)]
            if any(cost is None or not cost > 0 for cost in each):
                continue
            ends = [(numbers[first][seed].steps[-1] * each[0], numbers[second][seed].steps[-1] * each[1])
                    for seed in seeds]
            row['axes'][axis] = paired_ratio([reached[first][seed] * each[0] for seed in seeds],
                                             [reached[second][seed] * each[1] for seed in seeds], ends,
                                             1 - LEVEL)._asdict()
        rows.append(row)
    return dict(target=target, reached={variant: [None if math.isnan(step) else step for step in found.values()]
                                        for variant, found in reached.items()},
                nobody=all(math.isnan(step) for found in reached.values() for step in found.values()), ratios=rows)
