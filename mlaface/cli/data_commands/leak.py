"""Find people of a training set who stand in a benchmark too, and write the list of what to leave out.

Each identity's centre is compared with every image of the benchmark. The confidence is one minus the share of strangers
expected among all identities that are as near; how near strangers come says the training set itself. Look at the page
before you believe it. Training takes the list as exclude=FILE, in which images that cannot be read stand too; no image
is touched.

Examples:
  mlaface data leak data/ms1mv3 lfw.bin --out leak --model r100.onnx
  mlaface data leak my_faces lfw.bin cfp_fp.bin --out leak
  mlaface data leak data/ms1mv3 lfw.bin --out leak --executor slurm --executor-options partition=gpu gres=gpu:1
"""
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
    usable_rows,
)
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.executors import add_executor, spread_of
from mlaface.cli.parts.progress import bar
from mlaface.cli.parts.summaries import add_json, conclude
from mlaface.utils.errors import InputError

SHOWN = 150


def make_parser():
    """The command's arguments."""
    parser = command('data leak', __doc__)
    parser.add_argument('training', help=SET_HELP)
    parser.add_argument('benchmarks', nargs='+', metavar='BENCHMARK', help='.bin files, or sets of the other kinds')
    parser.add_argument('--out', required=True, type=report_folder, metavar='DIR',
                        help='gets exclude.txt, leaks.csv, summary.json, '
                        'leaks.html')
    parser.add_argument('--confidence', type=float, default=0.9, metavar='X', help='from which an identity is left out '
                        '(default: 0.9)')
    add_root(parser)
    add_work(parser)
    add_embedding(parser)
    add_executor(parser)
    add_json(parser)
    return parser


def main(argv=None):
    """Search as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    import numpy as np

    from mlaface.datasets.prepare.inspect import open_set
    from mlaface.datasets.prepare.leak import check_people, find_leaks
    from mlaface.datasets.prepare.products import not_zero
    with explained():
        start = time.perf_counter()
        if not 0 < args.confidence < 1:
            raise InputError(f'--confidence {args.confidence}: it lies between 0 and 1')
        first, *others = roots_of(args, args.training, *args.benchmarks)
        training = open_labelled(args.training, first)
        benchmarks = [open_set(path, root=root) for path, root in zip(args.benchmarks, others)]
        check_people(len(np.unique(training.labels)))
        spread, network = spread_of(args), open_embedding(args)
        rows, parts = shared_rows(embedded(args.training, training, network, args, spread), args.training, network,
                                  spread, args, rows_name(args.training, training, network, args.flip or 'none'))
        tested = [usable_rows(embedded(path, dataset, network, args, spread), path, network)
                  for path, dataset in zip(args.benchmarks, benchmarks)]
        places = [(number, row) for number, dataset in enumerate(benchmarks) for row in _distinct(dataset)
                  if tested[number][row].any()]
        searched = time.perf_counter()
        with bar('comparing', len(rows), bool(spread)) as advance:
            found = find_leaks(rows, training.labels, training.num_classes,
                               np.stack([tested[number][row] for number, row in places]), args.confidence,
                               device=products_device(args), advance=advance, parts=parts)
        now = time.perf_counter()
        lost = np.flatnonzero(~not_zero(rows)).tolist()
        _write(args, training, benchmarks, places, found, lost, dict(seconds=round(now - start, 2),
                                                               search_seconds=round(now - searched, 2)))
        parts.remove()


def _distinct(dataset):
    """Rows of a set's distinct images."""
    import numpy as np
    same = dataset.metainfo.get('same_as')
    return range(len(dataset)) if same is None else np.unique(same).tolist()


