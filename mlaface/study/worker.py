"""One run of a plan in a process of its own: ``python -m mlaface.study.worker PLAN RUN --out DIR --work-dir DIR``."""
import argparse
import os
import platform
import re
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from mlaface.study import recipes, runs
from mlaface.study.plan import load_plan
from mlaface.utils.errors import InputError

LOGGED = ('loss', 'gate', 'attention_gate')
TAKEN = 75  # exit status: another process is at this run


def find_run(plan, name):
    """The run of that name.

    Raises:
        InputError: If the plan has none.
    """
    for run in runs.all_runs(plan):
        if run.name == name:
            return run
    raise InputError(f'{plan.path} has no run {name!r}')


def make_run(plan, run, out, work_dir):
    """Train a run, or go on with it, and write its result; nothing where another process is at it, or it is done.

    Args:
        plan (Plan): The plan.
        run (Run): One of its runs.
        out (Path): Where results are.
        work_dir (Path): Where runs train; a folder below it for each.

    Returns:
        int: 0, or ``TAKEN``.
    """
    folder = Path(work_dir) / run.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / 'lock', timeout=0):
            if not runs.is_done(out, run):
                train(plan, run, out, folder)
    except Timeout:
        return TAKEN
    return 0


def train(plan, run, out, folder):
    """Train in ``folder``, from its latest checkpoint if there is one, and write the result."""
    from mlaface.engine import launch
    from mlaface.engine.config import load_config
    from mlaface.engine.environment import commit
    from mlaface.engine.errors import DivergenceError
    tuned = runs.settings_of(plan, out, run)
    if tuned is None:
        raise InputError(f'{run.name}: its tuning is not done')
    file, message = recipes.write_config(plan, run.variant, folder, tuned), None
    config = load_config(file)
    plugins = (config.get('custom_imports') or {}).get('imports') or ()
    facts = dict(commit=commit(), config=recipes.fingerprint(config), code=recipes.code_fingerprint(
        [plugins] if isinstance(plugins, str) else plugins))
    try:
        launch.train(file, folder, resume=True, seed=run.seed)
    except DivergenceError as error:
        message = str(error)
    finish(plan, run, out, folder, dict(facts, tuned=tuned), message)


def finish(plan, run, out, folder, facts, message):
    """Make the result of what ``RunRecordHook`` noted.

    The JSON has ``schema``, ``study``, ``variant``, ``seed``, ``trial``, ``status`` ('finished', 'diverged', or
    'out of time'), ``message``, ``code``, ``config`` and ``commit`` that made it, ``tuned``, ``macs`` of one image,
    ``parameters``, ``memory_mib``, ``device``, ``threads``, and ``validations``: each ``iter``, ``images`` seen,
    ``wall`` and ``processor`` seconds of training so far, ``load`` of the host, and ``sets``: name to metrics.
    ``between`` of the last validation has the metrics of those pairs that the validations before it looked at,
    every ``every``-th. ``logged`` has loss and gates over the iterations.
    """
    record = _read_record(folder)
    validations = record.pop('validations', [])
    ended = bool(validations) and validations[-1]['iter'] >= record.get('max_iters', float('inf'))
    status = 'diverged' if message else 'finished' if ended else 'out of time'
    every = _every(folder)
    scores = pack_scores(folder, validations, every)
    content = dict(schema=1, study=plan.name, variant=run.variant, seed=run.seed, trial=run.trial, status=status,
                   message=message and _brief(message), metric=plan.metric, every=every,
                   host=platform.machine(),
                   python=platform.python_version(), date=datetime.now(timezone.utc).isoformat(timespec='seconds'),
                   logged=_logged(folder), validations=[_rounded(entry) for entry in validations], **{**record, **facts})
    runs.write_result(runs.result_file(out, run), content, scores)
    for path in [*folder.glob('iter_*'), *folder.glob('record_*.npz')]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read_record(folder):
    import json
    path = folder / 'record.json'
    return json.loads(path.read_text()) if path.is_file() else {}


def _logged(folder):
    """What training logged: name to [iterations, values]."""
    from mlaface.evaluation.training_runs.reading import read_run
    try:
        scalars = read_run(folder).scalars
    except (OSError, ValueError):  # of a run that ended before its first line
        return {}
    return {name: [scalars[name][0], [round(value, 4) for value in scalars[name][1]]]
            for name in LOGGED if name in scalars}


def _brief(message):
    return re.sub(r'\s+', ' ', message)[:300]


def _rounded(value):
    """Numbers with the digits that they have."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def _every(folder):
    """The pairs that validations before the last look at are every n-th: n (int)."""
    from mlaface.utils.configs import config_of_file
    config = config_of_file(folder / 'config_of_run.py')
    return int(((config.get('val_cfg') or {}).get('between') or {}).get('every', 1))


def pack_scores(folder, validations, every):
    """Scores of the last validation and who was right in those before it, small enough to keep.

    Args:
        folder (Path): Of the run; has ``record_N.npz``.
        validations (list[dict]): The last one is given ``between``.
        every (int): Pairs of the earlier validations.

    Returns:
        dict[str, ndarray]: ``SET/scores`` float16 (P,), cosines of the last validation, ``SET/issame`` its labels as
        packed bits, and ``SET/right_N`` packed bits of the pairs that were decided rightly at iteration N, by the
        threshold that is best on the other folds.
    """
    packed = {}
    for entry in validations:
        path = folder / f'record_{entry["iter"]}.npz'
        if not path.is_file():
            continue
        with np.load(path) as found:
            arrays = {name: found[name] for name in found.files}
        for name in [name for name in arrays if f'{name}/issame' in arrays]:
            cosine, issame = arrays[name].astype(np.float64), arrays[f'{name}/issame'].astype(bool)
            if entry['whole']:
                packed[f'{name}/scores'], packed[f'{name}/issame'] = np.float16(cosine), np.packbits(issame)
            if entry['whole'] and every > 1:
                cosine, issame = cosine[::every], issame[::every]
                entry.setdefault('between', {})[name] = _metrics(cosine, issame)
            packed[f'{name}/right_{entry["iter"]}'] = np.packbits(right(cosine, issame))
    return packed


def right(cosine, issame, folds=10):
    """Which pairs are decided rightly by the threshold that is best on the other folds, bool (P,)."""
    from mlaface.evaluation.functional.folds import GRIDS, fold_hits
    return fold_hits(2 - 2 * cosine, issame, folds, GRIDS['squared_l2'])


def _metrics(cosine, issame, folds=10):
    from mlaface.evaluation.functional.pairs import PairRules, PairScores, pair_metrics
    metrics = pair_metrics(PairScores(cosine, 2 - 2 * cosine), issame, PairRules(flip='none', folds=folds))
    found = {name: metrics[name]['value'] for name in ('accuracy', 'auc', 'eer')}
    return {**found, **{f'tar_at_far.{far}': entry['value'] for far, entry in metrics['tar_at_far'].items()}}


def main(argv=None):
    """Make the run that the arguments name; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('plan')
    parser.add_argument('run')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--work-dir', type=Path, required=True)
    args = parser.parse_args(argv)
    plan = load_plan(args.plan)
    import torch
    torch.set_num_threads(plan.threads)
    return make_run(plan, find_run(plan, args.run), args.out, args.work_dir)


if __name__ == '__main__':
    os.environ.setdefault('MPLBACKEND', 'Agg')
    from mlaface.engine.errors import Interrupted
    from mlaface.utils.errors import UserError
    try:
        sys.exit(main())
    except (UserError, OSError) as known:
        sys.exit(f'error: {known}')
    except Interrupted as stopped:
        sys.exit(stopped.code)
