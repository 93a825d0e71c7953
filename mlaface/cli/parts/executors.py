"""``--executor``, alike in every command whose work can be cut into pieces."""
import os
import re
from argparse import Namespace

from mlaface.cli.parts.arguments import count
from mlaface.cli.parts.progress import bar
from mlaface.utils.errors import InputError


def add_executor(parser):
    """Add where pieces run, and how large they are."""
    group = parser.add_argument_group('more than one process', 'The same bytes come out, wherever the pieces run.\n'
                                      'Inputs and results lie on a file system that all nodes share (docs/data.md).')
    group.add_argument('--executor', metavar='NAME', help='local: processes of this machine; ray: a Ray cluster that '
                       'runs; slurm: an array of jobs; or one of your own (default: threads of this process)')
    group.add_argument('--executor-options', nargs='+', default=(), metavar='KEY=VALUE', help='local: processes=N '
                       'threads=N; ray: address=HOST:PORT cpus=N gpus=N retries=N; slurm: partition=P tasks=N cpus=N '
                       'time=H:MM:SS gres=gpu:1 account=A')
    group.add_argument('--piece-size', type=count, default=4096, metavar='N', help='images of a piece, which is made '
                       'again as a whole if its node dies (default: 4096)')


class Spread:
    """Pieces that an executor makes.

    Args:
        executor (Executor): Where.
        size (int): Images of a piece.
    """

    def __init__(self, executor, size):
        self.executor, self.size = executor, size

    def run(self, job, what):
        """Run a job with a progress bar over its pieces; the job."""
        with bar(what, len(job.pieces)) as advance:
            job.run(self.executor, advance)
        return job


def spread_of(args):
    """What the arguments say of pieces.

    Returns:
        Spread: Or None, where no executor is asked for.

    Raises:
        UserError: If there is no such executor, or it has no such option or value of one.
    """
    if args.executor is None:
        if args.executor_options:
            raise InputError('--executor-options are of an executor: name it by --executor')
        return None
    from mlaface.registry import EXECUTORS
    from mlaface.utils.imports import import_modules
    import_modules(getattr(args, 'imports', ()))
    return Spread(EXECUTORS.build(dict(type=args.executor, **_options(args.executor_options))), args.piece_size)


def _options(texts):
    """``KEY=VALUE`` texts as a dict; numbers as such."""
    found = {}
    for text in texts:
        key, equals, value = text.partition('=')
        if not equals or not key.isidentifier() or not value:
            raise InputError(f'--executor-options {text}: it is written KEY=VALUE, as processes=2')
        number = re.fullmatch(r'-?\d+(\.\d+)?', value)
        found[key] = value if number is None else float(value) if number[1] else int(value)
    return found


def portable(args, *paths):
    """Arguments as plain values that hold on every node.

    Args:
        args (Namespace): Of a command.
        paths (str): Names of those that may be files, whose paths become absolute.

    Returns:
        dict: For ``as_arguments``.
    """
    found = {key: value for key, value in vars(args).items() if not key.startswith('executor')}
    for key in paths:
        if found.get(key) and os.path.exists(found[key]):
            found[key] = os.path.abspath(found[key])
    return found


def as_arguments(values):
    """Arguments of ``portable`` again (Namespace)."""
    return Namespace(**values)
