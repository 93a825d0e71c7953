"""The work of ``tools/test.py``: find the data, open the model, evaluate, show, write."""
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mlaface.cli.evaluated import find_suite, given_input, split_paths
from mlaface.cli.models import choose_device, open_network
from mlaface.engine.distributed import join_ranks, leave_ranks
from mlaface.evaluation.certainty import compare_samples
from mlaface.evaluation.embeddings_file import check_savable, save_embeddings
from mlaface.evaluation.input_check import check_colors
from mlaface.evaluation.result import model_names, write_result
from mlaface.evaluation.run import evaluate
from mlaface.evaluation.tables import benchmark_table, comparison_table

RULES = ('flip', 'norm', 'distance', 'quality', 'far_rule', 'compat', 'bootstrap', 'seed', 'search')


def run(args):
    """Evaluate as ``cli.test``'s arguments say.

    Args:
        args (Namespace): From ``cli.test.make_parser``.

    Returns:
        dict: Result JSON.

    Raises:
        FileNotFoundError, ValueError: If input is missing or does not fit; nothing has been computed then.
    """
    _start_ranks(args.launcher)
    try:
        result = _run(args)
    except BaseException:
        leave_ranks(wait=False)  # a group that is left open aborts the process when it ends
        raise
    leave_ranks()
    return result


def _run(args):
    console, device = Console(stderr=True), choose_device(args.device)
    config, model, stated = split_paths(args)
    suite = find_suite(args, config, model)
    if args.save_embeddings:
        check_savable(suite)
    options = {key: getattr(args, key) for key in RULES if getattr(args, key) is not None}
    network = None if model is None else open_network(model, config, device, {**stated, **given_input(args)})
    against = [open_network(other, None, device) for other in args.against]
    first = _evaluate(network, suite, options, args, device, console)
    others = [_evaluate(other, suite, options, args, device, console) for other in against]
    for tried, evaluation in zip([network, *against], [first, *others]):
        if tried is not None and args.check_input != 'off':
            warn_about_colors(tried, evaluation, args, console)
    warn_about_scaling(suite, console)
    if others:
        first.result['comparisons'] = [compare(first, other, args) for other in others]
    if _is_first_rank():
        finish([first, *others], args)
    return first.result


def _start_ranks(launcher):
    """Join the other ranks; without a GPU by gloo, since MMEngine's own way sets a CUDA device first."""
    if launcher == 'none':
        return
    import torch
    if torch.cuda.is_available():
        from mmengine.dist import init_dist
        init_dist(launcher, backend='nccl')
    elif launcher == 'pytorch':
        join_ranks('gloo')
    else:
        raise ValueError(f'--launcher {launcher} needs a GPU on each rank; without one use tools/dist_test.sh')


def _is_first_rank():
    from mmengine import dist
    return dist.get_rank() == 0


def _evaluate(network, suite, options, args, device, console):
    columns = TextColumn('{task.description}'), BarColumn(), TextColumn('{task.completed}/{task.total} images'), \
        TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not _is_first_rank()) as bar:
        task = bar.add_task('embedding', total=len(suite.distinct))
        return evaluate(network, suite, options, args.batch_size, args.workers, device,
                        lambda images: bar.advance(task, images))


def warn_about_colors(network, evaluation, args, console):
    """Try swapped channels on a model's first benchmark, note it in the result, and warn if they do better."""
    name = next(iter(evaluation.suite.benchmarks))
    found = check_colors(network, evaluation.suite, name, evaluation.part(name)[0],
                         400 if args.check_input == 'sample' else None, args.batch_size)
    if found is None:
        return
    evaluation.result['input_check'] = dict(benchmark=name, pairs=found.pairs, auc=found.auc,
                                            auc_swapped=found.swapped, better_swapped=found.better_swapped)
    if found.better_swapped and _is_first_rank():
        other = 'BGR' if network.describe()['input']['color'] == 'RGB' else 'RGB'
        advice = f'Try --color {other}' if hasattr(network, 'format') else 'See the colours of its training images'
        console.print('[bold yellow]warning:[/]', escape(f'{network.path}: with red and blue swapped the AUC on '
                      f'{found.pairs} pairs of {name} rises from {found.auc:.4f} to {found.swapped:.4f}: the model '
                      f'probably wants {other}. {advice}'))


def warn_about_scaling(suite, console):
    """Say so if images were scaled to size instead of aligned."""
    scaled = getattr(suite.images, 'scaled', None)
    if scaled is not None and _is_first_rank():
        name, height, width = scaled
        console.print(f'[bold yellow]warning:[/] {escape(str(name))} is {height} x {width}: images of this set were '
                      'scaled, not aligned. Numbers of published networks hold for faces aligned to 112 x 112 by '
                      'five points',
                      highlight=False)


def compare(first, second, args):
    """The paired comparison of two evaluations, by benchmark."""
    model = {key: second.result['model'][key] for key in ('file', 'sha256', 'name')}
    model.update({key: second.result[key] for key in ('input_check',) if key in second.result})
    found = {name: compare_samples(first.sample(name), second.sample(name), args.bootstrap or 1000, args.seed or 0)
             for name in first.suite.benchmarks}
    return dict(**model, benchmarks=found)


def finish(evaluations, args):
    """Show the numbers and write what was asked for."""
    console, first = Console(), evaluations[0]
    names = model_names([evaluation.result['model'] for evaluation in evaluations])
    for name, evaluation in zip(names, evaluations):
        console.print(benchmark_table(evaluation.result, name))
    for name, comparison in zip(names[1:], first.result.get('comparisons', ())):
        console.print(comparison_table(comparison, names[0], name))
    if args.out:
        write_result(first.result, args.out)
        console.print('result:', escape(args.out))
    if args.save_embeddings:
        save_embeddings(first, args.save_embeddings)
    if args.report:
        from mlaface.evaluation.report.page import write_report
        console.print('report:', escape(str(write_report(evaluations, args.report, args.show_hardest))))
