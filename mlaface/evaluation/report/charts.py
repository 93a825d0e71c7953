"""Charts as SVG text: lines on linear or logarithmic axes, bars, dots. Points carry their numbers for hovering."""
import json
import math
from html import escape

from mlaface.evaluation.report.axis import Axis
from mlaface.evaluation.report.styles import (
    COLORS,
    box_sample,
    dot_look,
    dot_sample,
    line_sample,
    series_styles,
    stroke,
    style_of,
)

WIDTH, HEIGHT = 520, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 16, 50


def line_chart(series, x_label, y_label, x_range, y_range, x_log=False, y_log=False, label=''):
    """Curves of one or several models.

    Args:
        series (list[dict]): ``name``, ``x``, ``y``; for hovering ``notes`` (str a point); ``style``, a number, if it
            is to be the same in several charts; ``low`` and ``high`` for a band around it. Lines of one name share a
            style.
        x_label (str): Under the axis.
        y_label (str): Beside the axis.
        x_range (tuple[float, float]): Ends of the axis.
        y_range (tuple[float, float]): Ends of the axis.
        x_log (bool): Logarithmic.
        y_log (bool): Logarithmic.
        label (str): What a screen reader says.

    Returns:
        str: ``<svg>``.
    """
    x, y = _axes(x_range, y_range, x_log, y_log)
    styles = series_styles(series)
    body = [_band(line, x, y, styles[line['name']]) for line in series if 'low' in line]
    body += [_curve(line, x, y, styles[line['name']]) for line in series]
    named = styles if len(styles) > 1 or 'style' in series[0] else {}
    return _frame(body, x, y, x_label, y_label, label, {name: line_sample(style) for name, style in named.items()})


def _axes(x_range, y_range, x_log=False, y_log=False):
    return (Axis(*x_range, LEFT, WIDTH - RIGHT, x_log), Axis(*y_range, HEIGHT - BOTTOM, TOP, y_log))


def _band(line, x, y, style):
    along = [*zip(line['x'], line['low']), *reversed([*zip(line['x'], line['high'])])]
    points = ' '.join(f'{x.place(a)},{y.place(b)}' for a, b in along)
    return f'<polygon class="band" points="{points}" fill="{style_of(style)[0]}" fill-opacity="0.15"/>'


def _curve(line, x, y, style):
    points = [(x.place(a), y.place(b)) for a, b in zip(line['x'], line['y'])]
    notes = line.get('notes') or [f'{a:.4g}, {b:.4g}' for a, b in zip(line['x'], line['y'])]
    hover = json.dumps([[*point, note] for point, note in zip(points, notes)], separators=(',', ':'))
    path = ' '.join(f'{a},{b}' for a, b in points)
    return (f'<polyline class="curve" points="{path}" fill="none" {stroke(style)} '
            f'data-name="{escape(line["name"])}" data-points="{escape(hover)}"/>')


def histogram_chart(edges, same, different, threshold=None, label='', words=None):
    """Shares of same and different pairs by cosine.

    Args:
        edges (list[float]): Edges of the bins, one more than bins.
        same (list[float]): Shares of same pairs.
        different (list[float]): Shares of different pairs.
        threshold (float or None): Marked by a line.
        label (str): What a screen reader says.
        words (dict or None): How ``same`` and ``different`` are called in the legend.

    Returns:
        str: ``<svg>``.
    """
    words = words or dict(same='same person', different='different people')
    used = [k for k in range(len(same)) if same[k] or different[k]]
    low, high = edges[max(used[0] - 1, 0)], edges[min(used[-1] + 2, len(edges) - 1)]
    x, y = _axes((low, high), (0, 1.08 * max(*same, *different)))
    parts = []
    for shares, color in ((different, COLORS[1]), (same, COLORS[0])):
        for left, right, share in zip(edges, edges[1:], shares):
            if share:
                top = y.place(share)
                parts.append(f'<rect x="{x.place(left)}" y="{top}" width="{x.place(right) - x.place(left):.2f}" '
                             f'height="{y.place(0) - top:.2f}" fill="{color}" fill-opacity="0.5">'
                             f'<title>cosine {left:.3f} to {right:.3f}: {share:.4f}</title></rect>')
    if threshold is not None:
        parts.append(f'<line class="mark" x1="{x.place(threshold)}" x2="{x.place(threshold)}" y1="{TOP}" '
                     f'y2="{HEIGHT - BOTTOM}"><title>threshold {threshold:.4f}</title></line>')
    return _frame(parts, x, y, 'cosine', 'share', label,
                  {words['same']: box_sample(COLORS[0], 0.5), words['different']: box_sample(COLORS[1], 0.5)})


