"""Images per second of a data worker against a bare loop, of JPEG decoders, of drawing; the memory of a worker.

Examples:
  python tools/analysis/benchmark.py data                              # faces drawn for it
  python tools/analysis/benchmark.py data configs/mla_r18w025_synthetic.py --out data.json
  python tools/analysis/benchmark.py data --decoders
  python tools/analysis/benchmark.py data --memory --records 5000000
  python tools/analysis/benchmark.py data --first-batch
  python tools/analysis/benchmark.py data --pack
  python tools/analysis/benchmark.py data --drawing --images 1200
  python tools/analysis/benchmark.py data --shuffle --lanes 64        # orders of training over a perfect shuffle
  python tools/analysis/benchmark.py data --archives --public-python A/bin/python --mxnet-python B/bin/python
"""
import io
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from mlaface.cli.benchmarks import _data_archives as archives
from mlaface.cli.benchmarks.harness import measure, paired_ratio, result, row, show
from mlaface.cli.parts.arguments import command

MILLION = 1_000_000


def parse_args(argv):
    """Arguments of the command line."""
    parser = command('benchmark data', __doc__)
    parser.add_argument('source', nargs='?', help='config or .rec file; default: drawn faces in a temporary folder')
    parser.add_argument('--images', type=int, default=7680, help='images a round (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--decoders', action='store_true', help='compare JPEG decoders instead')
    parser.add_argument('--drawing', action='store_true', help='draw faces of every style instead, on one thread')
    parser.add_argument('--memory', action='store_true', help='memory of a worker over a generated index instead')
    parser.add_argument('--archives', action='store_true', help='a worker over every layout, and public ways, instead')
    parser.add_argument('--public-python', metavar='PYTHON', help='of an environment with torch, webdataset, lmdb, '
                        'opencv and torchvision, to compare with')
    parser.add_argument('--mxnet-python', metavar='PYTHON', help='of an environment with mxnet 1.9.1')
    parser.add_argument('--pack', action='store_true', help='packing beside its decoder and its disk instead')
    parser.add_argument('--first-batch', action='store_true', help='time to the first batch of a large set instead')
    parser.add_argument('--records', type=int, default=5 * MILLION, help='records of that index (%(default)s)')
    parser.add_argument('--shuffle', action='store_true', help='how near orders come to a perfect shuffle, instead; '
                        'nothing is read')
    parser.add_argument('--shuffle-images', type=int, default=1 << 22, metavar='N', help='of that set (%(default)s)')
    parser.add_argument('--lanes', type=int, default=64, help='ranks of that order (%(default)s)')
    parser.add_argument('--out', help='write the result as JSON')
    return parser.parse_args(argv)


def build_source(source, folder):
    """The training set of a config, of a ``.rec`` file, or of faces drawn into a folder.

    Args:
        source (str or None): Config, ``.rec`` file, or None.
        folder (str): A temporary folder.

    Returns:
        RecordFaces: Without transforms of its own where no config asks for them.
    """
    from mlaface.registry import DATASETS
    if source is None:
        from mlaface.datasets.synthetic.generate import Recipe, generate
        generate(folder, Recipe(identities=60, images_per_identity=64, test_identities=20, pairs=20))
        source = f'{folder}/train.rec'
    if Path(source).suffix == '.rec':
        return DATASETS.build(dict(type='RecordFaces', data_root=str(Path(source).absolute())))
    from mlaface.engine.config import load_config
    return DATASETS.build(load_config(source).train_dataloader.dataset)


def bare_loop(dataset, places, out=None):
    """Read records and decode them, into one array where it is given, and nothing else."""
    from mlaface.datasets.formats.image_record import label_and_image
    from mlaface.datasets.formats.jpeg import decode
    for place in places:
        decode(label_and_image(dataset.records.read_position(place))[1], out)


def compare_worker(dataset, args):
    """One data worker against the bare loop, over the same images, by the clock and in processor time (Linux).

    Returns:
        dict: Benchmark JSON with the ratio over the bare loop of both; it decodes into memory of the decoder's, and in
        another case into memory as the worker has.
    """
    from mlaface.engine.data import build_dataloader
    from mlaface.utils.image_memory import image_memory
    order = [int(i) for i in np.random.default_rng(0).integers(0, len(dataset), args.images)]
    loader = build_dataloader(dict(dataset=dataset, batch_size=args.batch_size, sampler=order, num_workers=1,
                                   persistent_workers=True, prefetch_factor=4), seed=0)
    places = dataset.places[order]
    spent = {'bare': [], 'bare, same memory': [], 'worker': []}

    def bare(name, out=None):
        before = time.process_time()
        bare_loop(dataset, places, out)
        spent[name].append(time.process_time() - before)

    def worker():
        before = sum(processor_seconds(pid) for pid in _workers(loader))
        for _ in loader:
            pass
        spent['worker'].append(sum(processor_seconds(pid) for pid in _workers(loader)) - before)
    like_worker = image_memory((*dataset.image_size, 3)).numpy()
    cases = zip(spent, (lambda: bare('bare'), lambda: bare('bare, same memory', like_worker), worker))
    seconds = measure(dict(cases), args.repeats)
    rows, ratios = [], {}
    for unit, taken in (('images/s', seconds), ('images/s of processor time', spent)):
        if not all(taken['worker'][-args.repeats:]):  # it is counted in hundredths of a second, and on Linux only
            continue
        rates = {name: [args.images / value for value in values[-args.repeats:]] for name, values in taken.items()}
        rows += [row(name, values, unit) for name, values in rates.items()]
        for name in list(rates)[:2]:
            ratios[f'worker over {name}: {unit}'] = paired_ratio(rates['worker'], rates[name])
    return result('data', rows, ratios)


