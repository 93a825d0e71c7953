"""Class centres as one file, onto other identities, and what sub-centers say of the images.

Examples:
  python tools/converters/centers.py export work_dirs/RUN/iter_00020000.rows --out old.safetensors
  python tools/converters/centers.py import old.safetensors --classes new.txt --out new.safetensors
  python tools/converters/centers.py embed CONFIG work_dirs/RUN/best.pth --out embeddings.pth
  python tools/converters/centers.py outliers old.safetensors --embeddings embeddings.pth --out noise.csv
"""
from mlaface.cli.parts.arguments import command, written_file
from mlaface.cli.parts.errors import explained
from mlaface.cli.parts.imports import add_imports


def _parser():
    parser = command('centers', __doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    export = commands.add_parser('export', help='the head of a checkpoint as one safetensors file')
    export.add_argument('rows', help='folder of rows beside the checkpoint: work_dirs/RUN/iter_00001000.rows')
    export.add_argument('--out', type=written_file, required=True, help='the .safetensors file')
    export.add_argument('--parameter', default='head.weight', help='name of the parameter (default head.weight)')
    export.add_argument('--classes', help='text file of identity names, if the folder has none')
    carry = commands.add_parser('import', help='centres for other identities, matched by name')
    carry.add_argument('centers', help='what export wrote')
    carry.add_argument('--classes', required=True, help='text file: the new identities, one a line, in label order')
    carry.add_argument('--out', type=written_file, required=True,
                       help='the new .safetensors file, for train --init-centers')
    carry.add_argument('--means', help='what embed wrote for the new data: new identities begin at their class means')
    carry.add_argument('--seed', type=int, default=0, help='of the identities that begin at random (default 0)')
    embed = commands.add_parser('embed', help="embeddings (N, D) and labels (N,) of a config's training data")
    embed.add_argument('config', help='config whose training data is read, without its transforms')
    embed.add_argument('checkpoint', help='the network: a .pth file')
    embed.add_argument('--config', dest='network', help='config of the network, for a file without one')
    embed.add_argument('--out', type=written_file, required=True, help='the .pth file')
    embed.add_argument('--batch-size', type=int, default=64, help='images of a forward pass (default 64)')
    embed.add_argument('--workers', type=int, default=0, help='processes that read images (default 0: this one)')
    embed.add_argument('--device', default='cpu', help='where the network runs (default cpu)')
    add_imports(export)
    add_imports(embed)
    outliers = commands.add_parser('outliers', help='images that a sub-center head takes for noise, as a list')
    outliers.add_argument('centers', help='what export wrote of a head with SubCenterArcFace')
    outliers.add_argument('--embeddings', required=True, help='what embed wrote for the data it was trained on')
    outliers.add_argument('--out', type=written_file, required=True,
                          help='.csv file: index, identity, center, dominant, angle')
    outliers.add_argument('--max-angle', type=float, default=75.0,
                          help='degrees to the dominant centre beyond which an image is noise (default 75)')
    return parser


def main(argv=None):
    """Run the command line; ``argv`` (list[str]) is by default the process's."""
    args = _parser().parse_args(argv)
    from mlaface.cli.parts.center_files import COMMANDS
    with explained():
        COMMANDS[args.command](args)
