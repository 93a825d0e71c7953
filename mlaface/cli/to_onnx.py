"""Write a checkpoint as ONNX, checked against ONNX Runtime before it is written.

Examples:
  python tools/converters/to_onnx.py work_dirs/mla_r50_ms1mv3/best.pth mla_r50.onnx
  python tools/converters/to_onnx.py best.pth best.onnx --flip sum --normalize
  python tools/test.py best.onnx --sets data/lfw.bin
"""
import argparse

from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports


def parse(arguments=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog='to_onnx.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint of mlaface (.pth)')
    parser.add_argument('out', help='ONNX file to write')
    parser.add_argument('--config', help='config of the network, for a file without one')
    parser.add_argument('--raw-input', action='store_true',
                        help='take normalised float32 images instead of uint8; the metadata says mean and std')
    parser.add_argument('--flip', choices=('none', 'sum', 'concat'), default='none', help='with the mirror image')
    parser.add_argument('--normalize', action='store_true', help='embeddings of unit length')
    parser.add_argument('--opset', type=int, default=17, help='ONNX operator set (default 17)')
    add_imports(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """Load, export, and say what was written; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    from mlaface.apis import init_model
    from mlaface.export.onnx import export_onnx
    with explained():
        model = init_model(args.checkpoint, args.config, imports=args.imports)
        metadata = export_onnx(model, args.out, preprocess=not args.raw_input, flip=args.flip,
                               normalize=args.normalize, opset=args.opset)
    print(f'{args.out}: embeddings of {metadata["embedding_size"]}, input {metadata["input"]}, flip {metadata["flip"]}')
