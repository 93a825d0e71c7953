"""Make a benchmark of pairs from a set of identities: folds of disjoint people, groups balanced.

Images are decoded first: those that cannot be read, or have another size, stand in no pair, and exclude.txt lists them.

Examples:
  mlaface data pairs my_faces --out my_pairs                        my_pairs/my_faces.bin
  mlaface data pairs my_faces --out my_lfw --layout lfw             pairs.txt and images/NAME/NAME_0001.jpg
  mlaface data pairs my_faces --out my_rfw --groups groups.tsv      a .bin for each group
"""
from contextlib import ExitStack
from pathlib import Path

from mlaface.cli.parts.arguments import command, count, count_from_zero, report_folder
from mlaface.cli.parts.data_sets import (
    SET_HELP,
    add_image_size,
    add_root,
    add_work,
    looked_at,
    open_labelled,
    roots_of,
)
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.summaries import add_json, conclude
from mlaface.utils.errors import InputError

READ = 10  # folds that a .bin is read in, which does not state them


def make_parser():
    """The command's arguments."""
    parser = command('data pairs', __doc__)
    parser.add_argument('set', help=SET_HELP)
    parser.add_argument('--out', required=True, type=report_folder, metavar='DIR',
                        help='gets the benchmark, exclude.txt and summary.json')
    parser.add_argument('--pairs', type=count, default=6000, metavar='N', help='in all (default: 6000)')
    parser.add_argument('--folds', type=count, default=READ, metavar='N',
                        help=f'default: {READ}; lfw states another number, a .bin does not')
    parser.add_argument('--groups', metavar='FILE', help='lines IDENTITY<tab>GROUP, a file or its address: as many '
                        'pairs of each group, and none across')
    parser.add_argument('--layout', choices=('bin', 'lfw'), default='bin', help='default: bin')
    parser.add_argument('--name', help="of the .bin (default: the set's)")
    parser.add_argument('--seed', type=count_from_zero, default=0, help='default: 0')
    add_image_size(parser)
    add_root(parser)
    add_work(parser)
    add_json(parser)
    return parser


def main(argv=None):
    """Draw pairs as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    from mlaface.datasets.key_lists import stamped, write_keys
    from mlaface.datasets.prepare.pairs import draw_folds, pairs_each, read_groups, write_bins, write_lfw
    from mlaface.utils.files import held
    out = Path(args.out).absolute()
    busy = f'{out} is being made by another process: wait for it, or give another name'
    lock = out.with_name(f'.{out.name}.lock')
    with explained(), held(lock, busy), ExitStack() as last:
        last.callback(lock.unlink, missing_ok=True)
        if args.name and ('/' in args.name or args.name in ('.', '..')):
            raise InputError(f'--name {args.name}: the .bin lies in --out, so that its name has no /')
        dataset = open_labelled(args.set, *roots_of(args, args.set))
        groups = read_groups(args.groups, dataset.metainfo['classes']) if args.groups else None
        pairs_each(args.pairs, args.folds, groups)  # refused before all images are read
        found = looked_at(args.set, dataset, args)
        drawn = draw_folds(dataset.labels, args.pairs, args.folds, groups, args.seed, found.good)
        if args.layout == 'lfw':
            files = [write_lfw(drawn, dataset, args.out, args.folds)]
        else:
            files = write_bins(drawn, dataset, args.out, args.name or Path(args.set).stem)
        exclude = Path(args.out, 'exclude.txt')
        write_keys(exclude, [(dataset.key(row), fault) for row, fault in found.faults.items()],
                   stamped(f'images of {args.set} that stand in no pair, since they cannot be used', args.set, dataset))
        names, totals = sorted(set(drawn.group.tolist())), len(drawn.issame)
        summary = dict(
            schema=1, command='data pairs', set=args.set, seed=args.seed, folds=args.folds, pairs=totals,
            positives=int(drawn.issame.sum()), images=len(set(drawn.pairs.ravel().tolist())),
            people=len(set(dataset.labels[drawn.pairs.ravel()].tolist())),
            groups={name: int((drawn.group == name).sum()) for name in names if name}, files=list(map(str, files)),
            exclude=str(exclude), **found.counts)
        asked = '' if totals == args.pairs else (f' ({args.pairs} were asked for; each fold, and group, has as many of '
                                                 'one person as of two)')
        untold = [] if args.layout == 'lfw' or args.folds == READ else [
            f'a .bin does not state its folds and is read in {READ}: evaluate it by a config with '
            f"dict(type='VerificationSets', folds={args.folds}, ...), or write --layout lfw"]
        conclude(args, args.out, summary, f'{totals} pairs{asked} in {args.folds} folds of disjoint people: '
                 f'{", ".join(map(str, files))}', *(f'{line}: {exclude}' for line in found.words), *untold)
