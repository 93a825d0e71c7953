"""The report: one HTML file that needs no network, and its figures and numbers beside it."""
import re
from pathlib import Path

from mlaface.evaluation.report.charts import fold_chart, histogram_chart, line_chart
from mlaface.evaluation.report.curves import det_line, roc_line, smallest_far, smallest_miss
from mlaface.evaluation.report.data import collect
from mlaface.evaluation.report.figures import write_figures
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


def write_page(template, values, path, folder=HERE):
    """Render a template with this package's style and script inside.

    Args:
        template (str): File name of the template.
        values (dict): What it shows.
        path (Path): Where to.
        folder (Path): Where the template lies; what it extends may lie here. Default this package.

    Returns:
        Path: ``path``.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    environment = Environment(loader=FileSystemLoader([folder, HERE]), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters['parts'] = number_parts
    text = environment.get_template(template).render(style=(HERE / 'report.css').read_text(),
                                                     script=(HERE / 'report.js').read_text(), **values)
    with atomic_path(path) as temporary:
        temporary.write_text(text)
    return path


def number_parts(text):
    """A number and what is known of it: ``0.68 [0.64, 0.75] (50 false accepts)`` splits at the first blank bracket."""
    found = re.match(r'(\S+) ([\[(±].*)', text)
    return found.groups() if found else (text, '')


def charts_of(benchmark):
    """The charts of one benchmark, title -> SVG.

    Args:
        benchmark (dict): From ``report.data.collect``.

    Returns:
        dict[str, str]: In the order they are shown.
    """
    name, charts = benchmark['name'], {}
    if benchmark['curves']:
        charts.update(curve_charts(benchmark['curves'], name, benchmark['words']))
    for found in benchmark['histograms']:
        title = 'Scores' if len(benchmark['histograms']) == 1 else f'Scores: {found["model"]}'
        charts[title] = histogram_chart(found['edges'], found['same'], found['different'], found['threshold'],
                                        f'{name}: {title}', benchmark['words'])
    if benchmark['folds']:
        charts['Accuracy by fold'] = fold_chart(benchmark['folds'], f'{name}: accuracy by fold')
    return charts


def curve_charts(curves, name, words):
    """ROC and DET of all models on logarithmic axes, called as the protocol calls them."""
    least, lowest = smallest_far(curves), smallest_miss(curves)
    far, hit, miss = words['short']
    roc = [_series(curve, roc_line(curve, least), far, hit, 'tar') for curve in curves]
    det = [_series(curve, det_line(curve, least, lowest), far, miss, 'miss') for curve in curves]
    return {'ROC': line_chart(roc, words['accept'], words['hit'], (least, 1), (0, 1), x_log=True,
                              label=f'{name}: ROC'),
            'DET': line_chart(det, words['accept'], words['miss'], (least, 1), (lowest, 1), x_log=True, y_log=True,
                              label=f'{name}: DET')}


def _series(curve, line, far, rate, key):
    notes = [f'{far} {curve["far"][row]:.2e}  {rate} {curve[key][row]:.4f}  cosine {curve["threshold"][row]:.4f}'
             for row in line['rows']]
    return dict(name=curve['model'], x=line['x'], y=line['y'], notes=notes)
