"""Charts as SVG text: lines on linear or logarithmic axes, bars, dots. Points carry their numbers for hovering."""
import json
import math
from html import escape

COLORS = ('#2563eb', '#ea580c', '#059669', '#9333ea', '#dc2626', '#0891b2', '#a16207', '#475569')
WIDTH, HEIGHT = 520, 340
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 16, 50


class Axis:
    """Numbers to places along one direction.

    Args:
        low (float): Number at ``first``.
        high (float): Number at ``last``.
        first (float): Place of ``low``, in pixels.
        last (float): Place of ``high``, in pixels.
        log (bool): Logarithmic; then both ends are above zero, and smaller numbers stand at ``low``.
    """

    def __init__(self, low, high, first, last, log=False):
        self.log, self.low, self.high, self.first, self.last = log, low, high, first, last

    def place(self, value):
        """The pixel of a number, kept inside the chart."""
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return round(self.first + (value - low) / (high - low) * (self.last - self.first), 2)

    def ticks(self):
        """Numbers to mark, with their labels."""
        if self.log:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [(10.0 ** power, '1' if power == 0 else f'1e{power}') for power in powers]
        step = _nice_step((self.high - self.low) / 6)
        count = math.floor((self.high - math.ceil(self.low / step - 1e-9) * step) / step + 1e-9)
        start = math.ceil(self.low / step - 1e-9)
        return [((start + k) * step, f'{(start + k) * step:.4g}') for k in range(count + 1)]


def _nice_step(rough):
    """The next of 1, 2, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def line_chart(series, x_label, y_label, x_range, y_range, x_log=False, y_log=False, label=''):
    """Curves of one or several models.

    Args:
        series (list[dict]): ``name``, ``x``, ``y``; for hovering ``notes`` (str a point); ``color``, if it is to be
            the same in several charts. Lines of one name share a colour.
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
    colors = series_colors(series)
    body = [_curve(line, x, y, colors[line['name']]) for line in series]
    return _frame(body, x, y, x_label, y_label, label, colors if len(colors) > 1 or 'color' in series[0] else {})


def series_colors(series):
    """Name of a series to its colour, in the order of the names."""
    colors = {}
    for line in series:
        colors.setdefault(line['name'], line.get('color', COLORS[len(colors) % len(COLORS)]))
    return colors


def _axes(x_range, y_range, x_log=False, y_log=False):
    return (Axis(*x_range, LEFT, WIDTH - RIGHT, x_log), Axis(*y_range, HEIGHT - BOTTOM, TOP, y_log))


def _curve(line, x, y, color):
    points = [(x.place(a), y.place(b)) for a, b in zip(line['x'], line['y'])]
    notes = line.get('notes') or [f'{a:.4g}, {b:.4g}' for a, b in zip(line['x'], line['y'])]
    hover = json.dumps([[*point, note] for point, note in zip(points, notes)], separators=(',', ':'))
    path = ' '.join(f'{a},{b}' for a, b in points)
    return (f'<polyline class="curve" points="{path}" fill="none" stroke="{color}" stroke-width="2" '
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
                  {words['same']: COLORS[0], words['different']: COLORS[1]})


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
        mean, color = sum(row['values']) / len(row['values']), COLORS[number % len(COLORS)]
        aside = 0.6 * ((number + 0.5) / len(folds) - 0.5)  # models that reach the same accuracy stand beside each other
        dots.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y.place(mean)}" y2="{y.place(mean)}" '
                    f'stroke="{color}" stroke-dasharray="4 4" opacity="0.6"/>')
        for fold, value in enumerate(row['values'], 1):
            dots.append(f'<circle cx="{x.place(fold + aside)}" cy="{y.place(value)}" r="5" fill="{color}"><title>'
                        f'{escape(row["model"])}, fold {fold}: {value:.4f}</title></circle>')
    colors = series_colors([dict(name=row['model']) for row in folds])
    return _frame(dots, x, y, 'fold', 'accuracy', label, colors if len(colors) > 1 else {})


def _legend(colors):
    """Names with their colours under the chart, in two columns; and the height they need."""
    width, rows = (WIDTH - LEFT - RIGHT) // 2, []
    for number, (name, color) in enumerate(colors.items()):
        left, top = LEFT + width * (number % 2), HEIGHT + 20 * (number // 2)
        rows.append(f'<rect x="{left}" y="{top}" width="12" height="12" rx="2" '
                    f'fill="{color}"/>'
                    f'<text x="{left + 18}" y="{top + 10}">{escape(_cut(name))}</text>')
    return f'<g class="legend">{"".join(rows)}</g>', 20 * math.ceil(len(colors) / 2)


def _cut(name):
    """A name that fits its column; of a long one, which is a path more often than not, its end."""
    return name if len(name) <= 30 else '…' + name[-29:]


def _frame(parts, x, y, x_label, y_label, label, colors):
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
    legend, more = _legend(colors)
    return (f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT + more}" role="img" aria-label="{escape(label)}">'
            f'{"".join(grid)}{axes}{"".join(parts)}{legend}</svg>')
