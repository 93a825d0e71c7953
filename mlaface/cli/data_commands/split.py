"""Deal the identities of a set to training, validation and test: nobody stands in two of them.

Writes for each part NAME.txt, its images, and exclude_NAME.txt, all others, as training takes it: exclude=FILE.
Images are decoded first: those that cannot be read, or have another size, are in no part, and in all exclude lists.

Examples:
  mlaface data split my_faces --out parts                           90, 5 and 5% of the people
  mlaface data split my_faces --out parts --shares train=0.8,test=0.2 --seed 1
"""
from pathlib import Path

from mlaface.cli.parts.arguments import command, count_from_zero, report_folder
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


def make_parser():
    """The command's arguments."""
    parser = command('data split', __doc__)
    parser.add_argument('set', help=SET_HELP)
    parser.add_argument('--out', required=True, type=report_folder, metavar='DIR',
                        help='gets the lists and summary.json')
    parser.add_argument('--shares', default='train=0.9,val=0.05,test=0.05', metavar='NAME=SHARE,...',
                        help='of the identities (default: %(default)s)')
    parser.add_argument('--groups', metavar='FILE', help='lines IDENTITY<tab>GROUP, a file or its address: each '
                        'group is dealt by itself')
    parser.add_argument('--seed', type=count_from_zero, default=0, help='default: 0')
    add_image_size(parser)
    add_root(parser)
    add_work(parser)
    add_json(parser)
    return parser


def main(argv=None):
    """Deal as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    import numpy as np

    from mlaface.datasets.key_lists import stamped, write_keys
    from mlaface.datasets.prepare.pairs import read_groups
    from mlaface.datasets.prepare.split import check_shares, refuse_another_split, split_identities
    with explained():
        check_shares(shares := read_shares(args.shares))  # refused before all images are read
        dataset = open_labelled(args.set, *roots_of(args, args.set))
        classes, labels = dataset.metainfo['classes'], np.asarray(dataset.labels)
        groups = read_groups(args.groups, classes) if args.groups else None
        remarks = {name: f'{name} of {args.set}: seed {args.seed}, shares {args.shares}' for name in shares}
        refuse_another_split(args.out, remarks)
        found = looked_at(args.set, dataset, args)
        parts = split_identities(classes, labels[found.good], shares, args.seed, groups)
        summary = dict(schema=1, command='data split', set=args.set, seed=args.seed, parts={}, **found.counts)
        for name, members in parts.items():
            inside, remark = found.good & np.isin(labels, members), remarks[name]
            write_keys(Path(args.out, f'{name}.txt'), map(dataset.key, np.flatnonzero(inside).tolist()),
                       stamped(remark, args.set, dataset))
            write_keys(Path(args.out, f'exclude_{name}.txt'), [
                (dataset.key(row), found.faults.get(row, '')) for row in np.flatnonzero(~inside).tolist()],
                       stamped(f'all but {remark}', args.set, dataset))
            summary['parts'][name] = dict(identities=len(members), images=int(inside.sum()))
        conclude(args, args.out, summary, *(f'{name}: {part["identities"]} identities, {part["images"]} images'
                                            for name, part in summary['parts'].items()), *found.words)


def read_shares(text):
    """Shares by name from ``NAME=SHARE,...``; ``InputError`` if it is none."""
    shares = {}
    for part in text.split(','):
        name, _, share = part.partition('=')
        try:
            shares[name.strip()] = float(share)
        except ValueError as error:
            raise InputError(f'--shares {text}: expected is NAME=SHARE,..., such as train=0.9,test=0.1') from error
        if not name.strip() or '/' in name or name.strip().startswith('exclude_'):
            raise InputError(f'--shares {text}: {name!r} cannot be the name of a part')
    return shares
