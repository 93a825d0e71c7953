"""Find what is wrong with a set's labels by a trained model: outliers, wrong labels, identities to merge and to split.

Writes lists, and touches no image. exclude.txt has the outliers and the wrong labels, as training takes it:
exclude=FILE. relabel.txt says to which identity a wrong label belongs; merge.txt which identities show one person (the
smaller class, into which larger); split.txt which images of an identity are a second person.

Examples:
  mlaface data clean my_faces --out cleaned
  mlaface data clean data/ms1mv3 --out cleaned --model work_dirs/first/best.pth
  mlaface data clean data/ms1mv3 --out cleaned --executor ray --executor-options address=head:6379 gpus=1
"""
import sys
import time
from pathlib import Path

from mlaface.cli.parts.arguments import command, report_folder
from mlaface.cli.parts.data_sets import (
    SET_HELP,
    add_embedding,
    add_root,
    add_work,
    embedded,
    open_embedding,
    open_labelled,
    page,
    products_device,
    roots_of,
    rows_name,
    shared_rows,
    tile,
)
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.summaries import add_json, conclude

SHOWN = 80
FEW = 30  # identities, below which strangers among them are too few to set thresholds by


def make_parser():
    """The command's arguments."""
    parser = command('data clean', __doc__)
    parser.add_argument('set', help=SET_HELP)
    parser.add_argument('--out', required=True, type=report_folder, metavar='DIR',
                        help='gets exclude.txt, relabel.txt, merge.txt, '
                        'split.txt, summary.json, clean.html')
    add_root(parser)
    add_work(parser)
    add_embedding(parser)
    add_executor(parser)
    add_json(parser)
    return parser


