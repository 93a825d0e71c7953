"""The pictures of one face on a sheet."""
import numpy as np

from mlaface.evaluation.report.files import plain
from mlaface.evaluation.report.styles import line_look
from mlaface.utils.files import atomic_path

COLUMNS, DPI = 6, 110
TILE, BESIDE, BETWEEN, ABOVE = 1.5, 0.16, 0.46, 0.5  # inches


def write_sheet(path, title, entry):
    """Write a face's pictures as PNG: Grad-CAM and self-attention above, the stages below.

    Args:
        path (Path): The file.
        title (str): Above all.
        entry (dict): From ``report.shown_of``.

    Returns:
        Path: ``path``.
    """
    from matplotlib.figure import Figure
    first = [dict(title='the face', picture=entry['face'], note=''), *([entry['cam']] if entry['cam'] else []),
             *entry['rows']]
    rows = _wrapped(first)
    for number, stage in enumerate(entry['stages']):
        tiles = [*stage['tiles'], stage]  # the stage itself: its channels
        if number and len(rows[-1]) + len(tiles) <= COLUMNS:
            rows[-1] += tiles
        else:
            rows += _wrapped(tiles)
    columns = max(map(len, rows))
    width, height = (TILE + BESIDE) * columns + BESIDE, (TILE + BETWEEN) * len(rows) + ABOVE
    figure = Figure(figsize=(width, height), dpi=DPI)  # placed by inches: a layout that is sought takes seconds
    figure.text(BESIDE / width, 1 - BESIDE / height, plain(title), fontsize=8, va='top')
    grid = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw=dict(
        left=BESIDE / width, right=1 - BESIDE / width, wspace=BESIDE / TILE, top=1 - ABOVE / height,
        bottom=BETWEEN / height, hspace=BETWEEN / TILE))
    for line, axes in zip(rows, grid):
        for number, place in enumerate(axes):
            if number >= len(line):
                place.set_axis_off()
            elif 'lines' in line[number]:
                _channels(place, line[number])
            else:
                _picture(place, line[number])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format='png')
    return path


def _wrapped(tiles):
    return [tiles[start:start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]


def _picture(axes, tile):
    axes.imshow(tile['picture'].transpose(1, 2, 0))
    axes.set_title(plain(tile['title']), fontsize=6.5, pad=3)
    axes.set_xlabel(tile['note'], fontsize=6.5, labelpad=3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _channels(axes, stage):
    for number, weights in enumerate(stage['lines'].values()):
        axes.plot(np.linspace(0, 100, len(weights)), np.sort(weights)[::-1], linewidth=1, **line_look(number))
    axes.set_title(f'{stage["title"]}: channels', fontsize=6.5, pad=3)
    axes.set_xlabel('the largest first (%)', fontsize=6.5, labelpad=1)
    axes.tick_params(labelsize=6, pad=1, length=2)
    left, bottom, width, height = axes.get_position().bounds
    axes.set_position((left + 0.14 * width, bottom, 0.86 * width, height))  # room for the numbers of the axis
    axes.set_ylim(0)
    axes.spines[['top', 'right']].set_visible(False)