def count_chart(edges, counts, x_label, y_label='images', label='', x_log=False):
    """How many there are of each size.

    Args:
        edges (list[float]): Edges of the bins, one more than bins.
        counts (list[int]): Of the bins.
        x_label (str): Under the axis.
        y_label (str): Beside the axis.
        label (str): What a screen reader says.
        x_log (bool): Logarithmic; the edges are above 0.

    Returns:
        str: ``<svg>``.
    """
    x, y = _axes((edges[0], edges[-1]), (0, 1.08 * max(1, *counts)), x_log)
    parts = [f'<rect x="{x.place(left)}" y="{y.place(count)}" width="{max(x.place(right) - x.place(left) - 1, 1):.2f}" '
             f'height="{y.place(0) - y.place(count):.2f}" fill="{COLORS[0]}" fill-opacity="0.7">'
             f'<title>{left:.4g} to {right:.4g}: {count}</title></rect>'
             for left, right, count in zip(edges, edges[1:], counts) if count]
    return _frame(parts, x, y, x_label, y_label, label, {})


def fold_chart(folds, label=''):
    """Accuracy of each fold, a dot a fold and model.

    Args:
        folds (list[dict]): ``model`` and ``values``.
        label (str): What a screen reader says.

    Returns:
        str: ``<svg>``.
    """
    values = [value for row in folds for value in row['values']]
    x, y = _axes((0.3, len(folds[0]['values']) + 0.7), (max(0.0, min(values) - 0.02), min(1.0, max(values)) + 0.01))
    dots = []
    for number, row in enumerate(folds):
        mean, color = sum(row['values']) / len(row['values']), style_of(number)[0]
        aside = 0.6 * ((number + 0.5) / len(folds) - 0.5)  # models that reach the same accuracy stand beside each other
        dots.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y.place(mean)}" y2="{y.place(mean)}" '
                    f'stroke="{color}" stroke-dasharray="4 4" opacity="0.6"/>')
        for fold, value in enumerate(row['values'], 1):
            dots.append(f'<circle cx="{x.place(fold + aside)}" cy="{y.place(value)}" r="4" {dot_look(number)}><title>'
                        f'{escape(row["model"])}, fold {fold}: {value:.4f}</title></circle>')
    samples = {row['model']: dot_sample(number) for number, row in enumerate(folds)} if len(folds) > 1 else {}
    return _frame(dots, x, y, 'fold', 'accuracy', label, samples)


def _legend(samples):
    """Names with their samples under the chart, in two columns or, if they are long, one; and the height they need."""
    columns = 2 if max(map(len, samples), default=0) <= 28 else 1
    width, rows = (WIDTH - LEFT - RIGHT) // columns, []
    for number, (name, sample) in enumerate(samples.items()):
        left, top = LEFT + width * (number % columns), HEIGHT + 20 * (number // columns)
        rows.append(f'<g transform="translate({left} {top})"><title>{escape(name)}</title>{sample}'
                    f'<text x="26" y="10">{escape(_cut(name))}</text></g>')
    return f'<g class="legend">{"".join(rows)}</g>', 20 * math.ceil(len(samples) / columns)


def _cut(name, most=60):
    """A name that fits its line: of a long one, which is a path and its end, the middle is left out."""
    return name if len(name) <= most else f'{name[:most // 2 - 1]}…{name[-most // 2:]}'


def _frame(parts, x, y, x_label, y_label, label, samples):
    """Grid, ticks, labels and legend around the parts."""
    bottom, right, grid = HEIGHT - BOTTOM, WIDTH - RIGHT, []
    for value, text in x.ticks():
        place = x.place(value)
        grid.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{bottom}"/>'
                    f'<text x="{place}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
    for value, text in y.ticks():
        place = y.place(value)
        grid.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{place}" y2="{place}"/>'
                    f'<text x="{LEFT - 8}" y="{place + 4}" text-anchor="end">{text}</text>')
    axes = (f'<text class="axis" x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
            f'{escape(x_label)}</text>'
            f'<text class="axis" transform="translate(16 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
            f'{escape(y_label)}</text>')
    legend, more = _legend(samples)
    return (f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT + more}" role="img" aria-label="{escape(label)}">'
            f'{"".join(grid)}{axes}{"".join(parts)}{legend}</svg>')
