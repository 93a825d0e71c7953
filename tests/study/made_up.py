"""Runs that nobody trained, with a known truth, in the files that a training leaves; the study's own code ends them."""
import json
import math
from pathlib import Path

import numpy as np
from tiny_study import BASE

from mlaface.study.plan import load_plan
from mlaface.study.runs import Run
from mlaface.study.worker import finish

PAIRS, EVERY, STEPS = 400, 2, (20, 40, 60, 80, 100)
PLAN = '''
base = 'base.py'
title = 'Made-up runs'
question = 'Does the study find what is there?'
variants = dict(plain=dict(), better=dict(model=dict(flip='none')), same=dict(model=dict(flip='concat')),
                slow=dict(model=dict(backbone=dict(activation='relu'))),
                dear=dict(model=dict(backbone=dict(activation='silu'))))
seeds = [1, 2, 3, 4, 5, 6]
budget = dict(max_iters=100, validations=5)
targets = [0.75, 0.99]
'''
# how far same and different pairs end apart, iterations until it is there, cost of an iteration
TRUTH = dict(plain=(2.0, 30, 1), better=(2.6, 30, 1), same=(2.0, 30, 1), slow=(2.0, 60, 1), dear=(2.0, 30, 2))


def make_plan(folder):
    """The plan, written with its base config to a folder and read."""
    (folder / 'plan.py').write_text(PLAN)
    (folder / 'base.py').write_text(BASE.format(root=Path(__file__).resolve().parents[2], data='.'))
    return load_plan(folder / 'plan.py')


def accuracy(distance):
    """Of the best threshold between two normal distributions of unit variance (float)."""
    return 0.5 * (1 + math.erf(distance / 2 / math.sqrt(2)))


def write_run(plan, out, folder, variant, seed, diverged=False, until=100):
    """Write what a training would have left, and end it."""
    apart, pace, cost = TRUTH[variant]
    random = np.random.default_rng([seed, list(TRUTH).index(variant)])
    shared = np.random.default_rng(7)  # how hard a pair is, for every run
    own = 1 + random.normal(0, 0.02)
    folder.mkdir(parents=True)
    (folder / 'config_of_run.py').write_text(f'val_cfg = dict(between=dict(every={EVERY}))\n')
    validations = []
    hard = {name: shared.normal(0, 0.8, PAIRS) for name in ('one', 'two')}
    noise = {name: random.normal(0, 0.6, PAIRS) for name in hard}
    for step in [step for step in STEPS if step <= until]:
        whole, arrays = step == STEPS[-1], {}
        for name in hard:
            issame = np.arange(PAIRS) % 4 < 2
            distance = apart * own * (1 - math.exp(-step / pace)) / (1 - math.exp(-100 / pace))
            scores = np.where(issame, distance, 0) + hard[name] + noise[name]
            keep = slice(None) if whole else slice(None, None, EVERY)
            arrays.update({name: np.float32(np.tanh(scores[keep] / 5)), f'{name}/issame': issame[keep]})
        np.savez(folder / f'record_{step}.npz', **arrays)
        from mlaface.study.worker import _metrics
        sets = {name: _metrics(arrays[name].astype(float), arrays[f'{name}/issame']) for name in hard}
        seconds = step * cost * random.uniform(0.99, 1.01)
        validations.append(dict(iter=step, images=64 * step, whole=whole, wall=2 * seconds, processor=seconds, load=1.0,
                                sets=sets))
    record = dict(macs=1e8 * cost, parameters=1e6, memory_mib=500.0, max_iters=100, torch='2', device='cpu', threads=1,
                  testing=[1.0, 1.0], validations=validations)
    (folder / 'record.json').write_text(json.dumps(record))
    facts = dict(commit='abc', code=dict(models='1', engine='2'), config=variant, tuned={})
    finish(plan, Run(variant, seed), out, folder, facts, 'loss is nan in iteration 70' if diverged else None)


def write_study(plan, folder, **changed):
    """Write all runs of a plan; ``changed``: variant to options of its run of the first seed."""
    for variant in plan.compared:
        for seed in plan.seeds:
            options = changed.get(variant, {}) if seed == plan.seeds[0] else {}
            write_run(plan, folder / 'out', folder / 'work' / f'{variant}@seed{seed}', variant, seed, **options)
