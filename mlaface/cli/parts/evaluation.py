"""The work of ``mlaface test``: find the data, open the model, evaluate, show, write."""
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from mlaface.apis.networks import open_network
from mlaface.cli.parts.device import choose_device
from mlaface.cli.parts.evaluation_data import find_suite, given_input, split_paths
from mlaface.cli.parts.evaluation_warnings import warn_of_colors, warn_of_images, warn_of_lists
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.protocol_options import given_options
from mlaface.engine.distributed import join_ranks, leave_ranks, state_ranks
from mlaface.evaluation.embeddings.saved import check_savable, save_embeddings
from mlaface.evaluation.evaluate import evaluate
from mlaface.evaluation.results.certainty import compare_samples
from mlaface.evaluation.results.result import model_names, write_result
from mlaface.evaluation.results.tables import benchmark_table, comparison_table
from mlaface.utils.errors import InputError


def run(args):
    """Evaluate as ``cli.test``'s arguments say.

    Args:
        args (Namespace): Of ``cli.test``.

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
    if args.save_embeddings and Path(args.save_embeddings).suffix != '.npz':
        raise InputError(f'--save-embeddings {args.save_embeddings}: name a file .npz')
    console, device = Console(stderr=True), choose_device(args.device)
    config, model, stated = split_paths(args)
    suite = find_suite(args, config, model)
    if args.save_embeddings:
        check_savable(suite)
    options = given_options(args)
    network = None if model is None else open_network(model, config, device, {**stated, **given_input(args)})
    against = [open_network(other, None, device) for other in args.against]
    first = _evaluate(network, suite, options, args, device)
    others = [_evaluate(other, suite, options, args, device) for other in against]
    pairs = dict(sample=400, all=None)
    for tried, evaluation in zip([network, *against], [first, *others]):
        if tried is not None and args.check_input != 'off':
            warn_of_colors(tried, evaluation, pairs[args.check_input], args.batch_size, console)
    warn_of_images(suite, console)
    warn_of_lists(first, console)
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
    state_ranks(launcher)
    if torch.cuda.is_available():
        from mmengine.dist import init_dist
        init_dist(launcher, backend='nccl')
    else:
        join_ranks('gloo')


def _is_first_rank():
    from mmengine import dist
    return dist.get_rank() == 0


def _evaluate(network, suite, options, args, device):
    with bar('embedding', len(suite.distinct), hidden=not _is_first_rank()) as advance:
        return evaluate(network, suite, options, args.bootstrap or 0, args.seed or 0, args.batch_size, args.workers,
                        device, advance)


def compare(first, second, args):
    """The paired comparison of two evaluations, by benchmark."""
    model = {key: second.result['model'][key] for key in ('file', 'sha256', 'name')}
    model.update({key: second.result[key] for key in ('input_check',) if key in second.result})
    found = {name: compare_samples(first.sample(name), second.sample(name), args.bootstrap or 1000, args.seed or 0)
             for name in first.benchmarks if first.sample(name) is not None}
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
