"""Runs that do not belong together: made by other code, by another config, or with another torch."""
from collections import Counter
from pathlib import Path

from mlaface.study import runs
from mlaface.study.recipes import ROOMS, fingerprint, load_variant, plugin_fingerprint
from mlaface.utils.errors import InputError


class MixedRunsError(InputError):
    """Runs of one plan that different code or configs have made; names them."""


def differences(plan, out, work_dir):
    """What tells some of a plan's finished runs from the rest, in words.

    Args:
        plan (Plan): With ``fingerprints``; see ``recipes.check_variants``.
        out, work_dir (Path): Its folders.

    Returns:
        list[str]: A sentence a difference; none where all belong together.
    """
    found = runs.results(plan, out)
    return [*_other_configs(plan, out, work_dir, found), *_other_code(found), *_other_plugins(found),
            *(line for key in ('torch', 'device', 'threads') for line in _other_values(found, key))]


def _other_configs(plan, out, work_dir, found):
    expected, lines = {}, []
    for run, result in found.items():
        tuned = tuple(sorted((runs.settings_of(plan, out, run) or {}).items()))
        key = (run.variant, tuned)
        if key not in expected:
            expected[key] = plan.fingerprints.get(run.variant) if not tuned else _resolved(plan, run, tuned, work_dir)
        if result['config'] != expected[key]:
            lines.append(run.name)
    return [f'{_names(lines)} by another config than the plan states now'] if lines else []


def _resolved(plan, run, tuned, work_dir):
    return fingerprint(load_variant(plan, run.variant, Path(work_dir) / 'configs' / run.variant, dict(tuned)))


def _other_code(found):
    lines = []
    for room in sorted({room for result in found.values() for room in result['code']}):
        of_room = {run: result for run, result in found.items() if room in result['code']}  # a plugin is in some alone
        kinds = Counter(result['code'][room] for result in of_room.values())
        if len(kinds) > 1:
            usual = kinds.most_common(1)[0][0]
            others = [(run.name, result) for run, result in of_room.items() if result['code'][room] != usual]
            commits = sorted({str(result.get('commit'))[:12] for _, result in others})
            lines.append(f'{_names([name for name, _ in others])} by other code of {room} (commit '
                         f'{", ".join(commits)}) than the others')
    return lines


def _other_plugins(found):
    """Plugins of the user's own that were edited since; mlaface's own code goes on while a study stays."""
    own, lines = {room.removesuffix('.py') for room in ROOMS}, []
    for name in sorted({room for result in found.values() for room in result['code']} - own):
        now = plugin_fingerprint(name)
        others = [run.name for run, result in found.items() if result['code'].get(name, now) != now]
        if now is not None and others:
            lines.append(f'{_names(others)} by other code of {name} than is here now')
    return lines


def _other_values(found, key):
    kinds = Counter(str(result[key]) for result in found.values() if key in result)
    if len(kinds) < 2:
        return []
    usual = kinds.most_common(1)[0][0]
    others = [run.name for run, result in found.items() if key in result and str(result[key]) != usual]
    return [f'{_names(others)} with another {key} than {usual}']


def _names(names, most=4):
    rest = len(names) - most
    return ', '.join(names[:most]) + (f' and {rest} more' if rest > 0 else '')


def check_mixed(plan, out, work_dir, allow=False):
    """Refuse runs that do not belong together.

    Args:
        plan, out, work_dir: See ``differences``.
        allow (bool): Only tell.

    Returns:
        list[str]: See ``differences``.

    Raises:
        MixedRunsError: If there are any, and they are not allowed.
    """
    lines = differences(plan, out, work_dir)
    if lines and not allow:
        raise MixedRunsError(f'{plan.path}: runs do not belong together: {"; ".join(lines)}. Remove their files in '
                             f'{out}/runs to make them again, or take --allow-mixed, and the report says so')
    return lines
