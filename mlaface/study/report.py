"""The report of a study: one page, its tables as Markdown, its figures as PNG, and all numbers as JSON."""
import json
import math
from pathlib import Path

from mlaface.evaluation.report.charts import line_chart
from mlaface.evaluation.report.files import plain, save_figure
from mlaface.evaluation.report.forest import forest_chart
from mlaface.evaluation.report.page import write_page
from mlaface.evaluation.report.styles import COLORS, line_look
from mlaface.study import words
from mlaface.study.tables import tables
from mlaface.utils.files import atomic_path

HERE = Path(__file__).parent
BANDS_UP_TO = 4  # variants; with more of them bands hide each other
AXES = ('iterations', 'processor', 'macs')
UNITS = dict(iterations=1, processor=1, wall=1, macs=1e12)


def write_report(findings, folder):
    """Write ``report.html``, ``report.md``, ``findings.json``, ``curves.png`` and ``forest.png``.

    Args:
        findings (dict): From ``findings.find``.
        folder (Path): Where to.

    Returns:
        Path: The page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = tables(findings)
    with atomic_path(folder / 'findings.json') as temporary:
        temporary.write_text(json.dumps(_plain(findings), indent=1) + '\n')
    with atomic_path(folder / 'report.md') as temporary:
        temporary.write_text(markdown(findings, found))
    _figures(findings, folder)
    values = dict(findings=findings, tables=found, charts=curve_charts(findings), pairs=pair_charts(findings),
                  forests=forests(findings), verdicts=words.verdicts(findings),
                  everywhere=words.beats_everywhere(findings), words=words)
    return write_page('study.html', values, folder / 'report.html', HERE)


def _plain(value):
    """What JSON can say: no NaN, no infinity."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(findings, found):
    """The report's words and tables as Markdown (str)."""
    lines = [f'# {findings["title"]}', '', findings['question'], '', *summary(findings), '',
             *(f'* {line}' for line in words.verdicts(findings)), '']
    for table in found:
        lines += [f'## {table["title"]}', '', '| ' + ' | '.join(table['head']) + ' |',
                  '|---' * len(table['head']) + '|']
        lines += ['| ' + ' | '.join(' '.join(filter(None, cell)) if isinstance(cell, tuple) else str(cell)
                                    for cell in row) + ' |' for row in table['rows']]
        lines += ['', table['note'], '']
    return '\n'.join(lines)


def summary(findings):
    """What was run, in a few lines (list[str])."""
    runs = findings['runs']
    load = f'load of the host {runs["load"]:.1f}' if runs['load'] else 'load not known'
    lines = [f'{runs["done"]} of {runs["planned"]} runs, {runs["hours"]:.1f} hours of the processor; seeds '
             f'{", ".join(map(str, runs["seeds"]))}; {", ".join(runs["device"])}, threads '
             f'{", ".join(map(str, runs["threads"]))}, torch {", ".join(runs["torch"])}; commit '
             f'{", ".join(commit[:12] for commit in runs["commits"])}; {load}']
    lines += [f'Diverged, and counted by chance: {entry["run"]} ({entry["message"]})' for entry in runs['diverged']]
    if runs['cut']:
        lines.append(f'Out of time, and left out of final numbers: {", ".join(runs["cut"])}')
    if runs['unscored']:
        lines.append(f'{words.UNSCORED}: {", ".join(runs["unscored"])}')
    if runs['missing']:
        lines.append(f'Runs that are missing: {", ".join(runs["missing"])}')
    if findings['mixed']:
        lines.append(f'Runs that do not belong together: {"; ".join(findings["mixed"])}')
    return '\n\n'.join(lines).split('\n')  # a paragraph each


def _series(findings, names, axis, bands):
    series = []
    for name in names:
        curve, cost = findings['curves'][name], findings['curves'][name]['per_step'][axis]
        if cost is None or math.isnan(cost):
            continue
        places = [step * cost for step in curve['steps']]
        line = dict(name=name, style=list(findings['curves']).index(name), x=[place / UNITS[axis] for place in places],
                    y=curve['mean'])
        line['notes'] = [f'{name}  {words.large(place)} {words.AXES[axis]}: {y:.4f} ({low:.4f} to {high:.4f})' for
                         place, y, low, high in zip(places, line['y'], curve['low'], curve['high'])]
        series.append(dict(line, low=curve['low'], high=curve['high']) if bands else line)
    return series


