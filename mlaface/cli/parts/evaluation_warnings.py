"""What a person should know about numbers that were measured, and would not see in them."""
from mmengine import dist
from rich.markup import escape

from mlaface.evaluation.networks.color_check import check_colors


def warn(console, text):
    """Print a warning, on one rank."""
    if dist.get_rank() == 0:
        console.print('[bold yellow]warning:[/]', escape(text), highlight=False)


def warn_of_colors(network, evaluation, pairs, batch_size, console):
    """Try swapped channels on a model's first benchmark, note it in the result, and warn if they do better.

    Args:
        network (Network): The model.
        evaluation (Evaluation): Of it; its result gets ``input_check``.
        pairs (int or None): How many pairs of images are tried; None is all.
        batch_size (int): Images of a forward pass.
        console (Console): Where to.
    """
    name = next(iter(evaluation.benchmarks))
    found = check_colors(network, evaluation, name, pairs, batch_size)
    if found is None:
        return
    evaluation.result['input_check'] = dict(benchmark=name, pairs=found.pairs, auc=found.auc,
                                            auc_swapped=found.swapped, better_swapped=found.better_swapped)
    if found.better_swapped:
        other = 'BGR' if network.describe()['input']['color'] == 'RGB' else 'RGB'
        advice = f'Try --color {other}' if hasattr(network, 'format') else 'See the colours of its training images'
        warn(console, f'{network.path}: with red and blue swapped the AUC on {found.pairs} pairs of {name} rises from '
             f'{found.auc:.4f} to {found.swapped:.4f}: the model probably wants {other}. {advice}; mlaface doctor '
             'tries more')


def warn_of_images(suite, console):
    """Say so if images were scaled to size instead of aligned."""
    scaled = getattr(suite.images, 'scaled', None)
    if scaled is not None:
        name, height, width = scaled
        warn(console, f'{name} is {height} x {width}: images of this set were scaled, not aligned. Numbers of '
             'published networks hold for faces aligned to 112 x 112 by five points')


def warn_of_lists(evaluation, console):
    """Say so if a list names pairs twice, or is not the whole one that its owners publish."""
    for name, entry in evaluation.entries.items():
        doubled = entry['counts'].get('duplicate_pairs')
        if doubled:
            warn(console, f'{name}: {doubled:,} pairs are listed again, and count as often as they are listed')
        published = evaluation.suite.published.get(name, {})
        other = next((key for key, count in published.items() if entry['counts'].get(key, count) != count), None)
        if other is not None:
            warn(console, f'{name} has {entry["counts"][other]:,} {other}, and {published[other]:,} are published: its '
                 'numbers are not those of the benchmark')
