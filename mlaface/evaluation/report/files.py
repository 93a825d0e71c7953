"""Charts as PNG and tables as CSV files."""
import csv
import re

from mlaface.utils.files import atomic_path


def write_csv(path, header, rows):
    """Write a table, whole or not at all.

    Args:
        path (Path): The file.
        header (sequence of str): Names of the columns.
        rows (iterable of sequence): The lines.

    Returns:
        Path: ``path``.
    """
    with atomic_path(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def save_figure(path, draw, x_label, y_label, title, height=4.2):
    """Write one chart as PNG.

    Args:
        path (Path): The file.
        draw (callable): Given matplotlib's axes.
        x_label, y_label, title (str): What stands around it.
        height (float): In inches, of 6 of width. Default 4.2.

    Returns:
        Path: ``path``.
    """
    from matplotlib.figure import Figure
    figure = Figure(figsize=(6, height), dpi=150, layout='constrained')
    axes = figure.subplots()
    draw(axes)
    axes.set(xlabel=x_label, ylabel=y_label, title=plain(title))
    axes.grid(True, color='#e2e8f0')
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png')
    return path


def file_name(text):
    """A name that is safe as part of a file's: neither folders nor blanks."""
    return re.sub(r'[^\w.-]+', '_', text).strip('._') or 'unnamed'


def plain(text):
    """A name as matplotlib shows it letter by letter: no formula, and not left out of a legend for its underscore."""
    text = text.replace('$', r'\$')
    return f' {text}' if text.startswith('_') else text
