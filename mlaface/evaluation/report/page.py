"""The report: one HTML file that needs no network, and its figures and numbers beside it."""
from pathlib import Path

from mlaface.evaluation.report.charts import fold_chart, histogram_chart, line_chart
from mlaface.evaluation.report.data import collect
from mlaface.evaluation.report.figures import smallest_far, write_figures
from mlaface.utils.files import atomic_path

HERE = Path(__file__).parent


def write_report(evaluations, folder, hardest=8):
    """Write ``report.html`` and its figures as PNG and CSV.

    Args:
        evaluations (list[Evaluation]): Of one suite, one a model.
        folder (str | Path): Where to.
        hardest (int): Pairs of each kind to show.

    Returns:
        Path: The page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    data = collect(evaluations, hardest)
    write_figures(data, folder)
    return write_page('report.html', dict(data, charts={entry['name']: charts_of(entry) for entry in
                                                        data['benchmarks']}), folder / 'report.html')


def write_page(template, values, path):
    """Render a template of this package with its style and script inside.

    Args:
        template (str): File name of the template.
        values (dict): What it shows.
        path (Path): Where to.

    Returns:
        Path: ``path``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    text = environment.get_template(template).render(style=(HERE / 'report.css').read_text(),
                                                     script=(HERE / 'report.js').read_text(), **values)
    with atomic_path(path) as temporary:
        temporary.write_text(text)
    return path


def charts_of(benchmark):
    """The charts of one benchmark, title -> SVG.

    Args:
        benchmark (dict): From ``report.data.collect``.

    Returns:
        dict[str, str]: In the order they are shown.
    """
    name, charts = benchmark['name'], {}
    if benchmark['curves']:
        charts.update(curve_charts(benchmark['curves'], name))
    if benchmark['histogram']:
        found = benchmark['histogram']
        charts['Scores'] = histogram_chart(found['edges'], found['same'], found['different'], found['threshold'],
                                           f'{name}: scores of same and different pairs')
    if benchmark['folds']:
        charts['Accuracy by fold'] = fold_chart(benchmark['folds'], f'{name}: accuracy by fold')
    return charts


def curve_charts(curves, name):
    """ROC and DET of all models on logarithmic axes."""
    least = smallest_far(curves)
    roc = [dict(name=curve['model'], x=curve['far'], y=curve['tar'], notes=_notes(curve, 'TAR', 'tar'))
           for curve in curves]
    det = [dict(name=curve['model'], x=curve['far'], y=curve['miss'], notes=_notes(curve, 'FRR', 'miss'))
           for curve in curves]
    missed = [miss for curve in curves for miss in curve['miss'] if miss > 0]
    lowest = min([0.1, *missed])
    return {'ROC': line_chart(roc, 'false accept rate', 'true accept rate', (least, 1), (0, 1), x_log=True,
                              label=f'{name}: ROC'),
            'DET': line_chart(det, 'false accept rate', 'false reject rate', (least, 1), (_decade(lowest), 1),
                              x_log=True, y_log=True, label=f'{name}: DET', corner='left low')}


def _decade(value):
    import math
    return 10.0 ** math.floor(math.log10(value))


def _notes(curve, short, key):
    return [f'FAR {far:.2e}  {short} {rate:.4f}  cosine {threshold:.4f}'
            for far, rate, threshold in zip(curve['far'], curve[key], curve['threshold'])]
