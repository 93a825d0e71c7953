"""InsightFace's first models (LResNet-E-IR, of MXNet) as checkpoints of mlaface, or back; MXNet is not needed.

Examples:
  python tools/converters/mxnet.py model-r100-ii/model-0000.params r100.pth
  python tools/test.py r100.pth --sets data/lfw.bin
  python tools/converters/mxnet.py work_dirs/arcface_r50_ms1mv3/best.pth mine/model-0000.params --back
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained


def parse(arguments=None):
    """Parse the command line."""
    parser = command('mxnet', __doc__)
    parser.add_argument('source', help='PREFIX-0000.params, or a checkpoint of mlaface')
    parser.add_argument('out', help='checkpoint to write (.pth), or PREFIX-0000.params')
    parser.add_argument('--back', action='store_true', help='from mlaface to MXNet: parameters and symbol')
    parser.add_argument('--symbol', metavar='JSON', help='(default: PREFIX-symbol.json beside the parameters)')
    return parser.parse_args(arguments)


def main(argv=None):
    """Read, rename, write; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained():
        from mlaface.export.mxnet.convert import from_mxnet, symbol_path, to_mxnet
        if args.back:
            from mlaface.apis import init_model
            count = to_mxnet(init_model(args.source), args.out)
            print(f'{args.out}: {count} arrays, and {symbol_path(args.out)}')
        else:
            config = from_mxnet(args.source, args.out, args.symbol)
            print(f'{args.out}: IResNet-{config["backbone"]["depth"]}, embeddings of '
                  f'{config["neck"]["embedding_size"]}')
