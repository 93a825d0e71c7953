"""Reading weights with every byte checked, over torch's own reading of the same files, which checks none.

Examples:
  python tools/analysis/benchmark.py load configs/arcface_r50_ms1mv3.py --classes 100000 --out load.json
"""
import statistics
import tempfile
from pathlib import Path

from mlaface.cli.benchmarks import harness
from mlaface.cli.parts.arguments import command


def parser():
    """The command line."""
    cli = command('benchmark load', __doc__)
    cli.add_argument('config', help='config file of a run or of a model')
    cli.add_argument('--classes', type=int, default=100_000, help='class centres of 512 numbers (default: 100000)')
    cli.add_argument('--repeats', type=int, default=15, help='counted rounds (default: 15)')
    cli.add_argument('--out', help='write benchmark JSON here')
    return cli


def file_cases(folder, config):
    """Callables by name: a file of a network's weights, read bare, read checked, and made a network."""
    import torch

    from mlaface.apis import init_model
    from mlaface.utils.files import load_tensors
    path = Path(folder) / 'network.pth'
    torch.save(init_model(None, config).state_dict(), path)
    return {'torch.load': lambda: torch.load(path, map_location='cpu', weights_only=True) and None,
            'load_tensors': lambda: load_tensors(path) and None,
            'init_model': lambda: init_model(path, config) and None}


def row_cases(folder, classes):
    """Callables by name: a folder of class centres, read by the engine's reader and by ours, and summed by itself."""
    import torch
    from torch.distributed.checkpoint import FileSystemReader

    from mlaface.engine.checkpoint import row_reader
    from mlaface.engine.checkpoint.row_manifest import read_manifest, verify
    from mlaface.engine.checkpoint.row_planners import RowReader
    from mlaface.engine.checkpoint.row_writer import save_row_tensors
    from mlaface.utils.sharding import split_rows
    path, rows = Path(folder) / 'network.rows', torch.randn(classes, 512)
    rows.row_shard = split_rows(classes, 0, 1)
    save_row_tensors(path, dict(weight=rows))

    class Unchecked(RowReader):
        """Our reader of the index, the engine's of the pieces."""
        read_data = FileSystemReader.read_data

    def bare():
        ours, row_reader.RowReader = row_reader.RowReader, Unchecked
        try:
            row_reader.read_rows(path, dict(weight=rows))
        finally:
            row_reader.RowReader = ours

    return {'rows, unchecked': bare, 'rows': lambda: row_reader.read_rows(path, dict(weight=rows)),
            'rows, all bytes summed': lambda: verify(path, read_manifest(path))}


def main(argv=None):
    """Measure as the arguments say.

    Args:
        argv (list[str] or None): Arguments; None takes the process's.
    """
    args = parser().parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        cases = {**file_cases(folder, args.config), **row_cases(folder, args.classes)}
        seconds = harness.measure(cases, args.repeats)
    checks = [a - b for a, b in zip(seconds['load_tensors'], seconds['torch.load'])]
    ratios = {'load_tensors over torch.load': harness.paired_ratio(seconds['load_tensors'], seconds['torch.load']),
              'checks, as a share of init_model': statistics.median(
                  check / whole for check, whole in zip(checks, seconds['init_model'])),
              'rows over rows, unchecked': harness.paired_ratio(seconds['rows'], seconds['rows, unchecked'])}
    rows = [harness.row(name, values, 's') for name, values in seconds.items()]
    harness.show(harness.result('load', rows, ratios), args.out)
