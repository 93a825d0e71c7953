"""A forest plot as SVG text: a row for each comparison, its interval beside the line of no difference."""
from html import escape

from mlaface.evaluation.report.axis import Axis
from mlaface.evaluation.report.styles import COLORS

WIDTH, LEFT, RIGHT, TOP, ROW, BOTTOM = 760, 190, 130, 12, 30, 46


def forest_chart(rows, x_label, label=''):
    """Differences with their intervals.

    Args:
        rows (list[dict]): ``name``, ``value``, ``low``, ``high`` (thick), ``low_all``, ``high_all`` (thin, wider) and
            ``text``, which stands at the right. Ends that are NaN or None are not drawn.
        x_label (str): Under the axis.
        label (str): What a screen reader says.

    Returns:
        str: ``<svg>``.
    """
    ends = [row[key] for row in rows for key in ('value', 'low', 'high', 'low_all', 'high_all') if _known(row[key])]
    reach = 1.08 * max([abs(end) for end in ends] + [1e-3])
    bottom = TOP + ROW * len(rows)
    x = Axis(-reach, reach, LEFT, WIDTH - RIGHT)
    parts = []
    for value, text in x.ticks():
        place = x.place(value)
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{TOP}" y2="{bottom}"/>'
                     f'<text x="{place}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
    parts.append(f'<line class="mark" x1="{x.place(0)}" x2="{x.place(0)}" y1="{TOP}" y2="{bottom}"/>')
    parts += [_row(row, x, TOP + ROW * (number + 0.5)) for number, row in enumerate(rows)]
    parts.append(f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{bottom + 38}" text-anchor="middle">'
                 f'{escape(x_label)}</text>')
    return (f'<svg class="chart forest" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img" '
            f'aria-label="{escape(label)}">{"".join(parts)}</svg>')


def _known(value):
    return value is not None and value == value


def _row(row, x, y):
    """A row's name, its two intervals, its dot, and its text."""
    color, lines = COLORS[0], []
    for low, high, width in ((row['low_all'], row['high_all'], 1.5), (row['low'], row['high'], 5)):
        if _known(low) and _known(high):
            lines.append(f'<line x1="{x.place(low)}" x2="{x.place(high)}" y1="{y}" y2="{y}" stroke="{color}" '
                         f'stroke-width="{width}" stroke-opacity="{1 if width < 2 else 0.45}"/>')
    name = row['name'] if len(row['name']) <= 26 else f'{row["name"][:25]}…'
    return (f'<g class="comparison"><title>{escape(row["name"])}: {escape(row["text"])}</title>{"".join(lines)}'
            f'<circle cx="{x.place(row["value"])}" cy="{y}" r="4.5" fill="{color}"/>'
            f'<text class="label" x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<text x="{WIDTH - RIGHT + 10}" y="{y + 4}">{escape(row["text"])}</text></g>')
