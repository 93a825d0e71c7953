"""A plan: what is compared, on which seeds, at what cost, and by which comparisons, all fixed before the first run."""
from dataclasses import dataclass, field
from pathlib import Path

from mlaface.registry import did_you_mean
from mlaface.utils.configs import config_of_file, find_config
from mlaface.utils.errors import InputError

KEYS = ('base', 'common', 'variants', 'seeds', 'budget', 'metric', 'targets', 'comparisons', 'tuning', 'threads',
        'title', 'question')
BUDGET = ('max_iters', 'max_epochs', 'validations', 'processor_minutes')
METRICS = ('accuracy', 'auc', 'tar_at_far.1e-2')  # more of each is better
TUNING = ('trials', 'seed', 'over')
SHORT = dict(lr='optim_wrapper.optimizer.lr', weight_decay='optim_wrapper.optimizer.weight_decay',
             margin='model.head.margin.m')


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
        name=path.stem, path=path, base=_base(path, known.get('base')), common=known.get('common') or {},
        variants=variants, seeds=_seeds(path, known.get('seeds')), budget=_budget(path, known.get('budget')),
        comparisons=_comparisons(path, known.get('comparisons'), variants),
        metric=_metric(path, known.get('metric', 'accuracy')), targets=_targets(path, known.get('targets') or ()),
        tuning=_tuning(path, known.get('tuning')),
        threads=_count(path, 'threads', known.get('threads', 1)), title=known.get('title', path.stem),
        question=known.get('question', ''))
    return plan


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
        if not isinstance(change, dict):
            raise PlanError(f'{path}: variants.{name} is {change!r}; write what it changes in the config as a dict, '
                            'dict() for nothing')
        if not name or set(name) & set('@/\\ ') or name.startswith('.'):
            raise PlanError(f'{path}: variants: {name!r} names files; use letters, digits, _, - and .')
    return variants


def _seeds(path, seeds):
    if not isinstance(seeds, (list, tuple, range)) or not seeds or not all(type(seed) is int for seed in seeds):
        raise PlanError(f'{path}: seeds is {seeds!r}; list whole numbers, as seeds=[1, 2, 3]')
    if len(set(seeds)) < len(seeds):
        raise PlanError(f'{path}: seeds names {sorted({s for s in seeds if list(seeds).count(s) > 1})} twice: a run '
                        'made again says nothing new')
    return tuple(seeds)


def _budget(path, budget):
    if not isinstance(budget, dict) or ('max_iters' in budget) == ('max_epochs' in budget):
        raise PlanError(f'{path}: budget is {budget!r}; give one of max_iters and max_epochs, as '
                        'budget=dict(max_iters=1000, validations=8)')
    for key, value in budget.items():
        if key not in BUDGET:
            raise PlanError(f'{path}: budget has no {key!r}{did_you_mean(key, BUDGET)} It takes {", ".join(BUDGET)}')
        if key != 'processor_minutes':
            _count(path, f'budget.{key}', value)
    if 'validations' in budget and 'max_iters' not in budget:
        raise PlanError(f'{path}: budget.validations divides max_iters; with max_epochs there is one an epoch')
    return budget


def _comparisons(path, given, variants):
    baseline = next(iter(variants))
    if given is None:
        return tuple((name, baseline) for name in variants if name != baseline)
    pairs = [(entry, baseline) if isinstance(entry, str) else tuple(entry) for entry in given]
    if not pairs:
        raise PlanError(f'{path}: comparisons is empty: say before the runs what is compared, as '
                        f"comparisons=[('{list(variants)[1]}', '{baseline}')]")
    for pair in pairs:
        if len(pair) != 2 or pair[0] == pair[1]:
            raise PlanError(f'{path}: comparisons: {pair!r} must be two variants, (VARIANT, REFERENCE)')
        for name in pair:
            if name not in variants:
                raise PlanError(f'{path}: comparisons: no variant {name!r}{did_you_mean(name, variants)} '
                                f'There are {", ".join(variants)}')
    if len(set(pairs)) < len(pairs):
        raise PlanError(f'{path}: comparisons names a pair twice')
    return tuple(pairs)


def _targets(path, targets):
    if not isinstance(targets, (list, tuple)) or not all(isinstance(t, float) and 0 < t < 1 for t in targets):
        raise PlanError(f'{path}: targets is {targets!r}; list fractions between 0 and 1')
    return tuple(sorted(targets))


def _tuning(path, tuning):
    if tuning is None:
        return None
    if not isinstance(tuning, dict) or not isinstance(tuning.get('over'), dict) or not tuning['over']:
        raise PlanError(f'{path}: tuning must say what over: tuning=dict(trials=4, over=dict(lr=(0.01, 0.1, "log")))')
    for key in tuning:
        if key not in TUNING:
            raise PlanError(f'{path}: tuning has no {key!r}{did_you_mean(key, TUNING)} It takes {", ".join(TUNING)}')
    return dict(trials=_count(path, 'tuning.trials', tuning.get('trials')), seed=tuning.get('seed', 0),
                over=tuple(_range(path, key, entry) for key, entry in tuning['over'].items()))


def _range(path, key, entry):
    entry = tuple(entry) if isinstance(entry, (list, tuple)) else (entry,)
    numbers = all(isinstance(value, (int, float)) for value in entry[:2])
    log = entry[2:] == ('log',)
    if len(entry) not in (2, 3) or (entry[2:] and not log) or not numbers or not entry[0] < entry[1] or (
            log and entry[0] <= 0):
        raise PlanError(f'{path}: tuning.over.{key} is {entry!r}; write (LOW, HIGH), or (LOW, HIGH, "log") of numbers '
                        'above 0')
    return Range(SHORT.get(key, key), float(entry[0]), float(entry[1]), log)
