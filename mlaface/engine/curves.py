"""A run as a picture."""
PANELS = (('loss', lambda name: name.startswith('train/') and 'loss' in name),
          ('learning rate', lambda name: name.startswith('train/lr')),
          ('gates', lambda name: name.startswith('train/') and 'gate' in name),
          ('validation', lambda name: name.startswith('val/') and 'accuracy' in name),
          ('gradient norm', lambda name: name == 'train/grad_norm'),
          ('images/s', lambda name: name == 'train/images_per_second'))


def draw_curves(scalars, path, title=''):
    """Draw loss, learning rate, gates, accuracies, gradient norm and speed by iteration.

    Args:
        scalars (dict): Name -> (iterations, values), names such as ``train/loss`` and ``val/lfw/accuracy``.
        path (str | Path): PNG to write.
        title (str): Above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    panels = [(label, names) for label, fits in PANELS if (names := [name for name in scalars if fits(name)])]
    rows = max(1, -(-len(panels) // 2))
    figure = Figure(figsize=(11, 3.2 * rows))
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    for place, (label, names) in enumerate(panels):
        axes = figure.add_subplot(rows, 2, place + 1)
        _draw_panel(axes, label, {name: scalars[name] for name in names})
    figure.subplots_adjust(left=0.06, right=0.98, top=1 - 0.25 / rows, bottom=0.18 / rows, hspace=0.45, wspace=0.15)
    figure.savefig(path, format='png', dpi=110)


def _draw_panel(axes, label, curves):
    for name, (steps, values) in curves.items():
        few = len(steps) < 30
        short = name.partition('/')[2].removesuffix('/accuracy')
        axes.plot(steps, values, marker='.' if few else None, linewidth=1.2, label=short)
    axes.set(title=label, xlabel='iteration')
    axes.grid(alpha=0.3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if len(curves) > 1:
        axes.legend(fontsize='small', ncols=1 if len(curves) < 5 else 2)
