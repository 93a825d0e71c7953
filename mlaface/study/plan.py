"""A plan: what is compared, on which seeds, at what cost, and by which comparisons, all fixed before the first run."""
import keyword
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from mlaface.registry import did_you_mean
from mlaface.utils.configs import config_of_file, find_config
from mlaface.utils.errors import InputError

KEYS = ('base', 'common', 'variants', 'seeds', 'budget', 'budgets', 'metric', 'targets', 'comparisons', 'tuning',
        'threads', 'title', 'question')
BUDGET = ('max_iters', 'max_epochs', 'validations', 'processor_minutes')
METRICS = ('accuracy', 'auc', 'tar_at_far.1e-2')  # more of each is better
CHANCE = {'accuracy': 0.5, 'auc': 0.5, 'eer': 0.5, 'tar_at_far.1e-2': 0.01}  # what a network that knows nothing has
TUNING = ('trials', 'seed', 'over')
SEEDS = range(2 ** 32)  # what numpy takes
TUNING_SEED = 1_000_000  # trials are tuned on seeds from here on, which no plan's runs have
NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}')  # of a variant, and so of files
SHORT = dict(lr='optim_wrapper.optimizer.lr', weight_decay='optim_wrapper.optimizer.weight_decay',
             margin='model.head.margin.m')
ELSEWHERE = dict(  # keys of a config that a run's own replace
    train_cfg='budget and budgets say how long a run trains.', randomness='seeds says what it draws.',
    work_dir='--work-dir says where it trains.', resume='a run goes on by itself where it was stopped.')

NEEDED = ('model', 'train_dataloader', 'optim_wrapper', 'val_dataloader', 'val_cfg', 'val_evaluator')


class PlanError(InputError):
    """A plan that cannot be meant; names the file and the key."""


@dataclass(frozen=True)
class Range:
    """What a number is tuned over.

    Args:
        key (str): Dotted path in the config.
        low, high (float): Ends.
        log (bool): Whether drawn evenly by its logarithm.
    """
    key: str
    low: float
    high: float
    log: bool = False


@dataclass
class Plan:
    """See ``load_plan`` and docs/studies.md.

    Args:
        name (str): Of its file.
        path (Path): Its file.
        base (Path): The config that all runs inherit.
        common (dict): What all runs change in it.
        variants (dict[str, dict]): What each changes besides; the first is the baseline.
        seeds (tuple[int]): A run each.
        budget (dict): ``max_iters`` or ``max_epochs``; ``validations``, ``processor_minutes``.
        budgets (dict[str, dict]): Variants that have one of their own, as a dear one that is to cost no more.
        comparisons (tuple[tuple[str, str]]): Variant and what it is compared with.
        metric (str): One of ``METRICS``, whose mean over sets is compared first. Default 'accuracy'.
        targets (tuple[float]): Means over sets to be reached.
        tuning (dict or None): ``trials``, ``seed`` and ``over`` (tuple[Range]).
        threads (int): Of each run. Default 1.
        title, question (str): For the page.
    """
    name: str
    path: Path
    base: Path
    common: dict
    variants: dict
    seeds: tuple
    budget: dict
    comparisons: tuple
    metric: str = 'accuracy'
    targets: tuple = ()
    tuning: dict | None = None
    threads: int = 1
    title: str = ''
    question: str = ''
    budgets: dict = field(default_factory=dict)
    fingerprints: dict = field(default_factory=dict)

    @property
    def compared(self):
        """Names of the variants that a comparison needs, in the order of ``variants``; only these are run."""
        named = {name for pair in self.comparisons for name in pair}
        return [name for name in self.variants if name in named]


def load_plan(path):
    """Read a plan, and refuse what cannot be meant.

    Args:
        path (str | Path): A config of the keys ``KEYS``; it may inherit another plan.

    Returns:
        Plan: Checked, but for the configs of its runs; see ``recipes.check_variants``.

    Raises:
        PlanError: Names file and key.
    """
    path = find_config(path)
    content = config_of_file(path)._cfg_dict.to_dict()
    known = {key: value for key, value in content.items() if not key.startswith('_')}
    for key in known:
        if key not in KEYS:
            raise PlanError(f'{path}: unknown key {key!r}{did_you_mean(key, KEYS)} A plan has {", ".join(KEYS)}')
    variants = _variants(path, known)
    plan = Plan(
        name=path.stem, path=path, base=_base(path, known.get('base')),
        common=_change(path, 'common', _or(known.get('common'), {})), variants=variants,
        seeds=_seeds(path, known.get('seeds')), budget=_budget(path, known.get('budget')),
        comparisons=_comparisons(path, known.get('comparisons'), variants),
        metric=_metric(path, known.get('metric', 'accuracy')), targets=_targets(path, known),
        tuning=_tuning(path, known.get('tuning')), budgets=_budgets(path, _or(known.get('budgets'), {}), variants),
        threads=_count(path, 'threads', known.get('threads', 1)),
        title=_text(path, 'title', known.get('title', path.stem)),
        question=_text(path, 'question', known.get('question', '')))
    return plan