def main(argv=None):
    """Judge as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    from mlaface.datasets.prepare.clean import clean
    with explained():
        start = time.perf_counter()
        [root] = roots_of(args, args.set)
        spread, dataset, network = spread_of(args), open_labelled(args.set, root), open_embedding(args)
        rows, parts = shared_rows(embedded(args.set, dataset, network, args, spread), args.set, network, spread, args,
                                  rows_name(args.set, dataset, network, args.flip or 'none'))
        judged = time.perf_counter()
        with bar('judging', len(rows), bool(spread)) as advance:
            found = clean(rows, dataset.labels, dataset.num_classes, advance=advance, device=products_device(args),
                          parts=parts)
        now = time.perf_counter()
        _write(args, dataset, found, dict(seconds=round(now - start, 2), judging_seconds=round(now - judged, 2)))
        parts.remove()


def _write(args, dataset, found, seconds):
    import numpy as np

    from mlaface.datasets.key_lists import spell, stamped, write_keys
    classes, labels, out = dataset.metainfo['classes'], np.asarray(dataset.labels), Path(args.out)
    by = f'{args.set}, as mlaface data clean judged it by {args.model}'
    counts = np.bincount(labels, minlength=dataset.num_classes)
    unread = int(np.isnan(found.own[found.outliers]).sum())
    write_keys(out / 'exclude.txt', [(dataset.key(row), f'outlier of {classes[labels[row]]}: likeness '
                                      f'{found.own[row]:.3f}' if np.isfinite(found.own[row]) else 'cannot be read, or '
                                      'has no embedding') for row in found.outliers.tolist()]
               + [(dataset.key(row), f'{classes[found.other[row]]} and not {classes[labels[row]]}: likeness '
                   f'{found.other_likeness[row]:.3f} and {found.own[row]:.3f}') for row in found.wrong.tolist()],
               stamped(f'outliers and wrong labels of {by}', args.set, dataset))
    write_keys(out / 'relabel.txt', [(dataset.key(row), spell(classes[found.other[row]]))
                                     for row in found.wrong.tolist()],
               f'wrong labels of {by}: image, and behind it the identity whose it is')
    merges = [(a, b, likeness) if counts[a] <= counts[b] else (b, a, likeness) for a, b, likeness in found.merges]
    write_keys(out / 'merge.txt', [(classes[a], f'{spell(classes[b])} (likeness {likeness:.3f})')
                                   for a, b, likeness in merges],
               f'identities of {by}: each shows the person of the one behind it')
    write_keys(out / 'split.txt', [(dataset.key(row), f'second person in {classes[label]} (likeness {likeness:.3f})')
                                   for label, members, likeness in found.splits for row in members.tolist()],
               stamped(f'images of a second person in an identity of {by}', args.set, dataset))
    summary = dict(schema=1, command='data clean', set=args.set, model=args.model, images=len(dataset),
                   identities=dataset.num_classes, outliers=len(found.outliers), unreadable=unread,
                   wrong_labels=len(found.wrong), merges=len(found.merges), splits=len(found.splits),
                   images_of_second_people=sum(len(members) for _, members, _ in found.splits),
                   thresholds=found.thresholds._asdict(), **seconds)
    _page(args, dataset, found, merges, labels, classes, out)
    if dataset.num_classes < FEW:
        print(f'warning: {args.set} has {dataset.num_classes} identities: thresholds are set by strangers among them, '
              f'and below some {FEW} that says little (docs/cleaning.md)', file=sys.stderr)
    conclude(args, out, summary, f'{len(found.outliers)} outliers'
             + (f' ({unread} that cannot be read)' if unread else '') + f', {len(found.wrong)} wrong labels: '
             f'{out / "exclude.txt"}; {len(merges)} pairs of identities to merge, {len(found.splits)} to split. Look '
             f'at {out / "clean.html"}')


def _page(args, dataset, found, merges, labels, classes, out):
    import numpy as np

    def some(label, most=5, but=()):
        return [row for row in np.flatnonzero(labels == label).tolist() if row not in but][:most]

    def shown(rows, note):
        return [tile(dataset, row, note) for row in rows]
    outliers = sorted(found.outliers.tolist(), key=lambda row: np.nan_to_num(found.own[row], nan=-1))[:SHOWN]
    wrong = sorted(found.wrong.tolist(), key=lambda row: -found.other_likeness[row])[:SHOWN]
    sheets = [
        dict(title='Outliers', words=f'{len(outliers)} of {len(found.outliers)}; on the left the image, behind it '
             'others of its identity.', rows=[dict(head='', tiles=shown([row], f'likeness {found.own[row]:.2f}')
                                            + shown(some(labels[row], 5, [row]), str(classes[labels[row]])))
                                       for row in outliers]),
        dict(title='Wrong labels', words=f'{len(wrong)} of {len(found.wrong)}; the image, its identity, and the one '
             'whose it seems to be.', rows=[dict(head='', tiles=shown([row], f'{found.own[row]:.2f}, '
                                                               f'{found.other_likeness[row]:.2f}')
                                           + shown(some(labels[row], 4, [row]), str(classes[labels[row]]))
                                           + shown(some(found.other[row], 4), str(classes[found.other[row]])))
                                      for row in wrong]),
        dict(title='One person in two identities', words=f'{len(merges[:SHOWN])} of {len(merges)}.', rows=[
            dict(head=f'likeness {likeness:.3f}', tiles=shown(some(a), classes[a]) + shown(some(b), classes[b]))
            for a, b, likeness in merges[:SHOWN]]),
        dict(title='Two people in one identity', words=f'{len(found.splits[:SHOWN])} of {len(found.splits)}.', rows=[
            dict(head=f'{classes[label]}: likeness {likeness:.3f}',
                 tiles=shown(members[:5].tolist(), 'second') + shown(some(label, 5, set(members.tolist())), 'first'))
            for label, members, likeness in found.splits[:SHOWN]])]
    page('data.html', dict(title='Labels that seem wrong', subtitle=f'{args.set}; model {args.model}', harm=None,
                           charts={}, tables=[], sheets=sheets), out / 'clean.html')
