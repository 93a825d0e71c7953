"""The config of each run, as a file that ``mlaface train`` takes; and what tells two recipes or two codes apart."""
import ast
import copy
import hashlib
import json
import re
import tempfile
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from mlaface.registry import PLUGINS
from mlaface.study.plan import PlanError
from mlaface.utils.errors import UserError
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


def load_variant(plan, variant, folder, tuned=None):
    """Write the config of a run and resolve it; see ``write_config``.

    Returns:
        Config: Checked.

    Raises:
        PlanError: If it cannot be meant; names the plan, and what in it states the fault.
    """
    from mlaface.engine.config import load_config
    path = write_config(plan, variant, folder, tuned)
    try:
        return load_config(path)
    except UserError as error:
        fault = _fault(error, path)
        raise PlanError(f'{plan.path}: {_where(fault, plan, variant, tuned)}{fault}') from error


def _fault(error, path):
    """An error's message without the file that was written for a run: of that the user knows nothing."""
    text = str(error)
    text = text.removeprefix(str(path)) if text.startswith(str(path)) else f': {text}'
    return re.sub(rf' \([^()]*{re.escape(path.name)}(, line \d+)?\)', '', text)


def _where(fault, plan, variant, tuned):
    """What in a plan states a fault: the first that has it still where all that comes after is left out."""
    if tuned and not _has(fault, plan, variant):
        return f'tuning.over, in variants.{variant}'
    common = replace(plan, variants={variant: {}})
    if not _has(fault, common, variant):
        return f'variants.{variant}'
    return f'base {plan.base}' if _has(fault, replace(common, common={}), variant) else 'common'


def _has(fault, plan, variant):
    """Whether the config of a variant has the same fault (bool)."""
    from mlaface.engine.config import load_config
    with tempfile.TemporaryDirectory() as folder:
        path = write_config(plan, variant, folder)
        try:
            load_config(path)
        except UserError as error:
            return _fault(error, path) == fault
    return False


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
        PlanError: If a config cannot be meant, or two variants give one; names the plan and the variants.
    """
    seen = {}
    for variant in plan.compared:
        found = fingerprint(load_variant(plan, variant, Path(folder) / 'configs' / variant))
        if found in seen:
            raise PlanError(f'{plan.path}: variants {seen[found]!r} and {variant!r} do not differ: their configs are '
                            'the same after all is merged')
        seen[found] = variant
    plan.fingerprints = {variant: found for found, variant in seen.items()}
    if plan.tuning:
        check_tuning(plan, folder)


def check_tuning(plan, folder):
    """Refuse a tuned key that a variant's config does not take; see ``check_variants``."""
    for variant in plan.compared:
        load_variant(plan, variant, Path(folder) / 'configs' / variant,
                     {entry.key: entry.low for entry in plan.tuning['over']})


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
        plugins (Iterable[str]): Modules of ``custom_imports`` that lie outside mlaface; those of the entry points are
            imported by every run, and added.

    Returns:
        dict[str, str]: Room -> hash.
    """
    found = {}
    for room in ROOMS:
        path = PACKAGE / room
        files = sorted(path.rglob('*.py')) if path.is_dir() else [path]
        names = [(file.relative_to(PACKAGE).as_posix(), file) for file in files]
        found[room.removesuffix('.py')] = _hash_files([pair for pair in names if not pair[0].startswith(NOT_RUN)])
    plugins = {*plugins, *(plugin.module for plugin in entry_points(group=PLUGINS))}
    hashes = {name: plugin_fingerprint(name) for name in sorted(plugins) if name.partition('.')[0] != 'mlaface'}
    return found | {name: value for name, value in hashes.items() if value is not None}


def plugin_fingerprint(name):
    """Hash of a plugin's code as it is now: of all modules of its package, or of its file if it lies in none.

    Args:
        name (str): A module, as ``custom_imports`` names it.

    Returns:
        str | None: As those of ``code_fingerprint``; None where there is no such module here.
    """
    import importlib.util
    top = name.partition('.')[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not spec.submodule_search_locations:
        return _hash_files([(top, Path(spec.origin))])
    folders = sorted(map(Path, spec.submodule_search_locations))
    return _hash_files([(file.relative_to(folder).as_posix(), file)
                        for folder in folders for file in sorted(folder.rglob('*.py'))])


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
