"""Write a checkpoint as one file to pass on: weights, config, input, thresholds, licences; and its card.

Thresholds are those beside the checkpoint (calibrate writes them). The moving average is taken if there is one.

Examples:
  python tools/publish.py work_dirs/mla_r18w025_drawn/best.pth out --name mla_r18w025_drawn --license-weights Apache-2.0
  python tools/publish.py best.pth out --results result.json --quality-images dev.bin --data "MS1MV3"
  python tools/publish.py best.pth --name mla_mbf_mine --to hf://OWNER/NAME --private
"""
from mlaface.cli.parts.arguments import command
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports


def parse(arguments=None):
    """Parse the command line."""
    parser = command('publish', __doc__)
    parser.add_argument('checkpoint', help='checkpoint of mlaface (.pth)')
    parser.add_argument('out', nargs='?', metavar='OUT_DIR',
                        help='folder for the file, its card NAME.md and its index entry NAME.yml')
    parser.add_argument('--to', metavar='HUB', help='hf://OWNER/NAME to put file and card on')
    parser.add_argument('--private', action='store_true', help='a new repository is seen by its owner only')
    parser.add_argument('--name', help='of the model (default: that of a published file, '
                        'of a checkpoint its folder\'s)')
    parser.add_argument('--config', help='config of the network, for a checkpoint without one')
    add_imports(parser)
    parser.add_argument('--no-average', action='store_true', help='the last weights, not their moving average')
    parser.add_argument('--half', action='store_true', help='store weights as float16: half the bytes, and embeddings '
                        'whose cosine to the trained ones is at least 0.9999, or no file')
    about = parser.add_argument_group('what is said of it')
    about.add_argument('--license-weights', metavar='SPDX', help='such as Apache-2.0')
    about.add_argument('--license-data', metavar='TEXT', help='of what it was trained on')
    about.add_argument('--data', metavar='TEXT', help='what it was trained on')
    about.add_argument('--recipe', metavar='CONFIG', help='the config that trains it: configs/mla_mbf_synthetic.py')
    about.add_argument('--address', metavar='URL', help='of the folder that the file will be in, https://HOST/FOLDER: '
                       'the index entry then has Weights, which mim download and mlaface download fetch')
    about.add_argument('--collection', metavar='METHOD', help='its method in the index: MLA-ArcFace')
    about.add_argument('--results', metavar='JSON', help='of tools/test.py --out, on this checkpoint')
    about.add_argument('--thresholds', metavar='JSON', help='of calibrate (default: those beside the checkpoint)')
    about.add_argument('--quality-images', metavar='PATH', help='aligned faces, a folder or a .bin file, whose '
                       'embeddings\' lengths are recorded')
    return parser.parse_args(arguments)


def main(argv=None):
    """Publish as the arguments say; ``argv`` (list[str]) is by default the process's."""
    args = parse(argv)
    with explained():
        if not args.out and not args.to:
            raise ValueError('where to? Give OUT_DIR, or --to hf://OWNER/NAME')
        if args.out and '://' in args.out:
            raise ValueError(f'{args.out} is an address and no folder: give OUT_DIR, or --to hf://OWNER/NAME')
        from mlaface.cli.parts.publishing import run
        run(args)


if __name__ == '__main__':
    main()
