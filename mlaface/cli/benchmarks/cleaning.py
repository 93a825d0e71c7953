"""What ``data dedupe``, ``leak`` and ``clean`` find of faults that are planted into a set, and how long a search takes.

The set is taken for right: faults that it has by itself count as false finds, so precision is what it is at least.
Counts alone are printed.

Examples:
  python tools/analysis/benchmark.py cleaning data/faces_small --model sface
  python tools/analysis/benchmark.py cleaning --search 1000000 10000 512
"""
import json
import os
import time
from pathlib import Path

from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.data_sets import SET_HELP, add_embedding, add_work
from mlaface.cli.parts.errors import explained
from mlaface.utils.errors import InputError

SHARES = (0.01, 0.05, 0.2)


def make_parser():
    """The command's arguments."""
    parser = command('benchmark cleaning', __doc__)
    parser.add_argument('set', nargs='?', help=SET_HELP)
    parser.add_argument('--identities', type=int, metavar='N', help='take the first N only')
    parser.add_argument('--search', type=int, nargs=3, metavar=('IMAGES', 'BENCHMARK', 'DIMENSION'), help='time dedupe '
                        'and leak on random rows of these sizes instead')
    parser.add_argument('--seed', type=int, default=0, help='of the plants (default: 0)')
    parser.add_argument('--out', metavar='FILE', help='benchmark JSON')
    add_work(parser)
    add_embedding(parser)
    return parser


def main(argv=None):
    """Plant, search and count; ``argv`` (list[str]) is by default the process's."""
    args = make_parser().parse_args(argv)
    with explained():
        if (args.set is None) == (args.search is None):
            raise InputError('name a set to plant faults into, or the sizes of --search')
        rows = _timed(*args.search) if args.search else _counted(args)
        if args.out:
            from mlaface.cli.benchmarks.harness import result
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
            Path(args.out).write_text(json.dumps(result('cleaning', rows, {}), indent=1) + '\n')


def _counted(args):
    import numpy as np

    from mlaface.cli.parts.data_sets import embedded, measured, open_labelled, usable_rows
    from mlaface.cli.parts.inference import open_model
    from mlaface.datasets.prepare.clean import clean
    from mlaface.datasets.prepare.plant import KINDS, found_of, plant
    dataset, network = open_labelled(args.set), open_model(args)
    dataset = _First(dataset, args.identities) if args.identities else dataset
    labels = np.asarray(dataset.labels)
    rows = usable_rows(embedded(args.set, dataset, network, args), args.set, network)
    table = []
    for kind in KINDS:
        for share in SHARES:
            planted = plant(labels, kind, share, args.seed)
            cleaning = clean(rows[planted.rows], planted.labels, planted.classes)
            table.append(_line(f'clean: {kind}', share, planted.faults, found_of(kind, cleaning)))
            if kind in ('outlier', 'wrong'):
                table[-1]['left_out'] = len(planted.faults & {*cleaning.outliers.tolist(), *cleaning.wrong.tolist()}
                                            ) / len(planted.faults)
    table += [_leaked(rows, labels, share, args.seed) for share in SHARES]
    table += _copied(dataset, measured(args.set, dataset, args.workers), args.seed)
    print('| fault | share | planted | found | of them planted | precision | recall | recall, left out |')
    print('|---|---|---|---|---|---|---|---|')
    for line in table:
        print(f'| {line["case"]} | {line["share"]:.0%} | {line["planted"]} | {line["found"]} | {line["hit"]} | '
              f'{line["precision"]:.3f} | {line["recall"]:.3f} | '
              + (f'{line["left_out"]:.3f} |' if 'left_out' in line else '|'))
    return table


class _First:
    """The first identities of a set."""

    def __init__(self, dataset, identities):
        import numpy as np
        self.dataset, self.rows = dataset, np.flatnonzero(np.asarray(dataset.labels) < identities)
        self.labels, self.metainfo = np.asarray(dataset.labels)[self.rows], {}

    def __len__(self):
        return len(self.rows)

    def encoded(self, index):
        """See ``FaceDataset``."""
        return self.dataset.encoded(int(self.rows[index]))


def _line(case, share, planted, found):
    hit = len(planted & found)
    return dict(case=case, share=share, planted=len(planted), found=len(found), hit=hit,
                precision=hit / max(len(found), 1), recall=hit / max(len(planted), 1))


