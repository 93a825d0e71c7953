"""Count what is in a data set, decode every image, and show the first faults; exit status 1 if there are any.

With --report, one page besides: contact sheets, images an identity, sizes, sharpness, light, colour, pose, copies, and
what in the set will hurt training; and all numbers as JSON beside it. Killed, it goes on where it was when the same
command is given again.

Examples:
  mlaface data inspect data/ms1mv3
  mlaface data inspect data/lfw.bin
  mlaface data inspect my_faces --first 50
  mlaface data inspect my_faces --report report
"""
import itertools
import sys
from pathlib import Path

from mlaface.cli.parts.arguments import command, count_from_zero, report_folder
from mlaface.cli.parts.data_sets import (
    SET_HELP,
    add_image_size,
    add_root,
    add_work,
    measured,
    page,
    roots_of,
    tile,
)
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.steps import steps_of
from mlaface.cli.parts.summaries import add_json, conclude, tell

SHEET = 32


def parse(arguments=None):
    """Parse the command line."""
    parser = command('data inspect', __doc__)
    parser.add_argument('path', help=SET_HELP)
    parser.add_argument('--first', type=count_from_zero, default=10, help='faults to show (default: %(default)s)')
    add_image_size(parser)
    parser.add_argument('--report', type=report_folder, metavar='DIR', help='gets inspect.html and summary.json')
    parser.add_argument('--pose', type=count_from_zero, default=500, metavar='N', help='images whose pose is looked at '
                        'for the report, drawn by a seed (default: 500)')
    add_root(parser)
    add_work(parser)
    add_json(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """Open the set as training does, and read all of it; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    from mlaface.datasets.prepare.inspect import decode_all, describe_set, open_set
    from mlaface.datasets.prepare.kept_rows import set_hash
    with explained(), steps_of(args.path) as keep:
        [root] = roots_of(args, args.path)
        dataset = open_set(args.path, root=root)
        summary, lines = dict(schema=1, command='data inspect', set=args.path, images=len(dataset)), []
        if not args.json:
            print(f'{args.path}: {describe_set(dataset)}')
        if args.report:
            lines += _report(args, dataset, summary)
        kept = keep('inspect', lambda: set_hash(args.path, dataset), len(dataset), 'images', size=list(args.image_size))
        with bar('decoding', len(dataset)) as shown:
            sizes, faults, turned = decode_all(dataset, args.image_size, args.workers, shown.reach, kept)
        sizes = {f'{height}x{width}': count for (height, width), count in sizes.most_common()}
        summary.update(sizes=sizes, turned=turned, faulty=len(faults), faults=faults[:args.first])
        lines += ['sizes: ' + ', '.join(f'{size} {count}' for size, count in itertools.islice(sizes.items(), 10)),
                  *([f'{turned} images are stored turned: training sees them upright, as their Exif says'] if turned
                    else []), f'{len(faults)} images cannot be used', *faults[:args.first]]
        if args.report:
            conclude(args, args.report, summary, *lines)
        else:
            tell(args, summary, *lines)
    raise SystemExit(1 if faults else 0)


def _report(args, dataset, summary):
    """Measure all images, write the page, and fill the summary; lines (list[str])."""
    import numpy as np

    from mlaface.datasets.prepare.duplicates import BANDS, find_copies
    from mlaface.datasets.prepare.harm import harm
    from mlaface.datasets.prepare.inspect import describe_set
    measures = measured(args.path, dataset, args.workers)
    with bar('comparing', 2 * BANDS) as advance:
        copies = find_copies(measures, np.zeros(len(dataset), np.int8), advance=advance)
    rng = np.random.default_rng(0)
    seen, poses = _poses(dataset, measures, args.pose, rng)
    labels = getattr(dataset, 'labels', None)
    found = harm(measures, args.image_size, labels, dataset.metainfo.get('classes', ()),
                 copies if labels is not None else None, poses)
    charts, numbers = _distributions(measures, labels, poses)
    summary.update(identities=None if labels is None else len(dataset.metainfo['classes']),
                   harm={line['key']: line['count'] for line in found}, distributions=numbers, pose_images=len(seen),
                   copies={kind: int((copies.kind == place).sum()) for place, kind in enumerate(
                       ('bytes', 'pixels', 'near'))})
    sizes, counts = np.unique(measures[['height', 'width']][measures['readable']], return_counts=True)
    order = np.argsort(-counts, kind='stable')[:12]
    tables = [dict(title='Sizes', head=['height', 'width', 'images'], rows=[
        (int(sizes[k]['height']), int(sizes[k]['width']), int(counts[k])) for k in order])]
    page('data.html', dict(title=f'Data set {Path(args.path).name}', subtitle=describe_set(dataset), harm=found,
                           harm_title='What in this set will hurt training', charts=charts, tables=tables,
                           sheets=_sheets(dataset, measures, labels, copies, seen, poses, rng)),
         Path(args.report, 'inspect.html'))
    return [f'{len(found)} things will hurt training: {Path(args.report, "inspect.html")}']


def _poses(dataset, measures, most, rng):
    """Rows of a sample, and their yaw, pitch and roll (K, 3), NaN where no face was found; none without a detector."""
    import numpy as np

    rows = np.flatnonzero(measures['readable'])
    rows = np.sort(rng.permutation(rows)[:most])
    if not len(rows):
        return rows, np.zeros((0, 3))
    from mlaface.cli.parts.inference import detector_of
    from mlaface.datasets.formats.jpeg import decode
    from mlaface.inference.quality import pose
    from mlaface.utils.errors import UserError
    try:
        detector = detector_of('yunet')
    except UserError as error:
        print(f'no poses: {error}', file=sys.stderr)
        return rows[:0], np.zeros((0, 3))
    found = np.full((len(rows), 3), np.nan)
    with bar('looking', len(rows)) as advance:
        for place, row in enumerate(rows.tolist()):
            image = decode(dataset.encoded(row)[1])
            border = [(side // 3, side // 3) for side in image.shape[:2]]  # a crop ends where detectors look for hair
            faces = detector.detect(np.ascontiguousarray(np.pad(image, (*border, (0, 0)))))
            if faces:
                found[place] = pose(max(faces, key=lambda face: face.score).points)
            advance(1)
    return rows, found


def _distributions(measures, labels, poses):
    """Charts by title, and quantiles as numbers."""
    import numpy as np

    from mlaface.evaluation.report.charts import count_chart
    good, charts, numbers = measures[measures['readable']], {}, {}

    def add(title, values, edges, axis, what='images', log=False):
        if len(values):
            counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].tolist()
            charts[title] = count_chart(list(map(float, edges)), counts, axis, what, title, log)
            numbers[title] = dict(zip(('min', '1%', '10%', '50%', '90%', '99%', 'max'), map(float, np.round(np.quantile(
                values, [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1]), 3))))
    if labels is not None:
        counts = np.bincount(labels)
        counts = counts[counts > 0]
        most = max(int(counts.max()), 10)
        add('Images an identity', counts, np.arange(0.5, most + 1) if most < 60 else np.geomspace(0.9, most * 1.05, 40),
            'images', 'identities', most >= 60)
    add('Sharpness', np.maximum(good['sharpness'], 1), np.geomspace(1, 10_000, 40), 'variance of the Laplacian',
        log=True)
    add('Brightness', good['brightness'], np.linspace(0, 256, 40), 'mean of grey')
    add('Contrast', good['contrast'], np.linspace(0, 128, 40), 'deviation of grey')
    add('Colour', good['colour'], np.linspace(0, 128, 40), 'largest minus smallest channel')
    add('Bytes', np.maximum(good['bytes'], 1), np.geomspace(100, 10_000_000, 40), 'bytes', log=True)
    for place, name in enumerate(('Yaw', 'Pitch')):
        values = poses[:, place][~np.isnan(poses[:, place])] if len(poses) else poses[:0, 0]
        add(name, values, np.linspace(-90, 90, 37), 'degrees')
    return charts, numbers


def _sheets(dataset, measures, labels, copies, seen, poses, rng):
    """Contact sheets."""
    import numpy as np

    from mlaface.datasets.prepare.harm import marks
    classes = dataset.metainfo.get('classes')
    readable = np.flatnonzero(measures['readable'])

    def note(row):
        return '' if labels is None else str(classes[labels[row]])

    def sheet(title, rows, words='', notes=note):
        rows = [int(row) for row in rows]
        return dict(title=title, words=words, rows=[dict(head='', tiles=[tile(dataset, row, notes(row))
                                                                         for row in rows])]) if rows else None
    found = [sheet('A sample', np.sort(rng.permutation(readable)[:SHEET]))]
    if labels is not None:
        counts = np.bincount(labels, minlength=len(classes))
        order = np.argsort(-counts, kind='stable')
        rows = [dict(head=f'{classes[label]}: {counts[label]} images', tiles=[
            tile(dataset, int(row), '') for row in np.flatnonzero(np.asarray(labels) == label)[:12]])
            for label in [*order[:3], *order[counts[order] > 0][-3:]]]
        found.append(dict(title='The largest and the smallest identities', words='', rows=rows))
    each = marks(measures)
    for title, key, mask in (('The least sharp', 'sharpness', measures['readable']),
                             ('The darkest', 'brightness', measures['readable']), ('Grey', 'colour', each['grey'])):
        rows = np.flatnonzero(mask)
        found.append(sheet(title, rows[np.argsort(measures[key][rows], kind='stable')[:SHEET // 2]],
                           notes=lambda row, key=key: f'{key} {measures[key][row]:.0f}'))
    groups = np.flatnonzero(copies.group >= 0)
    groups = groups[np.argsort(copies.group[groups], kind='stable')][:SHEET]
    found.append(sheet('Copies', groups if labels is not None else [], 'Each beside its own.',
                       lambda row: f'{note(row)} ({("bytes", "pixels", "near")[copies.kind[copies.group[row]]]})'))
    if len(poses):
        yaw = np.nan_to_num(np.abs(poses[:, 0]), nan=-1)
        turned = np.argsort(-yaw, kind='stable')[:SHEET // 2]
        degrees = {int(seen[place]): poses[place, 0] for place in turned if yaw[place] >= 0}
        found.append(sheet('The most turned of those looked at', degrees, notes=lambda row: f'{degrees[row]:.0f}°'))
        found.append(sheet('No face found', seen[np.isnan(poses[:, 0])][:SHEET // 2]))
    return [each for each in found if each]
