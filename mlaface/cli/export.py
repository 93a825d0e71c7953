"""Write a checkpoint in a format for others to run: ONNX, TorchScript, torch.export, OpenVINO.

Preprocessing, thresholds and the checkpoint's hash are in the file. It is opened again, compared with torch at batches
of 1, 3 and 64, and only then gets its name; what fewer bits lose is measured on benchmarks first.

Examples:
  python tools/converters/export.py work_dirs/mla_r50_ms1mv3/best.pth mla_r50.onnx
  python tools/converters/export.py best.pth best.onnx --flip sum --normalize --opset 13
  python tools/converters/export.py best.pth best_int8.onnx --precision int8 --calibrate data/ms1mv3/train.rec \\
      --sets data/lfw.bin data/agedb_30.bin
  python tools/converters/export.py best.pth best.pt2 --precision bfloat16 --sets data/lfw.bin --max-loss 0.001
  python tools/converters/export.py best.pth best.xml --format openvino
  python tools/converters/export.py best.pth for_insightface.onnx --input insightface
  python tools/test.py best_int8.onnx --sets data/lfw.bin --against best.pth
"""
from mlaface.cli.parts.arguments import command, count
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports


def make_parser(name='export', description=__doc__, format=None):
    """The command line; with ``format`` that of a command for this one format."""
    parser = command(name, description)
    parser.add_argument('checkpoint', help='checkpoint of mlaface, or a name of the zoo')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--config', help='config of the network, for a file without one')
    if format is None:
        parser.add_argument('--format', metavar='NAME', help='onnx, torchscript, torch-export, openvino, or that '
                            'of a plugin (default: by the suffix, .onnx .pt .pt2 .xml)')
    parser.set_defaults(format=format)
    parser.add_argument('--precision', choices=('float32', 'float16', 'bfloat16', 'int8'), default='float32',
                        help='of the numbers in the file (default float32)')
    add_imports(parser)
    _add_form(parser.add_argument_group('what goes in and comes out'))
    _add_loss(parser.add_argument_group('fewer bits'))
    return parser


def _add_form(group):
    group.add_argument('--input', choices=('uint8', 'raw', 'insightface'), default='uint8',
                       help='uint8 images, normalised inside (default); raw: float32 ones, normalised as the metadata '
                       'say; insightface: as its Python package hands them over')
    group.add_argument('--raw-input', dest='input', action='store_const', const='raw', help='--input raw')
    group.add_argument('--flip', choices=('none', 'sum', 'concat'), default='none', help='with the mirror image')
    group.add_argument('--normalize', action='store_true', help='embeddings of unit length')
    group.add_argument('--opset', type=int, help='ONNX operator set, from 13 on (default 18)')


def _add_loss(group):
    group.add_argument('--calibrate', metavar='FACES', help='aligned faces for int8: .bin, .rec, or a folder of images')
    group.add_argument('--calibrate-images', type=count, default=256, metavar='N', help='of them (default 256)')
    group.add_argument('--sets', nargs='+', metavar='BIN', help='verification sets on which the loss is measured')
    group.add_argument('--max-loss', type=float, default=0.002, metavar='X',
                       help='largest loss of accuracy on a set, a fraction (default 0.002)')


def main(argv=None):
    """Load, export, and say what was written; ``argv`` (list[str]) is by default the process's."""
    run(make_parser().parse_args(argv))


def run(args):
    """Export as the arguments say."""
    with explained():
        from mlaface.cli.parts.exporting import export
        export(args)
