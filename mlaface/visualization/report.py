"""What was seen, written down: a page, a PNG for each face, a PNG of the gates, and JSON."""
from itertools import groupby
from pathlib import Path

import numpy as np

from mlaface.evaluation.report.charts import line_chart
from mlaface.evaluation.report.files import file_name, plain, save_figure
from mlaface.evaluation.report.hardest import picture_url
from mlaface.evaluation.report.page import write_page
from mlaface.evaluation.report.styles import line_look
from mlaface.evaluation.results.result import write_result
from mlaface.visualization.look import numbers_of
from mlaface.visualization.pictures import heat_line, overlay
from mlaface.visualization.sheet import write_sheet

HERE = Path(__file__).parent
POINTS_OF_A_LINE = 65


def write_looks(folder, viewer, looks, model, target, training, notes=()):
    """Write ``attention.html``, ``attention.json``, a PNG a face and, where there are some, ``gates.png``.

    Args:
        folder (str | Path): Where to; it is made.
        viewer (Viewer): That looked.
        looks (list[Look]): What it saw.
        model (dict): Of result JSON: ``name``, ``file``, ``sha256``.
        target (str): What Grad-CAM explains, in words.
        training (dict): From ``look.gates_in_training``.
        notes (Sequence[str]): What is to be said above all.

    Returns:
        Path: The page.
    """
    folder = Path(folder)
    numbers = numbers_of(viewer, looks, training)
    write_result(dict(schema=1, model=model, grad_cam_of=target if viewer.cam else None, notes=list(notes), **numbers),
                 folder / 'attention.json')
    shown = [shown_of(viewer, look) for look in looks]
    for name, look, entry in zip(_files(looks), looks, shown):
        write_sheet(folder / name, look.name, entry)
    if training:
        _write_gates(folder / 'gates.png', training)
    return write_page('attention.html', dict(
        model=model, notes=notes, target=target, gates=numbers['gates'], faces=[_drawn(entry) for entry in shown],
        charts={name: _gate_chart(name, *found) for name, found in training.items()},
        layer=viewer.cam.layer if viewer.cam else None,
        other=picture_url(viewer.other) if viewer.cam and viewer.other is not None else None),
        folder / 'attention.html', HERE)


def shown_of(viewer, look):
    """The pictures of one face.

    Args:
        viewer (Viewer): That looked.
        look (Look): What it saw.

    Returns:
        dict: ``name``, ``face`` (picture), ``cam`` (tile or None), ``rows`` (tiles of self-attention) and ``stages``:
        ``title``, ``tiles`` and ``lines`` (name to weights of channels, the largest first). A tile has ``title``,
        ``picture`` uint8 (3, h, w), ``note``, and one of a stage ``line``, a picture too.
    """
    brightest = max((float(block.channels.max()) for block in look.blocks), default=1.0)
    return dict(
        name=look.name, face=overlay(look.crop, np.zeros((1, 1))), cam=_cam(look),
        rows=[_row(look, *found) for found in viewer.rows(look)],
        stages=[dict(title='Outside the stages' if stage is None else f'Stage {stage}',
                     tiles=[_block(look, block, brightest) for block in blocks],
                     lines={short(block.name): block.channels for block in blocks})
                for stage, found in groupby(look.blocks, lambda block: block.stage) for blocks in [list(found)]])


def short(name):
    """A module's name without the part that is the same for all (str)."""
    return name.removeprefix('backbone.')


def _cam(look):
    if look.cam is None:
        return None
    note = f'cosine {look.cosine:.4f}' if look.cam.any() else f'cosine {look.cosine:.4f}; no place raises it'
    return dict(title='Grad-CAM', picture=overlay(look.crop, look.cam, 0), note=note)


def _row(look, branch, point, place, heads):
    row = heads.mean(0)
    return dict(title=f'{branch.name}, from {point[0]:.0f},{point[1]:.0f}',
                picture=overlay(look.crop, row, 0, mark=place),
                note=f'at most {row.max():.3g}; uniform {1 / row.size:.3g}')


def _block(look, block, brightest):
    low, middle, high = np.quantile(block.channels, (0, 0.5, 1))
    return dict(title=short(block.name), picture=overlay(look.crop, block.places),
                note=f'{block.places.min():.3g} to {block.places.max():.3g}', line=heat_line(block.channels, brightest),
                channels=f'{"gate" if block.gated else "out / in"} {low:.3g}, {middle:.3g}, {high:.3g}')


def _files(looks):
    """A file name for each face, told apart by a number where images have one name."""
    names = []
    for look in looks:
        stem = name = file_name(Path(look.name).stem)
        count = 1
        while f'{name}.png' in (*names, 'gates.png'):
            count += 1
            name = f'{stem}-{count}'
        names.append(f'{name}.png')
    return names


def _drawn(entry):
    """Pictures as addresses, weights of channels as charts."""
    def tile(found):
        urls = {key: picture_url(found[key]) for key in ('picture', 'line') if key in found}
        return {**found, **urls}
    return dict(name=entry['name'], face=picture_url(entry['face']), cam=entry['cam'] and tile(entry['cam']),
                rows=[tile(row) for row in entry['rows']],
                stages=[dict(title=stage['title'], tiles=[tile(found) for found in stage['tiles']],
                             chart=_channel_chart(stage['title'], stage['lines'])) for stage in entry['stages']])


def _channel_chart(title, lines):
    """Weights of a stage's channels, a line a block, the largest first."""
    series = [_sorted_line(name, weights) for name, weights in lines.items()]
    top = max(max(line['y']) for line in series)
    return line_chart(series, 'channels, the largest first (%)', 'lets through', (0, 100), (0, 1.05 * top or 1.0),
                      label=f'{title}: weights of channels')


def _sorted_line(name, weights):
    order = np.argsort(-weights, kind='stable')
    ranks = np.unique(np.linspace(0, len(order) - 1, min(len(order), POINTS_OF_A_LINE)).round().astype(int))
    shares = 100 * ranks / max(len(order) - 1, 1)
    chosen = order[ranks]
    return dict(name=name, x=shares.tolist(), y=weights[chosen].tolist(),
                notes=[f'channel {channel}: {weights[channel]:.4f}' for channel in chosen])


def _gate_chart(name, steps, values):
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 0.01
    return line_chart([dict(name=name, x=steps, y=values, notes=[f'iteration {step}: {value:.4f}'
                                                                for step, value in zip(steps, values)])],
                      'iteration', name, (0, max(steps[-1], 1)), (low - room, high + room), label=name)


def _write_gates(path, training):
    def draw(axes):
        for number, (name, (steps, values)) in enumerate(training.items()):
            axes.plot(steps, values, label=plain(name), **line_look(number))
        axes.legend()
    save_figure(path, draw, 'iteration', 'gate', 'Gates over training')
