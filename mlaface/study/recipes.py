"""The config of each run, as a file that ``mlaface train`` takes; and what tells two recipes or two codes apart."""
import ast
import copy
import hashlib
import json
from pathlib import Path

import numpy as np

from mlaface.study.plan import PlanError
from mlaface.utils.files import atomic_path

PACKAGE = Path(__file__).resolve().parents[1]
ROOMS = ('models', 'datasets', 'engine', 'evaluation', 'utils', 'registry.py')
NOT_RUN = ('evaluation/report', 'evaluation/training_runs', 'evaluation/networks', 'evaluation/images',
           'datasets/prepare', 'datasets/synthetic')
DELETE = '_delete_'


def merge(base, change):
    """``base`` with ``change`` merged in as files inherit; a dict with ``_delete_`` stays alone and keeps it."""
    merged = copy.deepcopy(base)
    for key, value in change.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not value.get(DELETE):
            merged[key] = merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def nested(dotted):
    """``{'a.b': 1}`` as ``{'a': {'b': 1}}``."""
    tree = {}
    for key, value in dotted.items():
        *way, last = key.split('.')
        node = tree
        for name in way:
            node = node.setdefault(name, {})
        node[last] = value
    return tree


def _training(budget):
    """``train_cfg`` of a budget."""
    if 'max_epochs' in budget:
        return dict(_delete_=True, type='FaceTrainLoop', max_epochs=budget['max_epochs'])
    interval = max(1, budget['max_iters'] // budget.get('validations', 1))
    return dict(_delete_=True, type='FaceTrainLoop', max_iters=budget['max_iters'], val_interval=interval)


def changes(plan, variant, tuned=None):
    """All that a run changes in the plan's base config.

    Args:
        plan (Plan): The plan.
        variant (str): Name of one of its variants.
        tuned (dict, optional): Dotted keys to values.

    Returns:
        dict: As a config file has it.
    """
    budget = plan.budgets.get(variant, plan.budget)
    training, limit = _training(budget), budget.get('processor_minutes')
    record = dict(type='RunRecordHook', **({} if limit is None else dict(max_seconds=60.0 * limit)))
    own = dict(
        train_cfg=training, train_dataloader=dict(num_workers=0), val_dataloader=dict(num_workers=0),
        default_hooks=dict(record=record, checkpoint=dict(type='FaceCheckpointHook', max_keep=1, save_best=None,
                                                          interval=training.get('val_interval'))))
    recipe = merge(merge(plan.common, plan.variants[variant]), nested(tuned or {}))
    return merge(recipe, own)


def write_config(plan, variant, folder, tuned=None):
    """Write the config of a run.

    Args:
        plan, variant, tuned: See ``changes``.
        folder (Path): Where ``config_of_run.py`` is written.

    Returns:
        Path: The file.
    """
    lines = [f'"""A run of the study {plan.name}: {variant}."""', f'_base_ = {str(plan.base)!r}']
    lines += [f'{key} = {value!r}' for key, value in changes(plan, variant, tuned).items()]
    path = Path(folder) / 'config_of_run.py'
    with atomic_path(path) as temporary:
        temporary.write_text('\n'.join(lines) + '\n')
    return path


def fingerprint(config):
    """Hash of a resolved config, whatever wrote it down (str); where it lies and its seed do not count."""
    content = {key: value for key, value in config.to_dict().items() if key not in (
        'work_dir', 'randomness', 'launcher', 'resume', 'load_from') or (key == 'load_from' and value)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def check_variants(plan, folder):
    """Resolve the config of every variant that is run, and refuse two that are the same.

    Args:
        plan (Plan): Its ``fingerprints`` are filled in.
        folder (Path): For the files.

    Raises:
        PlanError: If two variants give one config; names both.
        ConfigError: If a config cannot be meant.
    """
    from mlaface.engine.config import load_config
    seen = {}
    for variant in plan.compared:
        found = fingerprint(load_config(write_config(plan, variant, Path(folder) / 'configs' / variant)))
        if found in seen:
            raise PlanError(f'{plan.path}: variants {seen[found]!r} and {variant!r} do not differ: their configs are '
                            'the same after all is merged')
        seen[found] = variant
    plan.fingerprints = {variant: found for found, variant in seen.items()}
    if plan.tuning:
        check_tuning(plan, folder)


def check_tuning(plan, folder):
    """Refuse a tuned key that a variant's config does not take; see ``check_variants``."""
    from mlaface.engine.config import load_config
    for variant in plan.compared:
        path = write_config(plan, variant, Path(folder) / 'configs' / variant, trial_settings(plan)[-1])
        load_config(path)


def trial_settings(plan):
    """What each trial of the tuning changes: nothing in the first, then Latin-hypercube draws, alike for all variants.

    Returns:
        list[dict]: Dotted keys to values, one a trial.
    """
    from scipy.stats import qmc
    over, trials = plan.tuning['over'], plan.tuning['trials']
    if trials == 1:
        return [{}]
    drawn = qmc.LatinHypercube(len(over), rng=np.random.default_rng(plan.tuning['seed'])).random(trials - 1)
    return [{}, *({entry.key: _place(entry, share) for entry, share in zip(over, row)} for row in drawn)]


def _place(entry, share):
    if entry.log:
        return float(f'{np.exp(np.log(entry.low) + share * np.log(entry.high / entry.low)):.4g}')
    return float(f'{entry.low + share * (entry.high - entry.low):.4g}')


def code_fingerprint(plugins=()):
    """Hashes of the code that makes a run: of each room, comments and docstrings left out.

    Args:
        plugins (Iterable[str]): Modules of ``custom_imports`` that lie outside mlaface.

    Returns:
        dict[str, str]: Room -> hash.
    """
    found = {}
    for room in ROOMS:
        path = PACKAGE / room
        files = sorted(path.rglob('*.py')) if path.is_dir() else [path]
        names = [(file.relative_to(PACKAGE).as_posix(), file) for file in files]
        found[room.removesuffix('.py')] = _hash_files([pair for pair in names if not pair[0].startswith(NOT_RUN)])
    for name in plugins:
        import importlib.util
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin and not name.startswith('mlaface.'):
            found[name] = _hash_files([(name, Path(spec.origin))])
    return found


def _hash_files(files):
    digest = hashlib.sha256()
    for name, path in files:
        digest.update(f'{name}\n{_meaning(path.read_text(encoding="utf-8"))}\n'.encode())
    return digest.hexdigest()[:12]


def _meaning(text):
    """The code of a module without comments, docstrings and layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, 'body', None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(
                getattr(body[0], 'value', None), ast.Constant) and isinstance(body[0].value.value, str):
            node.body = body[1:] or [ast.Pass()]
    return ast.dump(tree)
