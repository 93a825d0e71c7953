"""``centers export`` and ``centers import``: class centres as one file, and onto other identities."""
import argparse
from pathlib import Path


def _parser():
    parser = argparse.ArgumentParser(prog='centers.py', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    export = commands.add_parser('export', help='the head of a checkpoint as one safetensors file')
    export.add_argument('rows', help='folder of rows beside the checkpoint: work_dirs/RUN/iter_00001000.rows')
    export.add_argument('--out', required=True, help='the .safetensors file')
    export.add_argument('--parameter', default='head.weight', help='name of the parameter (default head.weight)')
    export.add_argument('--classes', help='text file of identity names, if the folder has none')
    carry = commands.add_parser('import', help='centres for other identities, matched by name')
    carry.add_argument('centers', help='what export wrote')
    carry.add_argument('--classes', required=True, help='text file: the new identities, one a line, in label order')
    carry.add_argument('--out', required=True, help='the new .safetensors file, for InitCentersHook')
    carry.add_argument('--means', help='.pth with embeddings (N, D) and labels (N,) of the new data: new identities '
                       'begin at their class means')
    carry.add_argument('--seed', type=int, default=0, help='of the identities that begin at random (default 0)')
    return parser


def _read_names(path):
    return Path(path).read_text(encoding='utf-8').splitlines()


def _export(args):
    from mlaface.engine.checkpoint.row_manifest import read_classes
    from mlaface.engine.checkpoint.rows import CurrentRows
    from mlaface.export.centers import export_centers
    rows = CurrentRows(args.rows, args.parameter)
    classes = _read_names(args.classes) if args.classes else read_classes(args.rows)
    if classes is None:
        raise ValueError(f'{args.rows} holds no identity names: give them with --classes FILE')
    export_centers(args.out, rows, classes, rows.per_class)
    print(f'{args.out}: {len(classes):,} identities, {rows.shape[0]:,} x {rows.shape[1]} {rows.dtype}')


def _import(args):
    from mlaface.export.centers import Centers, ImportedRows, class_means, export_centers
    classes, means = _read_names(args.classes), None
    if args.means:
        from mlaface.utils.files import load_tensors
        data = load_tensors(args.means)
        means = class_means(data['embeddings'], data['labels'], classes)
    rows = ImportedRows(Centers(args.centers), classes, means, args.seed)
    export_centers(args.out, rows, classes, rows.per_class)
    print(f'{args.out}:\n{rows.report()}')


def main(argv=None):
    """Run the command line.

    Args:
        argv (list[str] | None): Arguments.

    Returns:
        int: 0, or 1 with a message when something is wrong with a file.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        (_export if args.command == 'export' else _import)(args)
    except (OSError, ValueError) as error:
        parser.exit(1, f'error: {error}\n')
    return 0
