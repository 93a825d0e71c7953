"""What ``data pack``, ``unpack`` and ``convert`` share: options, progress, and what is printed."""
from functools import partial

from mlaface.cli.parts.arguments import count, count_from_zero, local_place
from mlaface.cli.parts.data_sets import SET_HELP, add_root, roots_of
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.progress import bars
from mlaface.cli.parts.steps import resumed
from mlaface.cli.parts.summaries import add_json, tell
from mlaface.utils.errors import InputError

STATUS = """Killed, or on a full disk, it goes on where it was when the same command is given again, and the result is
the same to the byte. Images that cannot be used are left out and named in left_out.txt, with the reason.

exit status: 0, or 1 if an image was left out
"""


def add_options(parser):
    """Add the options that all three take."""
    parser.add_argument('source', metavar='SET', help=SET_HELP)
    parser.add_argument('out', type=local_place, metavar='OUT', help='where to; must not be there')
    parser.add_argument('--exclude', nargs='+', default=(), metavar='LIST', help='lists of images to leave out, a key '
                        'a line; files, or addresses in stores')
    add_root(parser)
    parser.add_argument('--workers', type=count, metavar='N', help='threads that read and check (default: one a '
                        'processor; with --executor one a process)')
    parser.add_argument('--no-decode', action='store_true', help='copy images without looking whether they are whole')
    add_json(parser)
    add_executor(parser)


def add_order(parser):
    """Add the options of sets that are read in order."""
    parser.add_argument('--shuffle', type=count_from_zero, metavar='SEED', help='in a random order of this seed '
                        '(default: class by class)')
    parser.add_argument('--shard-size', type=count, metavar='MB', help='of a tar shard (default: 256)')


def run(args, layout, rules, prepare=None):
    """Convert with a progress bar and print the summary.

    Args:
        args (Namespace): Of the options above.
        layout (str): See ``archives.convert``.
        rules (Rules): What an image must be.
        prepare (callable, optional): See ``convert``; is told the ``Spread``, or None, as well.

    Returns:
        int: The exit status.
    """
    from mlaface.datasets.archives.convert import convert
    size = getattr(args, 'shard_size', None)
    target = dict(shard_size=size << 20) if size and layout == 'tar' else {}
    with explained():
        if size and layout != 'tar':
            raise InputError(f'--shard-size would do nothing: it is of tar shards, and {args.out} is to be {layout}')
        if layout == 'bin' and not args.out.endswith('.bin'):
            raise InputError(f'{args.out}: a benchmark of pairs is a file: call it {args.out}.bin')
        roots_of(args, *([] if prepare else [args.source]))
        spread = spread_of(args)
    with explained(), bars() as begin:
        pieces = dict(executor=spread.executor, piece_size=spread.size,
                      watch_pieces=partial(begin, 'reading pieces')) if spread else {}
        summary = convert(args.source, args.out, layout, rules._replace(decode=not args.no_decode),
                          shuffle=getattr(args, 'shuffle', None), exclude=args.exclude, options=target, root=args.root,
                          workers=args.workers, watch=lambda total: resumed(
                              args.out, total, begin('writing', total).reach),
                          prepare=prepare and partial(prepare, spread=spread), **pieces)
    tell(args, summary, *described(summary, args.out))
    return int(bool(summary['left_out']))


def described(summary, out):
    """A summary in lines (Iterator[str])."""
    yield (f'{out}: {summary["images"]} images of {summary["classes"]} classes as {summary["layout"]}, '
           f'{summary["images_per_second"]:.0f} images/s')
    if summary['empty_classes']:
        yield f'{summary["empty_classes"]} classes have no image'
    if summary['left_out']:
        reasons = ', '.join(f'{number} {reason}' for reason, number in summary['left_out'].items())
        count = sum(summary['left_out'].values())
        yield (f'{count} image{" was" if count == 1 else "s were"} left out ({reasons}); left_out.txt names '
               f'{"it" if count == 1 else "them"}')
