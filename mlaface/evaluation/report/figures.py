"""The report's figures as PNG files, and their numbers as CSV files."""
from mlaface.evaluation.report.curves import det_line, roc_line, smallest_far, smallest_miss
from mlaface.evaluation.report.files import file_name, plain, save_figure, write_csv
from mlaface.evaluation.report.styles import COLORS, line_look, style_of


def write_figures(data, folder):
    """Write ``BENCHMARK_{roc,det,scores,folds}.{png,csv}`` and ``numbers.csv``.

    Args:
        data (dict): From ``report.data.collect``.
        folder (Path): Where to.

    Returns:
        list[Path]: The files.
    """
    written = [write_csv(folder / 'numbers.csv', ('benchmark', 'metric', *(m['name'] for m in data['models'])),
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


def _write_curves(benchmark, folder):
    name, curves, words = benchmark['name'], benchmark['curves'], benchmark['words']
    least, lowest = smallest_far(curves), smallest_miss(curves)

    def plot(axes, lines, where):
        for number, (curve, line) in enumerate(zip(curves, lines)):
            axes.plot(line['x'], line['y'], label=plain(curve['model']), **line_look(number))
        axes.set(xscale='log', xlim=(least, 1))
        axes.legend(loc=where)

    def roc(axes):
        plot(axes, [roc_line(curve, least) for curve in curves], 'lower right')
        axes.set(ylim=(0, 1.02))

    def det(axes):
        plot(axes, [det_line(curve, least, lowest) for curve in curves], 'lower left')
        axes.set(yscale='log', ylim=(lowest, 1))

    rows = [(curve['model'], *point) for curve in curves
            for point in zip(curve['far'], curve['tar'], curve['miss'], curve['threshold'])]
    return [save_figure(folder / f'{file_name(name)}_roc.png', roc, words['accept'], words['hit'], f'{name}: ROC'),
            save_figure(folder / f'{file_name(name)}_det.png', det, words['accept'], words['miss'], f'{name}: DET'),
            write_csv(folder / f'{file_name(name)}_roc.csv', ('model', 'far', 'tar', 'miss', 'threshold'), rows)]


def _suffix(model, number):
    """What tells the files of the second model, or group, from those of the first."""
    return '' if number == 0 else '_' + file_name(model)


def _write_histogram(benchmark, found, suffix, folder):
    name, words = benchmark['name'], benchmark['words']

    def draw(axes):
        for kind, color in (('different', COLORS[1]), ('same', COLORS[0])):
            axes.stairs(found[kind], found['edges'], fill=True, alpha=0.5, color=color, label=words[kind])
        if found['threshold'] is not None:
            axes.axvline(found['threshold'], color='#334155', linestyle='--', label='threshold')
        axes.legend()

    rows = zip(found['edges'], found['edges'][1:], found['same'], found['different'])
    return [save_figure(folder / f'{file_name(name)}_scores{suffix}.png', draw, 'cosine', 'share',
                        f'{name}: scores, {found["model"]}'),
            write_csv(folder / f'{file_name(name)}_scores{suffix}.csv', ('low', 'high', 'same', 'different'), rows)]


def _write_folds(benchmark, folder):
    name, folds = benchmark['name'], benchmark['folds']

    def draw(axes):
        for number, row in enumerate(folds):
            color, dashes = style_of(number)
            axes.plot(range(1, len(row['values']) + 1), row['values'], 'o', color=color, label=plain(row['model']),
                      fillstyle='none' if dashes else 'full')
        axes.legend()

    rows = [(row['model'], fold, value) for row in folds for fold, value in enumerate(row['values'], 1)]
    return [save_figure(folder / f'{file_name(name)}_folds.png', draw, 'fold', 'accuracy', f'{name}: accuracy by fold'),
            write_csv(folder / f'{file_name(name)}_folds.csv', ('model', 'fold', 'accuracy'), rows)]
