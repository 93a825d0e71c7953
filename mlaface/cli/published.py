"""Rename the tensors of a published network for mlaface, or back.

MLA-ArcFace; IResNet, MobileFaceNet and ViT of InsightFace; IR and IR-SE; EdgeFace.

Examples:
  python tools/converters/published.py backbone.pth arcface_r50.pth
  python tools/test.py configs/arcface_r50_ms1mv3.py arcface_r50.pth --sets data/lfw.bin
  python tools/train.py configs/mla_r50_ms1mv3.py --cfg-options load_from=mla_r50.pth model.variant=published
  python tools/converters/published.py work_dirs/arcface_r50_ms1mv3/best.pth backbone.pth --back
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports
from mlaface.utils.imports import import_modules


def parse(arguments=None):
    """Parse the command line."""
    parser = command('published', __doc__)
    parser.add_argument('source', help='state dict or checkpoint (.pth)')
    parser.add_argument('out', help='state dict to write (.pth)')
    parser.add_argument('--back', action='store_true', help='from mlaface to the published names')
    parser.add_argument('--separate-norms', action='store_true',
                        help="give GatedFusion(norm='separate') the published shared norm as its start")
    add_imports(parser)
    return parser.parse_args(arguments)


def main(argv=None):
    """Read, rename, write; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    from mlaface.export.published import convert_file
    with explained():
        import_modules(args.imports)
        network = convert_file(args.source, args.out, back=args.back, separate_norms=args.separate_norms)
    size = network.config['neck']['embedding_size']
    print(f'{args.out}: {network.title}, embeddings of {size}, {len(network.state)} tensors')
    if not args.back:
        print(f'config of the network: model = {network.config}')