def _or(value, default):
    """``default`` for what is left out, or None."""
    return default if value is None else value


def _text(path, key, value):
    if not isinstance(value, str):
        raise PlanError(f'{path}: {key} is {value!r}; it must be a text in quotes')
    return value


def _twice(values):
    """Those of the values that come more than once, sorted."""
    return sorted({value for value in values if list(values).count(value) > 1})


def _change(path, where, change):
    """What is changed in the base config, whose keys become names of a config file."""
    if not isinstance(change, dict):
        raise PlanError(f'{path}: {where} is {change!r}; write what it changes in the config as a dict, dict() for '
                        'nothing')
    for key in change:
        if not _is_name(key) or key == '_base_':
            raise PlanError(f'{path}: {where} has the key {key!r}; write keys of the config, one inside the other: '
                            'dict(model=dict(...))')
        if key in ELSEWHERE:
            raise PlanError(f'{path}: {where}.{key} would be replaced: {ELSEWHERE[key]} Leave it out')
        if key in NEEDED and change[key] is None:
            raise PlanError(f'{path}: {where}.{key} is None, but a run of a study trains and is validated: leave it '
                            'out, or state what it changes')
    return change


def _is_name(key):
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def _count(path, key, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PlanError(f'{path}: {key} is {value!r}; it must be a whole number of at least 1')
    return value


def _metric(path, metric):
    if metric not in METRICS:
        raise PlanError(f'{path}: metric is {metric!r}{did_you_mean(metric, METRICS)} Choose one of '
                        f'{", ".join(METRICS)}; all are reported')
    return metric


def _base(path, base):
    if not isinstance(base, str):
        raise PlanError(f"{path}: base is {base!r}; name the config that all runs inherit, as base='configs/NAME.py'")
    found = find_config(base)
    beside = path.parent / base
    if not found.is_file() and beside.is_file():
        found = beside
    if not found.is_file():
        raise PlanError(f'{path}: base: no config at {base}')
    return found.resolve()


def _variants(path, known):
    variants = known.get('variants')
    if not isinstance(variants, dict) or len(variants) < 2:
        raise PlanError(f'{path}: variants must be a dict of at least two, the first the baseline: '
                        'variants=dict(plain=dict(), mine=dict(model=dict(...)))')
    for name, change in variants.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise PlanError(f'{path}: variants: {name!r} names files; use 1 to 100 of the letters A to Z and a to z, '
                            'digits, _, - and ., the first no - or .')
        _change(path, f'variants.{name}', change)
    return variants


def _seeds(path, seeds):
    if not isinstance(seeds, (list, tuple, range)) or not seeds or not all(type(seed) is int for seed in seeds):
        raise PlanError(f'{path}: seeds is {seeds!r}; list whole numbers, as seeds=[1, 2, 3]')
    for seed in seeds:
        if seed not in SEEDS:
            raise PlanError(f'{path}: seeds names {seed}; a seed is a whole number from 0 to {SEEDS[-1]}')
    if _twice(seeds):
        raise PlanError(f'{path}: seeds names {_twice(seeds)} twice: a run made again says nothing new')
    return tuple(seeds)


def _budget(path, budget, where='budget'):
    if not isinstance(budget, dict) or ('max_iters' in budget) == ('max_epochs' in budget):
        raise PlanError(f'{path}: {where} is {budget!r}; give one of max_iters and max_epochs, as '
                        'dict(max_iters=1000, validations=8)')
    for key, value in budget.items():
        if key not in BUDGET:
            raise PlanError(f'{path}: {where} has no {key!r}{did_you_mean(key, BUDGET)} It takes {", ".join(BUDGET)}')
        if key != 'processor_minutes':
            _count(path, f'{where}.{key}', value)
        elif value is not None and not (_is_number(value) and value > 0):
            raise PlanError(f'{path}: {where}.{key} is {value!r}; it must be a number above 0')
    if 'validations' in budget and 'max_iters' not in budget:
        raise PlanError(f'{path}: {where}.validations divides max_iters; with max_epochs there is one an epoch')
    if budget.get('validations', 1) > budget.get('max_iters', math.inf):
        raise PlanError(f'{path}: {where}.validations is {budget["validations"]}; of max_iters={budget["max_iters"]} '
                        'iterations there can be no more than one validation each')
    return budget


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf


def _budgets(path, budgets, variants):
    if not isinstance(budgets, dict):
        raise PlanError(f'{path}: budgets is {budgets!r}; write dict(VARIANT=dict(max_iters=800, validations=8))')
    for name in budgets:
        if name not in variants:
            raise PlanError(f'{path}: budgets: no variant {name!r}{did_you_mean(name, variants)}')
    return {name: _budget(path, budget, f'budgets.{name}') for name, budget in budgets.items()}


def _comparisons(path, given, variants):
    baseline = next(iter(variants))
    if given is None:
        return tuple((name, baseline) for name in variants if name != baseline)
    if not isinstance(given, (list, tuple)):
        raise PlanError(f"{path}: comparisons is {given!r}; list what is compared, as comparisons="
                        f"[('{list(variants)[1]}', '{baseline}')]")
    pairs = [(entry, baseline) if isinstance(entry, str) else entry for entry in given]
    if not pairs:
        raise PlanError(f'{path}: comparisons is empty: say before the runs what is compared, as '
                        f"comparisons=[('{list(variants)[1]}', '{baseline}')]")
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[0] == pair[1]:
            raise PlanError(f'{path}: comparisons: {pair!r} must be two variants, (VARIANT, REFERENCE)')
        for name in pair:
            if not isinstance(name, str) or name not in variants:
                raise PlanError(f'{path}: comparisons: no variant {name!r}{did_you_mean(name, variants)} '
                                f'There are {", ".join(variants)}')
    pairs = tuple(map(tuple, pairs))
    if len(set(pairs)) < len(pairs):
        raise PlanError(f'{path}: comparisons names {_twice(pairs)[0]!r} twice; name each pair once')
    return pairs


def _targets(path, known):
    targets, metric = _or(known.get('targets'), ()), known.get('metric', 'accuracy')
    least = CHANCE[metric]
    if not isinstance(targets, (list, tuple)) or not all(isinstance(t, float) and least < t < 1 for t in targets):
        raise PlanError(f'{path}: targets is {targets!r}; list fractions between {least} (by chance) and 1 of {metric}')
    if _twice(targets):
        raise PlanError(f'{path}: targets names {_twice(targets)} twice; name each once')
    return tuple(sorted(targets))


def _tuning(path, tuning):
    if tuning is None:
        return None
    if not isinstance(tuning, dict) or not isinstance(tuning.get('over'), dict) or not tuning['over']:
        raise PlanError(f'{path}: tuning must say what over: tuning=dict(trials=4, over=dict(lr=(0.01, 0.1, "log")))')
    for key in tuning:
        if key not in TUNING:
            raise PlanError(f'{path}: tuning has no {key!r}{did_you_mean(key, TUNING)} It takes {", ".join(TUNING)}')
    seed, seeds = tuning.get('seed', 0), range(len(SEEDS) - TUNING_SEED)
    if type(seed) is not int or seed not in seeds:
        raise PlanError(f'{path}: tuning.seed is {seed!r}; it must be a whole number from 0 to {seeds[-1]}')
    return dict(trials=_count(path, 'tuning.trials', tuning.get('trials')), seed=seed,
                over=_over(path, tuning['over']))


def _over(path, over):
    for key in over:
        if not isinstance(key, str) or not all(key.split('.')) or not _is_name(key.split('.')[0]):
            raise PlanError(f'{path}: tuning.over: {key!r} is no dotted key of the config, such as '
                            f'{SHORT["lr"]!r}, nor one of {", ".join(SHORT)}')
    ranges = {key: _range(path, key, entry) for key, entry in over.items()}
    for key, inner in ranges.items():
        for other, outer in ranges.items():
            if key != other and f'{inner.key}.'.startswith(f'{outer.key}.'):
                raise PlanError(f'{path}: tuning.over: {key!r} and {other!r} are of one key, {outer.key}; name one')
    return tuple(ranges.values())


def _range(path, key, entry):
    entry = tuple(entry) if isinstance(entry, (list, tuple)) else (entry,)
    numbers = all(map(_is_number, entry[:2]))
    log = entry[2:] == ('log',)
    if len(entry) not in (2, 3) or (entry[2:] and not log) or not numbers or not entry[0] < entry[1] or (
            log and entry[0] <= 0):
        raise PlanError(f'{path}: tuning.over.{key} is {entry!r}; write (LOW, HIGH), or (LOW, HIGH, "log") of numbers '
                        'above 0')
    return Range(SHORT.get(key, key), float(entry[0]), float(entry[1]), log)
