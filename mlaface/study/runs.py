"""The runs of a plan: which there are, in which order, which are done, and what a finished one left."""
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlaface.study.plan import TUNING_SEED
from mlaface.study.recipes import trial_settings
from mlaface.utils.errors import InputError
from mlaface.utils.files import atomic_path


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        variant (str): Of the plan.
        seed (int): Of every random choice.
        trial (int or None): Of the tuning; None for a run that is compared.
    """
    variant: str
    seed: int
    trial: int | None = None

    @property
    def name(self):
        """What its files are called (str)."""
        return f'{self.variant}@trial{self.trial}' if self.trial is not None else f'{self.variant}@seed{self.seed}'


def trials_of(plan, variant):
    """The tuning runs of a variant, in order (list[Run]); none without a tuning."""
    if not plan.tuning:
        return []
    return [Run(variant, TUNING_SEED + plan.tuning['seed'], trial) for trial in range(plan.tuning['trials'])]


def all_runs(plan):
    """Every run, in the order in which they are made: trials first, then a seed of all variants after the other.

    An interrupted study has whole rounds of seeds, and of the last round the variants that stand first in the plan.

    Returns:
        list[Run]: The order.
    """
    trials = [trials_of(plan, variant) for variant in plan.compared]
    rounds = [run for row in zip(*trials) for run in row]
    return rounds + [Run(variant, seed) for seed in plan.seeds for variant in plan.compared]


def result_file(out, run):
    """Where a finished run's numbers are, Path; its scores lie beside them as ``.npz``."""
    return Path(out) / 'runs' / f'{run.name}.json'


def read_result(path):
    """What a run left.

    Args:
        path (Path): Its JSON.

    Returns:
        dict: See ``worker.finish``.

    Raises:
        InputError: If it is no such file.
    """
    try:
        found = json.loads(Path(path).read_text())
        if found['schema'] != 1 or not isinstance(found['validations'], list):
            raise KeyError('schema')
        return found
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path} is no result of a run ({type(error).__name__}: {error}). Remove it, and the run is '
                         'made again') from error


def results(plan, out):
    """All finished runs of a plan.

    Returns:
        dict[Run, dict]: In the plan's order.
    """
    return {run: read_result(result_file(out, run)) for run in all_runs(plan) if result_file(out, run).is_file()}


def is_done(out, run):
    """Whether a run's numbers are there (bool)."""
    return result_file(out, run).is_file()


def headline(result, metric):
    """The mean over sets of a metric at a run's last validation (float); NaN if it diverged or was cut short."""
    last = result['validations'][-1] if result['validations'] else None
    if result['status'] != 'finished' or last is None:
        return float('nan')
    return float(np.mean([entry[metric] for entry in last['sets'].values()]))


def chosen_trial(plan, out, variant):
    """What tuning found for a variant.

    Args:
        plan (Plan): With tuning, or without.
        out (Path): Where results are.
        variant (str): The variant.

    Returns:
        dict or None: Dotted keys to values of the best trial; of several the first; None while trials are missing.
    """
    trials = trials_of(plan, variant)
    if not trials:
        return {}
    if not all(is_done(out, run) for run in trials):
        return None
    scores = [headline(read_result(result_file(out, run)), plan.metric) for run in trials]
    if np.isnan(scores).all():
        return {}
    return trial_settings(plan)[int(np.nanargmax(scores))]


def settings_of(plan, out, run):
    """What tuning changes in a run: those of its trial, or those chosen; None while they are not known."""
    return trial_settings(plan)[run.trial] if run.trial is not None else chosen_trial(plan, out, run.variant)


def write_result(path, content, scores):
    """Write a run's scores and then its numbers, whose file says that the run is done.

    Args:
        path (Path): The JSON.
        content (dict): The numbers.
        scores (dict[str, ndarray]): For the ``.npz``.
    """
    with atomic_path(path.with_suffix('.npz')) as temporary, open(temporary, 'wb') as file:
        np.savez_compressed(file, **scores)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + '\n')
