"""Find copies of images within and across sets: the same bytes, the same pixels, near and mirrored copies.

Of each group of copies one is kept: that of the set named first, then the one with the most pixels, then with the most
bytes, then the first. A benchmark (.bin) loses nothing: name it first, and the training set's copies of its images are
listed. The lists, of images that cannot be read too, are what training takes as exclude=FILE; no image is touched.

Examples:
  mlaface data dedupe my_faces --out copies
  mlaface data dedupe lfw.bin data/ms1mv3 --out copies
  mlaface data dedupe my_faces --out copies --by embedding --model sface --cosine 0.9
  mlaface data dedupe data/ms1mv3 --out copies --executor local --executor-options processes=8
"""
import time
from pathlib import Path

from mlaface.cli.parts.arguments import command, refuse_unused, report_folder
from mlaface.cli.parts.data_sets import (
    SET_HELP,
    add_embedding,
    add_root,
    add_work,
    embedded,
    measured,
    open_embedding,
    page,
    parts_of,
    roots_of,
    tile,
    usable_rows,
)
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.summaries import add_json, conclude
from mlaface.utils.errors import InputError

SHOWN = 60


def make_parser():
    """The command's arguments."""
    parser = command('data dedupe', __doc__)
    parser.add_argument('sets', nargs='+', metavar='SET', help=SET_HELP)
    parser.add_argument('--out', required=True, type=report_folder, metavar='DIR',
                        help='gets exclude lists, summary.json, copies.html')
    parser.add_argument('--by', choices=('bytes', 'pixels', 'near', 'embedding'), default='near', help='the loosest '
                        'kind of copy that counts; each kind takes the ones before it along (default: near)')
    parser.add_argument('--correlation', type=float, default=None, metavar='X', help='of near copies (default: 0.96)')
    parser.add_argument('--cosine', type=float, default=0.95, metavar='X', help='of copies by embedding '
                        '(default: 0.95); every image is compared with every other')
    add_root(parser)
    add_work(parser)
    add_embedding(parser)
    add_executor(parser)
    add_json(parser)
    return parser


def main(argv=None):
    """Find copies as the arguments say; ``argv`` (list[str]) is by default the process's."""
    parser = make_parser()
    args = parser.parse_args(argv)
    import numpy as np

    from mlaface.datasets.prepare.duplicates import BANDS, CORRELATION, find_copies
    from mlaface.datasets.prepare.inspect import open_set
    with explained():
        start = time.perf_counter()
        if args.by != 'embedding':
            refuse_unused(parser, args, ('cosine', 'model', 'config', 'color', 'mean', 'std', 'flip', 'batch_size',
                                         'device'), f'it is of --by embedding, and these copies are by {args.by}')
        if args.by in ('bytes', 'pixels'):
            refuse_unused(parser, args, ('correlation',), f'it is of --by near, and these copies are by {args.by}')
        if not 0.5 <= (args.correlation or CORRELATION) <= 1 or not 0 < args.cosine <= 1:
            raise InputError('--correlation lies between 0.5 and 1, --cosine between 0 and 1')
        roots = roots_of(args, *args.sets)
        spread, datasets = spread_of(args), [open_set(path, root=root) for path, root in zip(args.sets, roots)]
        network = open_embedding(args) if args.by == 'embedding' else None  # refused before all images are read
        numbers = np.repeat(np.arange(len(datasets)), list(map(len, datasets)))
        found = [measured(path, dataset, args.workers, spread, args.out, root)
                 for path, dataset, root in zip(args.sets, datasets, roots)]
        measures = found[0] if len(found) == 1 else np.concatenate(found)
        if args.by == 'bytes':
            measures = measures.copy()
            measures['of_pixels'] = measures['of_bytes']
        more = _by_embedding(datasets, network, args, spread) if network else None
        with bar('comparing', 2 * BANDS) as advance:
            copies = find_copies(measures, numbers, args.correlation or CORRELATION, args.by in ('near', 'embedding'),
                                 more, advance)
        _write(args, datasets, numbers, copies, ~measures['readable'], time.perf_counter() - start)


def _by_embedding(datasets, network, args, spread):
    """Pairs of images whose embeddings reach the cosine."""
    import numpy as np

    from mlaface.datasets.prepare.products import pairs_within_part
    rows = np.concatenate([usable_rows(embedded(path, dataset, network, args, spread), path, network)
                           for path, dataset in zip(args.sets, datasets)])
    rows, parts = parts_of(rows, spread, args.out)
    with bar('comparing', len(rows), bool(spread)) as advance:
        found = parts.map(pairs_within_part, len(rows), dict(rows=rows), advance, threshold=args.cosine)
    parts.remove()
    return np.stack(found[:2], 1)