def processor_seconds(pid):
    """Processor time that another process has taken so far, with all its threads; 0 where there is no ``/proc``."""
    file = Path(f'/proc/{pid}/stat')
    fields = file.read_text().rpartition(')')[2].split() if file.exists() else ['0'] * 13
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def _workers(loader):
    """Processes of a loader; there are none before it is first read."""
    return [worker.pid for worker in loader._iterator._workers] if loader._iterator else []


def decoders():
    """Callables from bytes to an RGB array, by name."""
    import cv2
    import simplejpeg
    from PIL import Image
    return dict(
        simplejpeg=lambda data: simplejpeg.decode_jpeg(data, 'RGB'),
        opencv=lambda data: cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR),
                                         cv2.COLOR_BGR2RGB),
        pillow=lambda data: np.asarray(Image.open(io.BytesIO(data)).convert('RGB')))


def compare_decoders(dataset, args):
    """JPEG decoders over the same encoded images, held in memory.

    Returns:
        dict: Benchmark JSON with each decoder's rate over OpenCV's.
    """
    import cv2
    cv2.setNumThreads(1)
    images = [dataset.encoded(index % len(dataset))[1] for index in range(args.images)]

    def case(decode):
        return lambda: [decode(data) for data in images] and None
    seconds = measure({name: case(decode) for name, decode in decoders().items()}, args.repeats)
    rates = {name: [args.images / value for value in values] for name, values in seconds.items()}
    return result('data --decoders', [row(name, values, 'images/s') for name, values in rates.items()],
                  {f'{name} over opencv': paired_ratio(rates[name], rates['opencv']) for name in rates})


def generated_index(folder, dataset, records):
    """A set whose index has any number of records, which share the bytes of a few.

    Args:
        folder (str): Gets ``large.rec`` and ``large.idx``.
        dataset (RecordFaces): Lends its first images.
        records (int): Lines of the index.

    Returns:
        Path: The ``.rec`` file.
    """
    from mlaface.datasets.formats.image_record import pack
    from mlaface.datasets.formats.record_writer import RecordWriter
    path = Path(folder) / 'large.rec'
    with RecordWriter(path) as writer:
        offsets = [writer.write(pack(0, dataset.encoded(index)[1])) for index in range(64)]
    with open(path.with_suffix('.idx'), 'w') as file:
        for start in range(0, records, 10_000):
            file.writelines(f'{key}\t{offsets[key * 64 // records]}\n'
                            for key in range(start, min(start + 10_000, records)))
    return path


def private_bytes(pid):
    """Memory of a process that it shares with no other (Linux)."""
    lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(('Private_Clean', 'Private_Dirty')))


def read_by_worker(dataset, args):
    """Read random images twice with one worker of a loader as training has it.

    Returns:
        tuple[int, int]: Private bytes of the worker after the first and after the second pass.
    """
    from mlaface.engine.data import build_dataloader
    draws, order, found = np.random.default_rng(0), [0] * args.images, []
    loader = build_dataloader(dict(dataset=dataset, batch_size=args.batch_size, sampler=order, num_workers=1,
                                   persistent_workers=True), seed=0)
    for _ in range(2):
        order[:] = draws.integers(0, len(dataset), args.images).tolist()
        for _ in loader:
            pass
        found.append(private_bytes(loader._iterator._workers[0].pid))
    return found


def measure_memory(dataset, args, folder):
    """Private memory of a data worker after two passes, for a small and a large index.

    Returns:
        dict: Benchmark JSON.
    """
    from mlaface.registry import DATASETS
    rows = []
    for records in (args.records // 100, args.records):
        path = generated_index(folder, dataset, records)
        start = time.perf_counter()
        large = DATASETS.build(dict(type='RecordFaces', data_root=str(path.absolute()), remap_labels=True))
        name = f'{records} records'
        rows.append(row(f'{name}: opened in', [time.perf_counter() - start], 's'))
        held = sum(a.nbytes for a in (large.records.keys, large.records.offsets, large.places, large.labels))
        rows.append(row(f'{name}: arrays, shared by workers', [held / MILLION], 'MB'))
        first, second = read_by_worker(large, args)
        rows.append(row(f'{name}: private to a worker', [second / MILLION], 'MB'))
        rows.append(row(f'{name}: growth over {args.images} images', [(second - first) / MILLION], 'MB'))
    return result('data --memory', rows, {'private memory, large index over small':
                                          rows[-2]['value'] / rows[-6]['value']})


def main(argv):
    """Run the benchmark that the arguments ask for."""
    args = parse_args(argv)
    if args.shuffle:
        from mlaface.cli.benchmarks._data_shuffle import compare_shuffles
        show(compare_shuffles(args), args.out)
        return
    if args.drawing:
        from mlaface.cli.benchmarks._data_drawing import compare_styles
        show(compare_styles(args), args.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        dataset = build_source(args.source, folder)
        if args.decoders:
            report = compare_decoders(dataset, args)
        elif args.memory:
            report = measure_memory(dataset, args, folder)
        elif args.archives:
            report = archives.compare_layouts(dataset.root, folder, args)
        elif args.pack:
            report = archives.compare_packing(dataset.root, folder, args)
        elif args.first_batch:
            report = archives.first_batch(dataset, args, folder, generated_index)
        else:
            report = compare_worker(dataset, args)
    show(report, args.out)