def _leaked(rows, labels, share, seed):
    """Half of the images of some people go to a benchmark, which has as many strangers and a tenth of the rest."""
    import numpy as np

    from mlaface.datasets.prepare.leak import find_leaks
    rng, people = np.random.default_rng(seed), np.unique(labels)
    people = rng.permutation(people)
    count = max(1, round(share * len(people)))
    shared, strangers = people[:count], people[count:2 * count + len(people) // 10]
    tested = np.isin(labels, strangers) | (np.isin(labels, shared) & (rng.random(len(labels)) < 0.5))
    shared = np.intersect1d(np.intersect1d(shared, labels[tested]), labels[~tested])
    found = find_leaks(rows[~tested], labels[~tested], int(labels.max()) + 1, rows[tested], 0.9)
    return _line('leak: identity', share, set(shared.tolist()), set(found.classes[found.confidence >= 0.9].tolist()))


def _copied(dataset, measures, seed, share=0.05):
    """Copies of some images, each kind of change by itself, are put behind the set."""
    import numpy as np

    from mlaface.datasets.formats.jpeg import decode, encode
    from mlaface.datasets.prepare.duplicates import near_pairs
    from mlaface.datasets.prepare.measures import measure
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(np.flatnonzero(measures['readable']))[:round(share * len(measures))])
    thumbnails, lines = np.array(measures['thumbnail']), []
    known = {tuple(pair) for pair in near_pairs(thumbnails).tolist()}
    for name, change in changes().items():
        made = [measure(encode(change(decode(dataset.encoded(int(row))[1])), 80))[0]['thumbnail'] for row in chosen]
        planted = {(int(row), len(measures) + number) for number, row in enumerate(chosen)}
        found = {tuple(pair) for pair in near_pairs(np.concatenate([thumbnails, np.stack(made)])).tolist()}
        again = {(first, second) for first, second in found if second >= len(measures) and (
            first >= len(measures) or tuple(sorted((first, int(chosen[second - len(measures)])))) in known)}
        lines.append(_line(f'dedupe: {name}', share, planted, found - known - (again - planted)))
    return lines


def changes():
    """What is done to copies: name -> function of an image, uint8 (H, W, 3)."""
    import cv2
    import numpy as np

    from mlaface.datasets.formats.jpeg import decode, encode

    def resized(image, scale):
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, image.shape[1::-1])
    return {'JPEG of quality 30': lambda image: decode(encode(image, 30)),
            'half the size and back': lambda image: resized(image, 0.5),
            'a fifth brighter': lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
            'grey': lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
            'mirrored': lambda image: np.ascontiguousarray(image[:, ::-1]),
            'moved by 1 pixel': lambda image: np.roll(image, 1, 1),
            'moved by 2 pixels': lambda image: np.roll(image, 2, 1),
            'cut by 4 pixels a side': lambda image: cv2.resize(image[4:-4, 4:-4], image.shape[1::-1])}


def _thumbnails(images, rng):
    """Random thumbnails, uint8 (N, 16, 16), whose terms fall with the square of the frequency, as those of faces do."""
    import numpy as np
    from scipy.fft import dct
    matrix = dct(np.eye(16, dtype=np.float32), axis=0, norm='ortho')
    row, column = np.divmod(np.arange(256).reshape(16, 16), 16)
    falling = (600 / (2 + row ** 2 + column ** 2)).astype(np.float32)
    found = np.empty((images, 16, 16), np.uint8)
    for start in range(0, images, 10_000):
        block = found[start:start + 10_000]
        terms = rng.standard_normal(block.shape, np.float32) * falling
        block[:] = (matrix.T @ terms @ matrix + 128).clip(0, 255)
    found[-min(1000, images // 2):] = found[:min(1000, images // 2)]
    return found


def _timed(images, tested, dimension):
    """Seconds of wall clock and of the processor for random rows, and for thumbnails with the spectrum of faces."""
    import numpy as np
    import torch

    from mlaface.datasets.prepare.clean import clean
    from mlaface.datasets.prepare.duplicates import near_pairs
    from mlaface.datasets.prepare.leak import find_leaks
    from mlaface.datasets.prepare.products import faster_kind, unit
    rng, lines = np.random.default_rng(0), []
    torch.set_num_threads(os.cpu_count())
    people = max(images // 50, 10)
    labels = np.sort(rng.integers(people, size=images))
    centres = unit(rng.standard_normal((people, dimension), np.float32))
    rows = np.empty((images, dimension), np.float32)
    for start in range(0, images, 10_000):
        noise = rng.standard_normal((len(labels[start:start + 10_000]), dimension), np.float32)
        rows[start:start + 10_000] = unit(centres[labels[start:start + 10_000]] + noise / dimension ** 0.5)
    bench = unit(rng.standard_normal((tested, dimension), np.float32))
    bench[:100] = rows[:100]
    thumbnails = _thumbnails(images, rng)
    for case, call in ((f'leak: {images:,} against {tested:,}, {dimension}-d', lambda: len(find_leaks(
            rows, labels, people, bench).stray_rows)), (f'dedupe: {images:,} thumbnails', lambda: len(near_pairs(
                thumbnails))), (f'clean: {images:,} among {people:,} classes, {dimension}-d', lambda: len(clean(
                    rows, labels, people).outliers))):
        wall, cpu = time.perf_counter(), time.process_time()
        found = call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        kind = str(faster_kind(dimension=dimension)).removeprefix('torch.')
        print(f'{case}: {wall:.1f} s, {cpu:.1f} s of the processor, {found} found; product {kind}, '
              f'{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}', flush=True)
        lines.append(dict(case=case, value=wall, unit='s', repeats=1, min=wall, median=wall, max=wall, processor=cpu))
    return lines
