"""Embedding extraction as tools/test.py does it: wall time over the bare forward passes of the same images.

Examples:
  python tools/analysis/benchmark.py extract configs/mla_r18w025_synthetic.py --images 1024 --out extract.json
"""
import tempfile
import threading
from pathlib import Path

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.device import choose_device


def parser():
    """The command line."""
    cli = command('benchmark extract', __doc__)
    cli.add_argument('config', help='config file of a run or of a model')
    cli.add_argument('--images', type=int, default=512, help='images of a round (default: 512)')
    cli.add_argument('--batch-size', type=int, default=64, help='images in a batch (default: 64)')
    cli.add_argument('--workers', type=int, default=1, help='threads that read (default: 1)')
    cli.add_argument('--repeats', type=int, default=5, help='counted rounds (default: 5)')
    cli.add_argument('--device', default='cpu', help='device of the network (default: cpu)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def drawn_suite(folder, images):
    """A verification set of drawn faces, read from its file as every set is."""
    from mlaface.datasets.formats.bin_set import write_bin
    from mlaface.datasets.synthetic.official import draw
    from mlaface.evaluation.suite import bin_suite
    faces = [image for person in draw(max(2, images // 16), 16) for image in person][:images]
    path = Path(folder) / 'drawn.bin'
    write_bin(path, faces, [k % 2 == 0 for k in range(len(faces) // 2)])
    return bin_suite([path])


class Memory:
    """Highest resident memory of the process while the block runs, above that at its start, in MB."""

    def __enter__(self):
        import psutil
        self.process, self.stop = psutil.Process(), threading.Event()
        self.start = self.highest = self.process.memory_info().rss
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def _watch(self):
        while not self.stop.wait(0.01):
            self.highest = max(self.highest, self.process.memory_info().rss)

    def __exit__(self, *error):
        self.stop.set()
        self.watcher.join()
        self.growth = (self.highest - self.start) / 2 ** 20


def cases(network, suite, batch_size, workers):
    """Callables by name: bare forward passes of decoded images, and the whole of extraction."""
    import numpy as np

    from mlaface.evaluation.embeddings.embed import embed_suite
    rows = np.arange(len(suite.images))
    decoded = [suite.images.read(rows[start:start + batch_size]) for start in range(0, len(rows), batch_size)]

    def bare():
        for batch in decoded:
            network.embed(batch)
            network.embed(np.ascontiguousarray(batch[..., ::-1]))

    return {'bare forward': bare,
            'extraction': lambda: embed_suite(network, suite, True, batch_size, workers)}


def memory_growth(network, suite, count, args):
    """How far memory rises, in MB, while the first ``count`` images are embedded and their embeddings dropped."""
    from mlaface.evaluation.embeddings.embed import embed_images
    with Memory() as memory:
        for _ in embed_images(network, suite.images, range(count), args.batch_size, True, args.workers):
            pass
    return memory.growth


def main(argv=None):
    """Measure as the arguments say.

    Args:
        argv (list[str] or None): Arguments; None takes the process's.
    """
    args = parser().parse_args(argv)
    from mlaface.apis import init_model
    from mlaface.evaluation.networks.recognizer import RecognizerNetwork
    with tempfile.TemporaryDirectory() as folder:
        suite = drawn_suite(folder, args.images - args.images % 2)
        model = init_model(None, args.config, choose_device(args.device))
        network = RecognizerNetwork(model, None, args.device, model.input_spec['size'])
        growth = {part: memory_growth(network, suite, len(suite.images) // part, args) for part in (4, 2, 1)}
        seconds = harness.measure(cases(network, suite, args.batch_size, args.workers), args.repeats)
    rows = [harness.row(name, values, 's') for name, values in seconds.items()]
    rows += [harness.row(f'memory, 1/{part} of the images', [value], 'MB') for part, value in growth.items()]
    ratio = harness.paired_ratio(seconds['extraction'], seconds['bare forward'])
    harness.show(harness.result('extract', rows, {'extraction over bare forward': ratio}), args.out)
