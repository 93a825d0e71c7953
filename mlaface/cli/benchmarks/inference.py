"""Photographs and faces to embeddings by the commands, over the bare networks on the same files.

Bare ONNX Runtime embeds faces that are decoded already, in the same batches; detector and network alone get photographs
that are decoded already. The commands' own time is measured without the start of Python, which is measured by itself.

Examples:
  python tools/analysis/benchmark.py inference --faces data/dev_lfw.bin
  python tools/analysis/benchmark.py inference --faces data/dev_lfw.bin --photographs photos/ --out inference.json
"""
import subprocess
import sys
import tempfile
from pathlib import Path

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command, count


def parser():
    """The command line."""
    cli = command('benchmark inference', __doc__)
    cli.add_argument('--faces', required=True, metavar='BIN', help='verification set of aligned faces')
    cli.add_argument('--photographs', metavar='DIR', help='photographs with faces')
    cli.add_argument('--images', type=count, default=1000, help='aligned faces of a round (default: 1000)')
    cli.add_argument('--batch-size', type=count, default=32, help='faces of a forward pass (default: 32)')
    cli.add_argument('--repeats', type=count, default=3, help='counted rounds (default: 3)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def bare_network(crops, batch_size):
    """Callable that runs the network alone on float images (N, 3, 112, 112) in ONNX Runtime."""
    import onnxruntime

    from mlaface.zoo.wheel_files import sface_file
    session = onnxruntime.InferenceSession(str(sface_file()), providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name

    def run():
        for start in range(0, len(crops), batch_size):
            session.run(None, {name: crops[start:start + batch_size]})
    return run


def embedding(*arguments):
    """Callable that runs ``mlaface embed`` in this process."""
    from mlaface.cli.embed import main

    def run():
        assert main([*map(str, arguments)]) == 0
    return run


def shell(*arguments):
    """Callable that runs ``mlaface`` as a shell does."""
    def run():
        ended = subprocess.run([sys.executable, '-m', 'mlaface.cli.main', *map(str, arguments)], capture_output=True)
        assert ended.returncode in (0, 1), ended.stderr
    return run


def aligned_cases(folder, encoded, batch_size):
    """Aligned faces: the network alone, and ``mlaface embed --aligned`` from their files to an ``.npz`` file."""
    import numpy as np

    from mlaface.datasets.formats.jpeg import decode
    faces = Path(folder, 'faces')
    faces.mkdir()
    for number, data in enumerate(encoded):
        (faces / f'{number:05}.jpg').write_bytes(data)
    crops = np.stack([decode(data).transpose(2, 0, 1) for data in encoded]).astype(np.float32)
    return {'aligned, bare ONNX Runtime': bare_network(crops, batch_size),
            'aligned, mlaface embed': embedding(faces, '--aligned', '--out', Path(folder, 'faces.npz'), '--batch-size',
                                              batch_size)}


def photograph_cases(folder, photographs, batch_size):
    """Photographs: detector and network alone on what is decoded and cut already, and ``mlaface embed``."""
    import numpy as np

    from mlaface.apis.inference import build_detector
    from mlaface.inference.finder import FaceFinder
    from mlaface.inference.sources import open_sources
    detector = build_detector('yunet')
    images = [source.read() for source in open_sources(photographs)]
    faces = [face for _, found, _ in FaceFinder(detector).find(images) for face in found]
    network = bare_network(np.stack([face.crop for face in faces]).astype(np.float32), batch_size)

    def bare():
        for image in images:
            detector.detect(image)
        network()
    return {'photographs, detector and network alone': bare,
            'photographs, mlaface embed': embedding(photographs, '--out', Path(folder, 'photographs.npz'),
                                                  '--batch-size', batch_size)}


def main(argv=None):
    """Measure as the arguments say."""
    args = parser().parse_args(argv)
    from mlaface.datasets.formats.bin_set import read_bin
    with tempfile.TemporaryDirectory() as folder:
        cases = aligned_cases(folder, read_bin(args.faces).images[:args.images], args.batch_size)
        pair = sorted(Path(folder, 'faces').iterdir())[:2]
        seconds = harness.measure(cases, args.repeats)
        if args.photographs:
            seconds |= harness.measure(photograph_cases(folder, args.photographs, args.batch_size), args.repeats)
        seconds |= harness.measure({'mlaface compare from the shell': shell('compare', *pair, '--aligned'),
                                    'mlaface compare, faces to be found': shell('compare', *pair),
                                    'mlaface --version from the shell': shell('--version')}, 2 * args.repeats + 1)
    names = list(seconds)
    ratios = {f'time, {over} over {under}': harness.paired_ratio(seconds[over], seconds[under])
              for under, over in zip(names[::2], names[1::2]) if not over.endswith('found')}
    harness.show(harness.result('inference', [harness.row(n, spent, 's') for n, spent in seconds.items()], ratios),
                 args.out)