def _write(args, datasets, numbers, copies, unreadable, seconds):
    import numpy as np

    from mlaface.datasets.key_lists import stamped, write_keys
    from mlaface.datasets.prepare.duplicates import KINDS
    people = [_people(dataset) for dataset in datasets]
    starts = np.cumsum([0, *map(len, datasets)])
    groups = _members(copies.group)
    keeper = {number: int(rows[copies.kept[rows]][0]) for number, rows in enumerate(groups)}
    lists, entries = {}, []
    for number, dataset in enumerate(datasets):
        mine = numbers == number
        rows, unread = (np.flatnonzero(mine & some) for some in (~copies.kept, copies.kept & unreadable))
        entry = dict(set=args.sets[number], images=len(dataset), copies=len(rows), unreadable=len(unread))
        if getattr(dataset, 'labels', None) is not None:
            lists[number] = Path(args.out, f'exclude_{number + 1}.txt')
            write_keys(lists[number], [(dataset.key(int(row - starts[number])), 'copy of '
                                        + _name(datasets, starts, keeper[copies.group[row]])) for row in rows]
                       + [(dataset.key(int(row - starts[number])), 'cannot be read') for row in unread],
                       stamped(f'copies, and images that cannot be read, in {args.sets[number]}, as mlaface data '
                               'dedupe found them', args.sets[number], dataset))
            entry['exclude'] = str(lists[number])
        entries.append(entry)
    conflicts = [number for number, rows in enumerate(groups) if len({
        people[numbers[row]][row - starts[numbers[row]]] for row in rows if people[numbers[row]] is not None}) > 1]
    summary = dict(schema=1, command='data dedupe', sets=entries, by=args.by, unreadable=int(unreadable.sum()),
                   groups={kind: int((copies.kind == place).sum()) for place, kind in enumerate(KINDS)},
                   across_sets=sum(len(set(numbers[rows].tolist())) > 1 for rows in groups),
                   across_identities=len(conflicts), seconds=round(seconds, 2))
    order = conflicts + [number for number in range(len(groups)) if number not in set(conflicts)]

    def show(row):
        place = numbers[row]
        return tile(datasets[place], int(row - starts[place]), ('kept: ' if copies.kept[row] else '')
                    + (people[place][row - starts[place]] if people[place] is not None else f'set {place + 1}'))
    sheet = dict(title='Groups of copies', words=f'{len(conflicts)} groups are of several identities, and are shown '
                 f'first; {min(SHOWN, len(order))} of {len(order)} groups are shown.',
                 rows=[dict(head=f'{KINDS[copies.kind[number]]}', tiles=[show(row) for row in groups[number][:12]])
                       for number in order[:SHOWN]])
    page('data.html', dict(title='Copies', subtitle=', '.join(args.sets), harm=None, charts={}, tables=[],
                           sheets=[sheet]), Path(args.out, 'copies.html'))
    kinds = ', '.join(f'{count} {kind}' for kind, count in summary['groups'].items() if count) or 'none'
    conclude(args, args.out, summary,
             f'{len(groups)} groups of copies: {kinds}; {len(conflicts)} of several identities, '
             f'{summary["across_sets"]} across sets',
             *(f'{entry["set"]}: {entry["copies"]} of {entry["images"]} images to leave out'
               + (f', and {entry["unreadable"]} that cannot be read' if entry['unreadable'] else '')
               + (f': {entry["exclude"]}' if 'exclude' in entry else ' (a benchmark: nothing is listed)')
               for entry in entries))


def _members(group):
    """Rows of each group."""
    import numpy as np
    rows = np.flatnonzero(group >= 0)
    order = rows[np.argsort(group[rows], kind='stable')]
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []


def _people(dataset):
    """Name of the identity of each image, or None."""
    if getattr(dataset, 'labels', None) is None:
        return None
    classes = dataset.metainfo['classes']
    return [classes[label] for label in dataset.labels]


def _name(datasets, starts, row):
    import numpy as np
    number = int(np.searchsorted(starts, row, side='right')) - 1
    key = datasets[number].key(int(row - starts[number]))
    return key if len(datasets) == 1 else f'set {number + 1}: {key}'