def _write(args, training, benchmarks, places, found, lost, seconds):
    import numpy as np

    from mlaface.datasets.key_lists import stamped, write_keys
    from mlaface.evaluation.report.files import write_csv
    classes, labels, out = training.metainfo['classes'], np.asarray(training.labels), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    sure = found.classes[found.confidence >= args.confidence]
    why = {int(label): f'{classes[label]}: confidence {confidence:.3f}, cosine {cosine:.3f}' for label, cosine,
           confidence in zip(found.classes, found.cosine, found.confidence)}
    rows = np.flatnonzero(np.isin(labels, sure)).tolist()
    strays = found.stray_rows.tolist()
    unread = sorted({*lost} - {*rows, *strays})
    write_keys(out / 'exclude.txt', [(training.key(row), why[int(labels[row])]) for row in rows]
               + [(training.key(row), f'a single image of {classes[labels[row]]}: cosine {cosine:.3f}')
                  for row, cosine in zip(strays, found.stray_cosine)]
               + [(training.key(row), 'cannot be read, or has no embedding') for row in unread],
               stamped(f'{args.training}: people of {", ".join(args.benchmarks)}, and images that cannot be read, as '
                       'mlaface data leak found them', args.training, training))

    def name(place):
        number, row = places[place]
        return benchmarks[number].where(row)
    write_csv(out / 'leaks.csv', ['identity', 'images', 'confidence', 'cosine', 'benchmark image', 'left out'], [
        [classes[label], int((labels == label).sum()), f'{confidence:.4f}', f'{cosine:.4f}', name(place),
         confidence >= args.confidence] for label, place, cosine, confidence in
        zip(found.classes, found.images, found.cosine, found.confidence)])
    summary = dict(schema=1, command='data leak', training=args.training, benchmarks=args.benchmarks, model=args.model,
                   images=len(training), identities=training.num_classes, benchmark_images=len(places),
                   confidence=args.confidence, identities_shared=len(sure), identities_listed=len(found.classes),
                   images_left_out=len(rows) + len(strays) + len(unread), unreadable=len(lost),
                   single_images=len(strays), strangers=found.strangers._asdict(),
                   single_threshold=found.stray_threshold, **seconds)
    _page(args, training, benchmarks, places, found, out, classes, labels)
    conclude(args, out, summary, f'{len(sure)} of {training.num_classes} identities stand in the benchmark with a '
             f'confidence of at least {args.confidence}, and {len(strays)} single images of others'
             + (f'; {len(unread)} more cannot be read, or have no embedding' if unread else '') +
             f': {len(rows) + len(strays) + len(unread)} images to leave out: {out / "exclude.txt"}. Confirm them by '
             f'{out / "leaks.html"}')


def _page(args, training, benchmarks, places, found, out, classes, labels):
    import numpy as np

    def pictured(place):
        number, row = places[place]
        return tile(benchmarks[number], row, f'benchmark {number + 1}')
    shared = [dict(head=f'{classes[label]}: confidence {confidence:.3f}, cosine {cosine:.3f}'
                   + ('' if confidence >= args.confidence else ' (not left out)'),
                   tiles=[pictured(place)] + [tile(training, int(row), 'training')
                                              for row in np.flatnonzero(labels == label)[:7]])
              for label, place, cosine, confidence in zip(found.classes[:SHOWN], found.images, found.cosine,
                                                          found.confidence)]
    single = [dict(head=f'an image of {classes[labels[row]]}: cosine {cosine:.3f}',
                   tiles=[pictured(place), tile(training, int(row), 'training')])
              for row, place, cosine in zip(found.stray_rows[:SHOWN], found.stray_images, found.stray_cosine)]
    sheets = [dict(title='Identities', words=f'On the left the image of the benchmark. The {len(shared)} surest of '
                   f'{len(found.classes)}.', rows=shared),
              dict(title='Single images of other identities', words=f'{len(single)} of {len(found.stray_rows)}.',
                   rows=single)]
    page('data.html', dict(title='People in training set and benchmark', subtitle=f'{args.training}; '
                           f'{", ".join(args.benchmarks)}; model {args.model}', harm=None, charts={}, tables=[],
                           sheets=sheets), out / 'leaks.html')
