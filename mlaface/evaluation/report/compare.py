"""The comparison of training runs as a page and figures."""
from pathlib import Path

from mlaface.evaluation.report.charts import line_chart
from mlaface.evaluation.report.files import file_name, plain, save_figure
from mlaface.evaluation.report.page import write_page
from mlaface.evaluation.report.styles import line_look


def write_comparison(methods, found, folder):
    """Write ``compare.html`` and a PNG a chart.

    Args:
        methods (list[Method]): The runs.
        found (dict): ``metric``, ``convergence`` and ``final``, as the command's JSON.
        folder (str | Path): Where to.

    Returns:
        Path: The page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    charts = {}
    for name in chart_names(methods, found['metric']):
        series = [dict(name=method.name, style=number, notes=_notes(run, name),
                       x=run.scalars[name][0], y=run.scalars[name][1])
                  for number, method in enumerate(methods) for run in method.runs if name in run.scalars]
        charts[name] = _chart(series, name)
        _figure(series, name, folder / f'{file_name(name)}.png')
    return write_page('compare.html', dict(found, methods=methods, charts=charts, steps_text=steps_text,
                                            ratio_text=ratio_text, note=interval_note(found['intervals'])),
                      folder / 'compare.html')


def steps_text(cell):
    """Iterations to a target as texts: the number or how many seeds got there, and what they needed each.

    Args:
        cell (dict): One method's, from ``convergence``.

    Returns:
        tuple[str, str]: The second may be empty.
    """
    steps, seeds = cell['iterations'], len(cell['iterations'])
    if cell['mean'] is None:
        each = [f'>\u00a0{last}' if step is None else str(step) for step, last in zip(steps, cell['validated'])]
        return f'reached by {sum(step is not None for step in steps)} of {seeds}', f'({", ".join(each)})'
    return f'{cell["mean"]:.0f}', f'({min(steps)} to {max(steps)})' if seeds > 1 else ''


def ratio_text(ratio):
    """A ratio as texts, ``('< 0.75', '(up to 0.80)')``; see ``steps_text``."""
    if ratio is None:
        return 'not known', ''
    value, low, high = (None if end is None else f'{end:.2f}' for end in (ratio['value'], ratio['low'], ratio['high']))
    if ratio['bound'] is None:
        return value, f'({low} to {high})' if low != high else ''
    end = f'(up to {high})' if low is None else f'(from {low})'
    return ('> ' if high is None else '< ') + value, end if value not in (low, high) else ''


def interval_note(intervals):
    """What to doubt where methods were validated at different intervals (dict, name -> iterations)."""
    each = ', '.join(f'{name} every {steps:.0f}' for name, steps in intervals.items())
    return (f'the runs were validated at different intervals ({each} iterations): iterations to a target are too high '
            'by up to one interval, and the ratio is uncertain by as much')


def chart_names(methods, metric):
    """What is drawn: the loss, the metric, the gates, the learning rate, and each benchmark's accuracy."""
    names = dict.fromkeys(name for method in methods for run in method.runs for name in run.scalars)
    benchmarks = sorted(name for name in names if name.endswith('/accuracy') and name != metric)
    gates = sorted(name for name in names if name.endswith('gate'))
    return [name for name in ('loss', metric, *gates, 'lr', *benchmarks) if name in names]


def _notes(run, name):
    return [f'iteration {step}  {name} {value:.4f}  {run.folder.name}' for step, value in zip(*run.scalars[name])]


def _chart(series, name):
    values = [value for line in series for value in line['y']]
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.01
    last = max(step for line in series for step in line['x'])
    return line_chart(series, 'iteration', name, (0, max(last, 1)), (low - room, high + room), label=name)


def _figure(series, name, path):
    def draw(axes):
        labelled = set()
        for line in series:
            first = line['name'] not in labelled
            labelled.add(line['name'])
            axes.plot(line['x'], line['y'], label=plain(line['name']) if first else None, **line_look(line['style']))
        axes.legend()
    save_figure(path, draw, 'iteration', name, name)