def _chart(findings, names, axis, bands, label):
    series = _series(findings, names, axis, bands)
    if not series:
        return None
    values = [value for line in series for key in ('y', 'low', 'high') for value in line.get(key, ())]
    room = 0.05 * (max(values) - min(values)) or 0.01
    unit = {'iterations': 'iteration', 'processor': 'processor seconds in training',
            'macs': 'multiply-accumulates, forward, in T'}[axis]
    return line_chart(series, unit, f'{words.METRICS.get(findings["metric"], findings["metric"])}, mean over sets',
                      (0, max(line['x'][-1] for line in series)), (min(values) - room, max(values) + room), label=label)


def curve_charts(findings):
    """All variants against each axis, by title (dict[str, str])."""
    names = list(findings['curves'])
    charts = {f'By {words.AXES[axis]}': _chart(findings, names, axis, len(names) <= BANDS_UP_TO,
                                               f'accuracy by {words.AXES[axis]}') for axis in AXES}
    return {title: chart for title, chart in charts.items() if chart}


def pair_charts(findings):
    """Each variant beside what it is compared with, by processor time, with bands; where there are many variants."""
    if len(findings['curves']) <= BANDS_UP_TO:
        return {}
    charts = {}
    for row in findings['comparisons']:
        names = [row['reference'], row['variant']]
        if all(name in findings['curves'] for name in names):
            charts[f'{row["variant"]} beside {row["reference"]}'] = _chart(
                findings, names, 'processor', True, f'{row["variant"]} beside {row["reference"]}')
    return {title: chart for title, chart in charts.items() if chart}


def _forest_rows(rows):
    return [dict(name=f'{row["variant"]} - {row["reference"]}', text=f'p {words.chance(row["holm"])}' if words.known(
        row['holm']) else '', **{key: row[key] for key in ('value', 'low', 'high', 'low_all', 'high_all')})
        for row in rows]


def forests(findings):
    """Forest plots by title: at the end, at equal processor time, at equal multiply-accumulates (dict[str, str])."""
    what = f'difference of {words.METRICS.get(findings["metric"], findings["metric"])}, mean over sets'
    found = {'At the end of training': forest_chart(_forest_rows(findings['comparisons']), what, 'differences')}
    for axis in ('processor', 'macs'):
        rows = [dict(row['axes'][axis], variant=row['variant'], reference=row['reference'])
                for row in findings['equal'] if axis in row['axes']]
        if rows:
            found[f'At equal {words.AXES[axis]}'] = forest_chart(_forest_rows(rows), what, f'at equal {axis}')
    return found


def _figures(findings, folder):
    metric = words.METRICS.get(findings['metric'], findings['metric'])

    def curves(axes):
        for line in _series(findings, list(findings['curves']), 'processor', True):
            axes.plot(line['x'], line['y'], label=plain(line['name']), **line_look(line['style']))
            if len(findings['curves']) <= BANDS_UP_TO:
                axes.fill_between(line['x'], line['low'], line['high'], alpha=0.15,
                                  color=line_look(line['style'])['color'], linewidth=0)
        axes.legend(fontsize=6, ncols=2)

    rows = _forest_rows(findings['comparisons'])[::-1]

    def forest(axes):
        for place, row in enumerate(rows):
            for low, high, width in ((row['low_all'], row['high_all'], 1), (row['low'], row['high'], 4)):
                if words.known(low):
                    axes.plot([low, high], [place, place], color=COLORS[0], linewidth=width,
                              alpha=0.5 if width > 1 else 1)
            axes.plot(row['value'], place, 'o', color=COLORS[0])
        axes.axvline(0, color='#334155', linestyle='--')
        axes.set_yticks(range(len(rows)), [plain(row['name']) for row in rows], fontsize=7)
        axes.set_ylim(-0.7, len(rows) - 0.3)

    save_figure(folder / 'curves.png', curves, 'processor seconds in training', f'{metric}, mean over sets',
                findings['title'])
    save_figure(folder / 'forest.png', forest, f'difference of {metric}', '', findings['title'],
                height=1.1 + 0.34 * len(rows))
