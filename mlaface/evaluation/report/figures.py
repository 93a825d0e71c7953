"""The report's figures as PNG files, and their numbers as CSV files."""
import csv
import re
from itertools import cycle

from mlaface.evaluation.report.charts import COLORS
from mlaface.utils.files import atomic_path


def write_figures(data, folder):
    """Write ``BENCHMARK_{roc,det,scores,folds}.{png,csv}`` and ``numbers.csv``.

    Args:
        data (dict): From ``report.data.collect``.
        folder (Path): Where to.

    Returns:
        list[Path]: The files.
    """
    written = [_write_csv(folder / 'numbers.csv', ('benchmark', 'metric', *(m['name'] for m in data['models'])),
                          [(benchmark['name'], key, *values) for benchmark in data['benchmarks']
                           for key, values in benchmark['table']])]
    for benchmark in data['benchmarks']:
        if benchmark['curves']:
            written += _write_curves(benchmark, folder)
        for number, found in enumerate(benchmark['histograms']):
            written += _write_histogram(benchmark, found, _suffix(found['model'], number), folder)
        if benchmark['folds']:
            written += _write_folds(benchmark, folder)
    return written


def _write_csv(path, header, rows):
    with atomic_path(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def save_figure(path, draw, x_label, y_label, title):
    """Write one chart as PNG.

    Args:
        path (Path): The file.
        draw (callable): Given matplotlib's axes.
        x_label, y_label, title (str): What stands around it.

    Returns:
        Path: ``path``.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6, 4.2), dpi=150, layout='constrained')
    axes = figure.subplots()
    draw(axes)
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    axes.grid(True, color='#e2e8f0')
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png')
    return path


def _write_curves(benchmark, folder):
    name, curves, words = benchmark['name'], benchmark['curves'], benchmark['words']
    least = smallest_far(curves)

    def roc(axes):
        for curve, color in zip(curves, cycle(COLORS)):
            axes.plot([max(far, least) for far in curve['far']], curve['tar'], color=color, label=curve['model'])
        axes.set(xscale='log', xlim=(least, 1), ylim=(0, 1.02))
        axes.legend(loc='lower right')

    def det(axes):
        for curve, color in zip(curves, cycle(COLORS)):
            kept = [(far, miss) for far, miss in zip(curve['far'], curve['miss']) if far > 0 and miss > 0]
            axes.plot(*zip(*kept) if kept else ([], []), color=color, label=curve['model'])
        axes.set(xscale='log', yscale='log')
        axes.legend(loc='lower left')

    rows = [(curve['model'], *point) for curve in curves
            for point in zip(curve['far'], curve['tar'], curve['miss'], curve['threshold'])]
    return [save_figure(folder / f'{name}_roc.png', roc, words['accept'], words['hit'], f'{name}: ROC'),
            save_figure(folder / f'{name}_det.png', det, words['accept'], words['miss'], f'{name}: DET'),
            _write_csv(folder / f'{name}_roc.csv', ('model', 'far', 'tar', 'miss', 'threshold'), rows)]


def smallest_far(curves):
    """The smallest rate above zero of any curve, rounded down to a power of ten; an axis may begin there."""
    import math
    rates = [far for curve in curves for far in curve['far'] if far > 0]
    return 10.0 ** math.floor(math.log10(min(rates))) if rates and min(rates) < 1 else 0.1


def _suffix(model, number):
    """What tells the files of the second model, or group, from those of the first."""
    return '' if number == 0 else '_' + re.sub(r'[^\w.-]+', '_', model)


def _write_histogram(benchmark, found, suffix, folder):
    name, words = benchmark['name'], benchmark['words']

    def draw(axes):
        for kind, color in (('different', COLORS[1]), ('same', COLORS[0])):
            axes.stairs(found[kind], found['edges'], fill=True, alpha=0.5, color=color, label=words[kind])
        if found['threshold'] is not None:
            axes.axvline(found['threshold'], color='#334155', linestyle='--', label='threshold')
        axes.legend()

    rows = zip(found['edges'], found['edges'][1:], found['same'], found['different'])
    return [save_figure(folder / f'{name}_scores{suffix}.png', draw, 'cosine', 'share',
                        f'{name}: scores, {found["model"]}'),
            _write_csv(folder / f'{name}_scores{suffix}.csv', ('low', 'high', 'same', 'different'), rows)]


def _write_folds(benchmark, folder):
    name, folds = benchmark['name'], benchmark['folds']

    def draw(axes):
        for row, color in zip(folds, cycle(COLORS)):
            axes.plot(range(1, len(row['values']) + 1), row['values'], 'o', color=color, label=row['model'])
        axes.legend()

    rows = [(row['model'], fold, value) for row in folds for fold, value in enumerate(row['values'], 1)]
    return [save_figure(folder / f'{name}_folds.png', draw, 'fold', 'accuracy', f'{name}: accuracy by fold'),
            _write_csv(folder / f'{name}_folds.csv', ('model', 'fold', 'accuracy'), rows)]
